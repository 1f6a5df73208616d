package backup

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetCertificates gives the hosts the CA and the certificates of the options, and nothing else of
// them, all at the same time. pgBackRest's server reads them again without a restart; what it is
// doing continues, and its other commands read them when they begin.
//
// A host that is left out stays as it is. Safe to repeat. Errors match ErrInvalid or name the host.
func SetCertificates(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("set pgBackRest's certificates: %w", err)
	}
	o = o.WithDefaults()
	at, byName := layout.CertificateOf(layout.Backup), map[string]Host{}
	var targets []*remote.Target
	for _, h := range o.hosts() {
		byName[name(h)] = h
		targets = append(targets, h.Target)
	}
	err := remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		if t.LeftOut {
			return nil
		}
		h := byName[t.Name]
		l := Layout(o, h)
		// The server may end on a key that does not belong to its certificate.
		_, err := t.Ensure(ctx, remote.Together{l.Place(at.CA, o.CA),
			l.Place(at.File, h.Certificate.Cert), l.Place(at.Key, h.Certificate.Key.Reveal())},
			remote.Unit{Name: Unit, ReloadOn: []string{at.CA, at.File, at.Key}})
		return err
	})
	if err != nil {
		return fmt.Errorf("set pgBackRest's certificates: %w", err)
	}
	return nil
}
