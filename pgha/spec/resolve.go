package spec

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
)

// Lookup returns the addresses of a name.
type Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// ErrLookup is what errors.Is finds where a name could not be looked up, so that nothing is known of its address.
var ErrLookup = errors.New("cannot be looked up on this machine")

// lookupTimeout bounds the look-up of one name: twice what glibc's resolver gives one server (resolv.conf(5)).
const lookupTimeout = 10 * time.Second

// Names returns the hosts whose address is a name.
func (s *Spec) Names() []Host {
	return slices.DeleteFunc(slices.Clone(s.Hosts), func(h Host) bool {
		_, err := netip.ParseAddr(h.Address)
		return err == nil || !isHostName(h.Address)
	})
}

// Resolve returns the spec with an IP address in the place of every host's name, which it looks up once: etcd, pg_hba.conf,
// HAProxy and keepalived are given addresses. The name becomes one more name in the host's certificates, and what SSH connects
// to unless that is given. A spec without names is returned as it is.
//
// Each name must have exactly one address of the family of the addresses that the spec has; where it has none, exactly one
// address. Errors are those of Complete, without positions, and ErrLookup where a name could not be looked up. Nil asks the
// operating system; its answers for one name are waited for 10 s at most.
func (s *Spec) Resolve(ctx context.Context, lookup Lookup) (*Spec, error) {
	if len(s.Names()) == 0 {
		return s, nil
	}
	if lookup == nil {
		lookup = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found := s.lookUp(ctx, lookup)
	r := *s
	r.Hosts = slices.Clone(s.Hosts)
	wanted, names := s.literal(), map[string]string{}
	var wrong []Error
	var unknown []error
	for i := range r.Hosts {
		h := &r.Hosts[i]
		answer, isName := found[h.Address]
		if !isName {
			continue
		}
		field := element("hosts", i) + ".address"
		address, err := answer.one(h.Address, wanted)
		var fault Error
		switch {
		case errors.As(err, &fault):
			fault.Field = field
			wrong = append(wrong, fault)
			continue
		case err != nil:
			unknown = append(unknown, fmt.Errorf("%s: %w", field, err))
			continue
		}
		names[field] = h.Address
		h.become(address)
	}
	if len(wrong) > 0 {
		unknown = append(unknown, &Errors{wrong})
	}
	if len(unknown) > 0 {
		return nil, errlist.Join(unknown...)
	}
	return &r, naming(r.Complete(), names)
}

// become puts an address in the place of the host's name.
func (h *Host) become(address netip.Addr) {
	name := h.Address
	h.Address = address.String()
	if h.SSH.Address == "" {
		h.SSH.Address = name
	}
	if !slices.Contains(h.DNSNames, name) && name != h.Name && name != h.Member {
		h.DNSNames = append(slices.Clone(h.DNSNames), name)
	}
}

// naming says in errors about an address whose it is.
func naming(err error, names map[string]string) error {
	var wrong *Errors
	if !errors.As(err, &wrong) {
		return err
	}
	for i, e := range wrong.List {
		if name, ok := names[e.Field]; ok {
			wrong.List[i].Problem += ", and what " + name + " resolves to"
		}
	}
	return wrong
}

// literal is an address that the spec has, of any host or the virtual IP; invalid when there are names only.
func (s *Spec) literal() netip.Addr {
	var all []string
	if s.VIP != nil {
		all = append(all, s.VIP.Address)
	}
	for _, h := range s.Hosts {
		all = append(all, h.Address)
	}
	for _, text := range all {
		if a, err := netip.ParseAddr(text); err == nil {
			return a.Unmap()
		}
	}
	return netip.Addr{}
}

// lookUp asks for all names at the same time, for each once.
func (s *Spec) lookUp(ctx context.Context, lookup Lookup) map[string]resolved {
	var mu sync.Mutex
	var all sync.WaitGroup
	found := map[string]resolved{}
	names := map[string]bool{}
	for _, h := range s.Names() {
		names[h.Address] = true
	}
	for name := range names {
		all.Go(func() {
			addresses, err := lookup(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			found[name] = resolved{addresses, err}
		})
	}
	all.Wait()
	return found
}

// resolved is what a look-up came to.
type resolved struct {
	addresses []netip.Addr
	err       error
}

// one returns the one address of the family that like is of; of any family when like is invalid.
func (r resolved) one(name string, like netip.Addr) (netip.Addr, error) {
	if r.err != nil {
		var dns *net.DNSError
		why := r.err.Error()
		if errors.As(r.err, &dns) {
			why = dns.Err
		}
		return netip.Addr{}, fmt.Errorf("%s %w: %s; write the host's IP address, or mend the name (getent hosts %s)", quoted(name), ErrLookup, why, name)
	}
	var all, fitting []netip.Addr
	for _, a := range r.addresses {
		if a = a.Unmap(); slices.Contains(all, a) {
			continue
		}
		all = append(all, a)
		if !like.IsValid() || a.Is4() == like.Is4() {
			fitting = append(fitting, a)
		}
	}
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case len(all) == 0:
		return netip.Addr{}, Error{Problem: quoted(name) + " has no address", Remedy: "write the host's IP address"}
	case len(fitting) == 0:
		return netip.Addr{}, Error{Problem: fmt.Sprintf("%s has no %s address, as the others have, but %s", quoted(name), family(like), list(all)),
			Remedy: "write the host's IP address"}
	}
	return netip.Addr{}, Error{Problem: fmt.Sprintf("%s has %d addresses, %s", quoted(name), len(fitting), list(fitting)),
		Remedy: "write the one by which the other hosts reach it, as an IP address"}
}

func list(addresses []netip.Addr) string {
	slices.SortFunc(addresses, netip.Addr.Compare)
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
