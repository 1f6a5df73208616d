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

	"github.com/pgha/toolkit/pgha/errs"
)

// Lookup returns the addresses of a name.
type Lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// SystemLookup asks the operating system.
func SystemLookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// ErrLookup is what errors.Is finds where a name could not be looked up, so that nothing is known
// of its address.
var ErrLookup = errs.New(errs.Unavailable, "cannot be looked up on this machine")

// lookupTimeout bounds the look-up of one name: twice what glibc's resolver gives one server
// (resolv.conf(5)).
const lookupTimeout = 10 * time.Second

// LookupError is a host's name that could not be looked up. It matches ErrLookup.
type LookupError struct {
	// Host is the host's name in the spec.
	Host string
	at   Error
}

// Error says where the name stands, why it has no address, and what to do.
func (e *LookupError) Error() string { return e.at.Error() }

// Is makes every LookupError an ErrLookup.
func (e *LookupError) Is(target error) bool { return target == ErrLookup }

// Kind returns errs.Unavailable.
func (e *LookupError) Kind() errs.Kind { return errs.Unavailable }

// Names returns the hosts whose address is a name.
func (s *Spec) Names() []Host {
	return slices.DeleteFunc(slices.Clone(s.Hosts), func(h Host) bool {
		_, err := netip.ParseAddr(h.Address)
		return err == nil || !isHostName(h.Address)
	})
}

// Resolve returns the spec with an IP address in the place of every host's name, which it looks up
// once: etcd, pg_hba.conf, HAProxy and keepalived are given addresses. The name becomes one more
// name in the host's certificates, and what SSH connects to unless that is given. A spec without
// names is returned as it is.
//
// Each name must have exactly one address of the family of the addresses that the spec has; where
// it has none, exactly one address. What is wrong comes as *Errors, without a spec. Where names
// could not be looked up the error joins a *LookupError for each, and the spec that comes with it
// has these names still, for who can do without these hosts. Nil is SystemLookup. Answers are
// waited for 10 s at most.
func (s *Spec) Resolve(ctx context.Context, lookup Lookup) (*Spec, error) {
	if len(s.Names()) == 0 {
		return s, nil
	}
	if lookup == nil {
		lookup = SystemLookup
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found := s.lookUp(ctx, lookup)
	r := *s
	r.Hosts = slices.Clone(s.Hosts)
	wanted, names, d := s.literal(), map[string]string{}, s.decoderOf()
	var unknown []error
	for i := range r.Hosts {
		h := &r.Hosts[i]
		answer, isName := found[h.Address]
		if !isName {
			continue
		}
		field := element("hosts", i) + ".address"
		address, fault := answer.one(h.Address, wanted)
		if fault == nil {
			names[field] = h.Address
			h.become(address)
			continue
		}
		d.reportNext(field, fault.Problem, fault.Remedy)
		if answer.err != nil {
			last := len(d.errs) - 1
			unknown = append(unknown, &LookupError{Host: h.Name, at: d.errs[last]})
			d.errs = d.errs[:last]
		}
	}
	if len(d.errs) == 0 {
		r.completeResolved(d)
	}
	if wrong := naming(d.errs, names); len(wrong) > 0 {
		return nil, errs.Join(append(unknown, sorted(wrong))...)
	}
	return &r, errs.Join(unknown...)
}

// completeResolved completes a spec that had names in the place of addresses. A default that
// depends on the addresses' family is derived again.
func (s *Spec) completeResolved(d *decoder) {
	_, given := d.at[clientNetworks]
	if !given && slices.Equal(s.PostgreSQL.ClientNetworks, []string{everyIPv4}) {
		s.PostgreSQL.ClientNetworks = nil
	}
	finish(s, d, ".")
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
func naming(errs []Error, names map[string]string) []Error {
	for i, e := range errs {
		if name, ok := names[e.Field]; ok {
			errs[i].Problem += ", and what " + name + " resolves to"
		}
	}
	return errs
}

// literal is an address that the spec has, of any host or the virtual IP; invalid when there are
// names only.
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
func (r resolved) one(name string, like netip.Addr) (netip.Addr, *Error) {
	if r.err != nil {
		var dns *net.DNSError
		why := r.err.Error()
		if errors.As(r.err, &dns) {
			why = dns.Err
		}
		return netip.Addr{}, &Error{Problem: fmt.Sprintf("%s %s: %s", quoted(name), ErrLookup, why),
			Remedy: remedy("write the host's IP address, or mend the name (getent hosts " +
				name + ")")}
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
	const write = "write the host's IP address"
	switch {
	case len(fitting) == 1:
		return fitting[0], nil
	case len(all) == 0:
		return netip.Addr{}, &Error{Problem: quoted(name) + " has no address",
			Remedy: remedy(write)}
	case len(fitting) == 0:
		return netip.Addr{},
			&Error{Problem: fmt.Sprintf("%s has no %s address, as the others have, but %s",
				quoted(name), family(like), list(all)), Remedy: remedy(write)}
	}
	return netip.Addr{}, &Error{Problem: fmt.Sprintf("%s has %d addresses, %s", quoted(name),
		len(fitting), list(fitting)),
		Remedy: remedy("write the one by which the other hosts reach it, as an IP address")}
}

func list(addresses []netip.Addr) string {
	slices.SortFunc(addresses, netip.Addr.Compare)
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
