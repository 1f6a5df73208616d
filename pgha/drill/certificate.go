package drill

import (
	"bytes"
	"context"
	_ "embed"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

var (
	//go:embed faults/certificate.sh
	certificateScript string
	//go:embed faults/certificate_undo.sh
	certificateUndoScript string
)

// keepCertificate copies the certificate away; what undoes it brings it back and makes Patroni read
// it.
func keepCertificate() hostFault {
	files := strings.TrimSuffix(layout.CertificateOf(layout.RESTServer).File, ".crt")
	return hostFault{name: "certificate", args: []string{files, "/run/pgha-drill-certificate"},
		cause: certificateScript, undo: certificateUndoScript}
}

// shortCertificate gives the leader's REST API a certificate that ends soon.
func shortCertificate(ctx context.Context, s *experiment) error {
	t, err := s.cluster.Target(s.leader)
	if err != nil {
		return err
	}
	lifetime := s.cluster.Spec.Patroni.LoopWait + 20*time.Second
	at := layout.CertificateOf(layout.RESTServer)
	brief, err := briefCertificate(ctx, s.cluster.Spec, s.leader, lifetime)
	if err != nil {
		return err
	}
	s.expires = time.Now().Add(lifetime)
	s.bound += lifetime + time.Minute // the calm before, and what follows
	if err := s.breakOn(ctx, keepCertificate(), s.leader); err != nil {
		return err
	}
	for _, f := range []struct {
		path    string
		content []byte
	}{{at.Key, brief.Key.Reveal()}, {at.File, brief.Cert}} {
		meta := remote.FileMeta{Path: f.path, Mode: at.KeyMode, Owner: at.Owner, Group: at.Group}
		if _, err := t.Put(ctx, bytes.NewReader(f.content), meta); err != nil {
			return err
		}
	}
	s.say("the certificate of the REST API of " + s.leader + " ends in " + lifetime.String())
	return onHost(ctx, t, "systemctl kill --signal=HUP --kill-whom=main patroni")
}

// briefCertificate issues a certificate for the REST API of a database host that ends after so
// long. It is kept nowhere: the next apply brings the regular one back. It needs the authority's
// key.
func briefCertificate(ctx context.Context, sp *spec.Spec, host string,
	lifetime time.Duration) (pki.KeyPair, error) {
	h, err := sp.Host(host)
	if err != nil {
		return pki.KeyPair{}, err
	}
	state, err := vault.ReadState(ctx, sp)
	if err != nil {
		return pki.KeyPair{}, err
	}
	ca, _, err := state.Issuer(sp, layout.PatroniAuthority)
	if err != nil {
		return pki.KeyPair{}, err
	}
	req := certs.Named(sp, h, layout.RESTServer).Request
	req.Lifetime = lifetime
	leaf, err := ca.Issue(req)
	if err != nil {
		return pki.KeyPair{}, err
	}
	return leaf.KeyPair(), nil
}

// expire waits until the certificate has ended.
func expire(ctx context.Context, s *experiment) error {
	_ = poll.Pause(ctx, time.Until(s.expires))
	s.begin([]string{s.leader}, "certificate of the REST API of %s expired", s.leader)
	s.fault.At = s.expires
	return ctx.Err()
}
