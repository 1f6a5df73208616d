package site

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// locate puts addresses in the place of the names in c.Spec. Whoever can do without some hosts is
// not kept from the others by a resolver that is down: a name that cannot be looked up has the
// address of the last apply then, and without one its host is out of reach.
func (c *Site) locate(ctx context.Context, opts Options) error {
	named := c.Spec.Names()
	if len(named) == 0 {
		return nil
	}
	known, err := c.State.Addresses()
	if err != nil {
		return err
	}
	book := addressBook{lookup: opts.Lookup, timeout: opts.Timeout, failed: map[string]error{}}
	if opts.AllowUnreachable {
		book.known = known
	}
	sp, err := c.Spec.Resolve(ctx, book.find)
	if sp == nil || err != nil && !opts.AllowUnreachable {
		return err
	}
	c.Spec = sp
	for _, err := range errs.Split(err) {
		var lost *spec.LookupError
		if errors.As(err, &lost) {
			c.unlocated[lost.Host] = fmt.Errorf("%w: %w", remote.ErrUnreachable, err)
		}
	}
	for _, h := range named {
		if why := book.failed[h.Address]; why != nil && c.unlocated[h.Name] == nil {
			c.Remembered[h.Name] = why
		}
	}
	if opts.ReadOnly || opts.Existing || len(book.failed) > 0 {
		return nil
	}
	return c.State.RememberAddresses(known, located(named, sp))
}

// located are the addresses of hosts that had a name, by that name.
func located(named []spec.Host, sp *spec.Spec) map[string]netip.Addr {
	found := map[string]netip.Addr{}
	for _, h := range named {
		if at, err := sp.Host(h.Name); err == nil {
			found[h.Address], _ = netip.ParseAddr(at.Address)
		}
	}
	return found
}

// addressBook looks names up, and answers from memory where that fails.
type addressBook struct {
	lookup  spec.Lookup
	timeout time.Duration
	known   map[string]netip.Addr

	mu     sync.Mutex
	failed map[string]error
}

// find is a spec.Lookup.
func (b *addressBook) find(ctx context.Context, name string) ([]netip.Addr, error) {
	if b.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.timeout)
		defer cancel()
	}
	lookup := b.lookup
	if lookup == nil {
		lookup = spec.SystemLookup
	}
	all, err := lookup(ctx, name)
	if err == nil {
		return all, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed[name] = err
	if a, there := b.known[name]; there {
		return []netip.Addr{a}, nil
	}
	return nil, err
}
