package pgha

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// addressesFile says in the state directory which addresses the hosts' names had at the last apply.
const addressesFile = "addresses.json"

// locate puts addresses in the place of the names in c.Spec. Whoever can do without some hosts is not
// kept from the others by a resolver that is down: a name that cannot be looked up has the address of
// the last apply then, and without one its host is out of reach.
func (c *Cluster) locate(ctx context.Context, opts ConnectOptions) error {
	named := c.Spec.Names()
	if len(named) == 0 {
		return nil
	}
	known, err := c.state.addresses()
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
	for _, err := range errlist.Split(err) {
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
	if opts.ReadOnly || len(book.failed) > 0 {
		return nil
	}
	return c.state.rememberAddresses(known, located(named, sp))
}

// located are the addresses of hosts that had a name, by that name.
func located(named []spec.Host, sp *Spec) map[string]netip.Addr {
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

// addresses returns what is remembered of the hosts' names; none before the first apply.
func (s *state) addresses() (map[string]netip.Addr, error) {
	text, err := s.read(addressesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var known map[string]netip.Addr
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return nil, remote.WithHint(fmt.Errorf("read %s: %w", s.path(addressesFile), err),
			"delete the file: the next apply writes it anew")
	}
	return known, nil
}

// rememberAddresses drafts the file, if it says something else.
func (s *state) rememberAddresses(known, found map[string]netip.Addr) error {
	if maps.Equal(known, found) {
		return nil
	}
	text, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", addressesFile, err)
	}
	return s.write(addressesFile, append(text, '\n'))
}
