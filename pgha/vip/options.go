package vip

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// Balancer is one host that may hold the address.
type Balancer struct {
	// Target is the host. Config does without it, but then needs Name, Address and Interface.
	Target *remote.Target
	// Name is the host's name in comments and errors. "" means the target's name.
	Name string
	// Address is the IP address by which the other balancers reach this one. "" means the target's
	// address.
	Address string
	// Priority from 1 to 254: the highest of the living balancers gets the address. 0 means 100 for
	// the first balancer and 10 less for each one after it.
	Priority int
	// Interface is the network interface that gets the address. "" means the one that has the
	// balancer's own Address, which Configure and Holder look up; Config can't.
	Interface string
}

// Options describe the virtual IP. Balancers and Address have no default; every other zero value is
// a good one.
type Options struct {
	// Balancers in order of preference, at least two.
	Balancers []Balancer
	// Address is the virtual IP: free, of the same family as the balancers' addresses and in their
	// subnet.
	Address netip.Addr
	// Former is the virtual IP of before, which whoever holds Address holds as well, so that
	// clients have time to learn of Address; it has to be what Address has to be. The zero value is
	// none.
	Former netip.Addr
	// PrefixLen is the address's prefix length on the interface. 0 means a host address (32, or 128
	// for IPv6), which leaves the routes and the source addresses of outgoing connections alone; an
	// IPv6 address never becomes a source.
	PrefixLen int
	// RouterID from 1 to 255 tells this group of balancers from others in the same subnet. 0 means
	// 51.
	RouterID int
	// AdvertInterval is how often the holder tells that it lives, from 10 ms to 40.95 s in steps of
	// 10 ms. When it falls silent the next balancer takes over after three intervals and at most
	// one more (RFC 5798). 0 means 200 ms; where hosts or switches may stall for half a second, 1 s
	// is safer.
	AdvertInterval time.Duration
	// Preempt gives the address back to a balancer with a higher priority when that comes back,
	// which cuts the sessions through it once more. By default it stays where it is; see Move.
	Preempt bool

	// CheckPort is a port on 127.0.0.1 where HAProxy answers GET /health with 200. 0 means 7000.
	CheckPort int
	// PoolerPorts are ports on 127.0.0.1 where a pooler answers what PostgreSQL's clients begin
	// with, the question for GSSAPI. A balancer where one of them does not gives the address up.
	// Empty means that there is none.
	PoolerPorts []int
	// CheckInterval is how often the check script is started, in whole seconds. It asks HAProxy
	// every 200 ms for the first 600 ms and fails when three answers in a row are missing, so with
	// 0, which means 1 s, a dead HAProxy is found within 0.8 s, and one that is restarted sooner
	// keeps the address.
	CheckInterval time.Duration
	// Fall is how many runs of the script in a row must fail until the balancer gives the address
	// up. 0 means 1.
	Fall int
	// Rise is how many must succeed until it may have the address again. 0 means 2.
	Rise int

	// Wait bounds the wait until exactly one balancer holds the address. 0 means 20 s.
	Wait time.Duration
	// Progress, when set, receives one line about what is being waited for. It must be safe for
	// concurrent use.
	Progress func(string)
}

// Holding says whether one balancer holds the address.
type Holding struct {
	Host  string
	Holds bool
	// Former tells the same of Options.Former; false where there is none.
	Former bool
	// Interface is where it holds the address, or where it would.
	Interface string
	// Err says why it isn't known.
	Err error
}

// advertised is the address that the adverts have, by which all balancers must mean the same:
// keepalived to 2.2 does not hear adverts of another one.
func (o Options) advertised() netip.Addr {
	if o.Former.IsValid() {
		return o.Former
	}
	return o.Address
}

func (o Options) withDefaults() Options {
	balancers := make([]Balancer, len(o.Balancers))
	for i, b := range o.Balancers {
		if b.Target != nil {
			b.Name = cmp.Or(b.Name, b.Target.Name)
			b.Address = cmp.Or(b.Address, b.Target.Address)
		}
		b.Priority = cmp.Or(b.Priority, 100-10*i)
		balancers[i] = b
	}
	o.Balancers = balancers
	o.PrefixLen = cmp.Or(o.PrefixLen, o.Address.BitLen())
	o.RouterID = cmp.Or(o.RouterID, 51)
	o.AdvertInterval = cmp.Or(o.AdvertInterval, 200*time.Millisecond)
	o.CheckPort = cmp.Or(o.CheckPort, 7000)
	o.CheckInterval = cmp.Or(o.CheckInterval, time.Second)
	o.Fall = cmp.Or(o.Fall, 1)
	o.Rise = cmp.Or(o.Rise, 2)
	o.Wait = cmp.Or(o.Wait, 20*time.Second)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}
