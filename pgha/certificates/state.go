package certificates

import (
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
)

// settled returns the state directory of a site to write to, with its lock held, and what gives
// that back where it was taken here.
func settled(c *site.Site) (s *vault.State, end func() error, err error) {
	none := func() error { return nil }
	if !c.State.ReadOnly {
		return c.State, none, c.State.Begin(c.Spec)
	}
	if s, err = vault.SettledState(c.Spec, c.State.Box); err != nil {
		return nil, none, err
	}
	return s, s.Close, nil
}

// finish says how the replacement of authorities is finished.
func finish(authorities []string) errs.Next {
	names := []string{"rotate-ca"}
	for _, a := range authorities {
		names = append(names, name(a))
	}
	return errs.Text("%s finishes it", errs.Verb("certificates", names...))
}
