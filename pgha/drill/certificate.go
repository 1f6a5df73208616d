package drill

import (
	"bytes"
	"context"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// restCertificate is where Patroni's REST API has its certificate, in the folder of pgha/patroni's.
const restCertificate = "/etc/patroni/certs/rest-server"

// keepCertificate copies the certificate away; what undoes it brings it back and makes Patroni read it.
var keepCertificate = hostFault{name: "certificate", args: []string{restCertificate, "/run/pgha-drill-certificate"},
	cause: `set -e
umask 077
mkdir -p "$2"
cp -p "$1.crt" "$1.key" "$2/"`,
	undo: `set -e
cp -p "$2/rest-server.key" "$1.key"
cp -p "$2/rest-server.crt" "$1.crt"
systemctl kill --signal=HUP --kill-whom=main patroni
rm -rf "$2"`}

// shortCertificate gives the leader's REST API a certificate that ends soon.
func shortCertificate(ctx context.Context, s *stage) error {
	t, err := s.cluster.Target(s.leader)
	if err != nil {
		return err
	}
	lifetime := s.cluster.Spec.Patroni.LoopWait + 20*time.Second
	cert, key, err := s.cluster.ShortLivedRESTCertificate(s.leader, lifetime)
	if err != nil {
		return err
	}
	s.expires = time.Now().Add(lifetime)
	s.bound += lifetime + time.Minute // the calm before, and what follows
	if err := s.breakOn(ctx, keepCertificate, s.leader); err != nil {
		return err
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{".key", key}, {".crt", cert}} {
		meta := remote.FileMeta{Path: restCertificate + f.name, Mode: 0o600, Owner: "postgres", Group: "postgres"}
		if _, err := t.Put(ctx, bytes.NewReader(f.content), meta); err != nil {
			return err
		}
	}
	s.say("the certificate of the REST API of " + s.leader + " ends in " + lifetime.String())
	return onHost(ctx, t, "systemctl kill --signal=HUP --kill-whom=main patroni")
}

// expire waits until the certificate has ended.
func expire(ctx context.Context, s *stage) error {
	pause(ctx, time.Until(s.expires))
	s.begin([]string{s.leader}, "certificate of the REST API of %s expired", s.leader)
	s.fault.At = s.expires
	return ctx.Err()
}
