package vip

import (
	"fmt"
	"net/netip"
	"regexp"
	"time"

	"github.com/pgha/toolkit/internal/syntax"
	"github.com/pgha/toolkit/pgha/errs"
)

var interfaceSyntax = regexp.MustCompile(syntax.Interface)

// Validate refuses options that cannot work, all flaws at once; the error matches ErrInvalid. It
// looks at no host; whether the address lies in the subnet of the balancers' interfaces is checked
// by Configure, which can see them.
func (o Options) Validate() error {
	o = o.withDefaults()
	var flaws []error
	flaw := func(format string, args ...any) { flaws = append(flaws, fmt.Errorf(format, args...)) }
	if !canFloat(o.Address) {
		flaw("address %s can't be a virtual IP", o.Address)
	}
	switch f := o.Former; {
	case !f.IsValid():
	case !canFloat(f):
		flaw("former address %s can't be a virtual IP", f)
	case f == o.Address:
		flaw("the former address %s is the virtual IP itself", f)
	case f.Is4() != o.Address.Is4():
		flaw("the former address %s and the virtual IP %s are of different families", f, o.Address)
	}
	if o.PrefixLen < 1 || o.PrefixLen > o.Address.BitLen() {
		flaw("prefix length %d is not between 1 and %d", o.PrefixLen, o.Address.BitLen())
	}
	if o.RouterID < 1 || o.RouterID > 255 {
		flaw("router ID %d is not between 1 and 255", o.RouterID)
	}
	if o.AdvertInterval < 10*time.Millisecond || o.AdvertInterval > 40950*time.Millisecond ||
		o.AdvertInterval%(10*time.Millisecond) != 0 {
		flaw("advertisement interval %s is not between 10ms and 40.95s in steps of 10ms",
			o.AdvertInterval)
	}
	if o.CheckPort < 1 || o.CheckPort > 65535 {
		flaw("check port %d is not between 1 and 65535", o.CheckPort)
	}
	if o.CheckInterval < time.Second || o.CheckInterval > time.Hour ||
		o.CheckInterval%time.Second != 0 {
		flaw("check interval %s is not between 1s and 1h in whole seconds", o.CheckInterval)
	}
	if o.Fall < 1 || o.Fall > 100 {
		flaw("fall %d is not between 1 and 100", o.Fall)
	}
	if o.Rise < 1 || o.Rise > 100 {
		flaw("rise %d is not between 1 and 100", o.Rise)
	}
	if o.Wait < 0 {
		flaw("wait %s is negative", o.Wait)
	}
	flaws = append(flaws, o.balancerFlaws()...)
	if len(flaws) > 0 {
		return fmt.Errorf("%w: %w", ErrInvalid, errs.Join(flaws...))
	}
	return nil
}

// canFloat tells whether an address can be one that moves between hosts.
func canFloat(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified() && !a.IsMulticast() &&
		!a.IsLoopback()
}

func (o Options) balancerFlaws() (flaws []error) {
	flaw := func(format string, args ...any) { flaws = append(flaws, fmt.Errorf(format, args...)) }
	if len(o.Balancers) < 2 {
		flaw("a virtual IP needs two balancers to move between, there is %d", len(o.Balancers))
	}
	priorities, addresses := map[int]string{}, map[netip.Addr]string{}
	for i, b := range o.Balancers {
		who := b.Name
		if who == "" {
			who = fmt.Sprintf("number %d", i+1)
		}
		if b.Priority < 1 || b.Priority > 254 {
			flaw("balancer %s: priority %d is not between 1 and 254", who, b.Priority)
		}
		if other, taken := priorities[b.Priority]; taken {
			flaw("balancers %s and %s have the same priority %d", other, who, b.Priority)
		}
		priorities[b.Priority] = who
		if b.Interface != "" && !interfaceSyntax.MatchString(b.Interface) {
			flaw("balancer %s: %q can't be the name of an interface", who, b.Interface)
		}
		a, err := netip.ParseAddr(b.Address)
		switch {
		case err != nil || a.Zone() != "" || a.IsUnspecified():
			flaw("balancer %s: address %q is no IP address of a host", who, b.Address)
			continue
		case a == o.Address || a == o.Former:
			flaw("the virtual IP %s is balancer %s's own address", a, who)
		case a.Is4() != o.Address.Is4() && o.Address.IsValid():
			flaw("balancer %s: address %s and the virtual IP %s are of different families", who, a,
				o.Address)
		}
		if other, taken := addresses[a]; taken {
			flaw("balancers %s and %s have the same address %s", other, who, a)
		}
		addresses[a] = who
	}
	return flaws
}
