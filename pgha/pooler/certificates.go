package pooler

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/internal/rollout"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetCertificates gives running poolers the CA and the certificates of the options, and nothing
// else of them: balancers one after the other, that of Options.Last behind the others, each
// reloaded and answering before the next one. A reload ends no session; new ones get the new
// certificate.
//
// A balancer that is left out stays as it is. Safe to repeat. Errors are those of Configure.
func SetCertificates(ctx context.Context, o Options) error {
	if err := o.setCertificates(ctx); err != nil {
		return fmt.Errorf("set PgBouncer's certificates: %w", err)
	}
	return nil
}

func (o Options) setCertificates(ctx context.Context) error {
	if err := o.Validate(); err != nil {
		return err
	}
	o = o.WithDefaults()
	l := Layout(o)
	at := layout.CertificateOf(layout.Pooler)
	resources := func(b Balancer) []remote.Resource {
		// A key that does not belong to its certificate is refused: PgBouncer keeps both of before.
		list := []remote.Resource{remote.Together{l.Place(at.CA, o.CA),
			l.Place(at.File, b.Certificate.Cert), l.Place(at.Key, b.Certificate.Key.Reveal())}}
		for _, i := range Instances() {
			list = append(list, remote.Unit{Name: UnitOf(i),
				ReloadOn: []string{at.CA, at.File, at.Key}})
		}
		return list
	}
	_, inTurn, err := rollout.Sort(len(o.Balancers), func(i int) (rollout.Need, error) {
		b := o.Balancers[i]
		if b.Target.LeftOut {
			return rollout.Nothing, nil
		}
		needs, err := b.Target.Preview(ctx, resources(b)...)
		if !needs.Any() {
			return rollout.Nothing, err
		}
		return rollout.InTurn, err
	})
	if err != nil {
		return err
	}
	return rollout.Run(ctx, rollout.Rollout{
		InTurn: inTurn, Order: o.order,
		Change: func(ctx context.Context, i int) (func(context.Context) error, error) {
			t := o.Balancers[i].Target
			if _, err := t.Ensure(ctx, resources(o.Balancers[i])...); err != nil || t.Planning() {
				return nil, err
			}
			return func(ctx context.Context) error { return o.await(ctx, t) }, nil
		},
	})
}
