package site

import (
	"maps"

	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/spec"
)

// Credentials returns the credentials in force. They do not change: a rotation holds others in
// their place. So read them once for what has to fit together.
func (c *Site) Credentials() *vault.Credentials { return c.credentials.Load() }

// Hold replaces the credentials in force as a whole, and returns the site. Who has the old ones
// keeps them.
func (c *Site) Hold(cr *vault.Credentials) *Site {
	c.credentials.Store(cr)
	return c
}

// Apart returns a site with the same connections, state directory and facts, but a specification
// and credentials of its own: what one of the two holds or learns later the other does not see.
func (c *Site) Apart(sp *spec.Spec, cr *vault.Credentials) *Site {
	c.Mu.Lock()
	defer c.Mu.Unlock()
	other := &Site{Spec: sp, Unreachable: c.Unreachable, Remembered: c.Remembered,
		unlocated:   c.unlocated,
		Connections: c.Connections, Facts: maps.Clone(c.Facts), State: c.State, Log: c.Log,
		Lookup:   c.Lookup,
		ReadOnly: c.ReadOnly, TakesOver: c.TakesOver, leftOut: c.leftOut, open: c.open}
	return other.Hold(cr)
}

// LeavingOut returns the same site with hosts that no work touches, whether they have a connection
// or not: Targets has the others alone, Target's error for them matches remote.ErrLeftOut.
func (c *Site) LeavingOut(hosts []spec.Host) *Site {
	other := c.Apart(c.Spec, c.Credentials())
	other.leftOut = hosts
	return other
}

// LeftOut are the hosts that no work touches.
func (c *Site) LeftOut() []spec.Host { return c.leftOut }
