package vip

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"

	"github.com/pgha/toolkit/pgha/remote"
)

// link is one network interface with its addresses.
type link struct {
	name     string
	prefixes []netip.Prefix
}

// parseLinks reads what `ip -j addr show` prints.
func parseLinks(out []byte) ([]link, error) {
	var raw []struct {
		Name  string `json:"ifname"`
		Addrs []struct {
			Local string `json:"local"`
			Len   int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(out, &raw); err != nil {
		return nil, fmt.Errorf("read the addresses: %w", err)
	}
	var links []link
	for _, r := range raw {
		l := link{name: r.Name}
		for _, a := range r.Addrs {
			// iproute2 leaves "local" out where the kernel gave none, and prints {} for what a
			// filter hid.
			addr, err := netip.ParseAddr(a.Local)
			if err != nil || a.Len < 0 || a.Len > addr.BitLen() {
				continue
			}
			l.prefixes = append(l.prefixes, netip.PrefixFrom(addr, a.Len))
		}
		links = append(links, l)
	}
	return links, nil
}

// find returns the interface that has the address, and the address with the length of its prefix.
func find(links []link, addr netip.Addr) (name string, prefix netip.Prefix, found bool) {
	for _, l := range links {
		for _, p := range l.prefixes {
			if p.Addr() == addr {
				return l.name, p, true
			}
		}
	}
	return "", netip.Prefix{}, false
}

// Holder looks which balancers hold the address, all in parallel and in one round trip each. The
// result has one entry a balancer, in the order of o.Balancers; a balancer that can't be asked has
// Err set, one that is left out nothing. Holder itself returns an error only when the options are
// invalid or the context is over. Changes nothing; safe to repeat.
func Holder(ctx context.Context, o Options) ([]Holding, error) {
	if err := o.ready(); err != nil {
		return nil, fmt.Errorf("look for the virtual IP: %w", err)
	}
	return o.withDefaults().look(ctx)
}

// ready is Validate for what touches hosts.
func (o Options) ready() error {
	if err := o.Validate(); err != nil {
		return err
	}
	for i, b := range o.Balancers {
		if b.Target == nil {
			return fmt.Errorf("%w: balancer number %d has no target", ErrInvalid, i+1)
		}
	}
	return nil
}

func (o Options) look(ctx context.Context) ([]Holding, error) {
	holdings := make([]Holding, len(o.Balancers))
	var wg sync.WaitGroup
	for i, b := range o.Balancers {
		wg.Go(func() { holdings[i] = o.lookAt(ctx, b) })
	}
	wg.Wait()
	return holdings, ctx.Err()
}

func (o Options) lookAt(ctx context.Context, b Balancer) Holding {
	h := Holding{Host: b.Name, Interface: b.Interface}
	if b.Target.LeftOut {
		return h
	}
	fail := func(err error) Holding {
		h.Err = remote.OnHost(b.Target.Name, err)
		return h
	}
	res, err := b.Target.Run(ctx, remote.Cmd{Argv: []string{"ip", "-j", "addr", "show"},
		Timeout: lookTimeout})
	if err != nil {
		return fail(fmt.Errorf("look at the addresses: %w", err))
	}
	links, err := parseLinks(res.Stdout)
	if err != nil {
		return fail(err)
	}
	_, _, h.Former = find(links, o.Former)
	if where, _, found := find(links, o.Address); found {
		h.Holds, h.Interface = true, where
		return h
	}
	own, err := netip.ParseAddr(b.Address)
	if err != nil {
		return fail(err)
	}
	where, prefix, found := find(links, own)
	switch {
	case h.Interface != "":
	case !found:
		return fail(remote.WithHint(fmt.Errorf("no interface has the address %s", own),
			"name the interface in the specification"))
	case !prefix.Masked().Contains(o.Address):
		return fail(remote.WithHint(fmt.Errorf("the virtual IP %s is not in the subnet %s of %s",
			o.Address, prefix.Masked(), where),
			"choose a free address of that subnet, or name another interface in the specification"))
	case o.Former.IsValid() && !prefix.Masked().Contains(o.Former):
		return fail(remote.WithHint(fmt.Errorf("the former virtual IP %s is not in the subnet %s of "+
			"%s", o.Former, prefix.Masked(), where),
			"leave the former address out, or name another interface in the specification"))
	default:
		h.Interface = where
	}
	return h
}
