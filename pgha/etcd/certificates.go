package etcd

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetCertificates gives running members the CA, the list of revoked certificates and the
// certificates of the options, and the environment, in which it stands what they run with.
//
// Certificates need no restart: etcd reads them for each handshake. A CA it reads at its start
// alone (3.6), so members that run with another one are restarted: one at a time, the leader last
// and after it has handed over, each only once all are healthy. Members whose Target is left out
// stay as they are; refused (ErrRefused of package errs) is a restart that would leave no quorum.
//
// Safe to repeat: where nothing differs nothing is changed. Each wait is bounded by Options.Wait.
// On a planning target it only records what it would change.
func SetCertificates(ctx context.Context, o Options) error {
	o = o.withDefaults()
	if err := setCertificates(ctx, o); err != nil {
		return fmt.Errorf("set etcd's certificates: %w", err)
	}
	return nil
}

func setCertificates(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	seen, err := o.lookAll(ctx)
	if err != nil {
		return err
	}
	if err := o.judgeLeftOut(seen); err != nil {
		return err
	}
	err = o.each(ctx, func(ctx context.Context, _ int, m Member) error {
		_, err := m.Target.Ensure(ctx, certificates(o, m), o.environmentFile(m, formed))
		return err
	})
	if err != nil {
		return err
	}
	if err := o.restartStale(ctx, seen); err != nil || o.planning() {
		return err
	}
	return o.awaitHealth(ctx, o.all())
}

// certificates are those of a member with what it trusts. etcd reads a certificate and its key at
// every handshake: one without the other would end TLS.
func certificates(o Options, m Member) remote.Together {
	l := Layout(o)
	list := remote.Together{l.Place(CAFile, o.CA)}
	if o.Revoked != nil {
		list = append(list, l.Place(layout.EtcdRevoked, o.Revoked))
	}
	for i, pair := range []pki.KeyPair{m.Server, m.Peer, m.Gateway} {
		if !pair.IsZero() {
			c := l.Certificates[i]
			list = append(list, l.Place(c.File, pair.Cert), l.Place(c.Key, pair.Key.Reveal()))
		}
	}
	return list
}
