package status

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/vip"
)

// BalancerStatus is one HAProxy.
type BalancerStatus struct {
	Host    string `json:"host"`
	Version string `json:"version"`
	// Primary and Replicas are the members to which it sends writes and reads now.
	Primary  []string `json:"primary"`
	Replicas []string `json:"replicas"`
	// Missing are members that should take reads and get none from it.
	Missing []string `json:"missing,omitempty"`
	// HoldsVIP: this balancer answers for the virtual IP.
	HoldsVIP bool `json:"holds_vip"`
	// Former is why HAProxy still serves a former configuration, with which it cannot start again.
	Former string `json:"former,omitempty"`
	Error  string `json:"error,omitempty"`
}

// VIPStatus says who holds the virtual IP; healthy clusters have exactly one holder.
type VIPStatus struct {
	Address string   `json:"address"`
	Holders []string `json:"holders"`
	// Former is the address of before, which is served, too, and FormerHolders are who has it; both
	// are empty where there is none.
	Former        string   `json:"former,omitempty"`
	FormerHolders []string `json:"former_holders,omitempty"`
}

// balancerStatus asks each HAProxy.
func balancerStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.BalancerOptions()
	if err != nil || len(opts.Balancers) == 0 {
		return err
	}
	states, err := lb.State(ctx, opts)
	for _, b := range states {
		bs := BalancerStatus{Host: b.Host, Version: b.Version}
		if b.Err != nil {
			bs.Error = b.Err.Error()
		}
		if b.Reload.Failed {
			bs.Former = b.Reload.Reason
		}
		bs.Primary, bs.Replicas = Serving(b)
		if len(bs.Primary) == 1 {
			bs.Missing = site.Missing(c.Readers(bs.Primary[0]), bs.Replicas)
		}
		s.Balancers = append(s.Balancers, bs)
	}
	return err
}

// Serving lists the members to which HAProxy sends writes, and reads. The primary stands in for
// missing replicas only as a backup and is no replica.
func Serving(b lb.BalancerState) (primary, replicas []string) {
	primary, replicas = []string{}, []string{}
	for _, s := range b.Servers {
		switch {
		case !s.Up() || s.Backup:
		case s.Proxy == lb.WriteProxy:
			primary = append(primary, s.Name)
		default:
			replicas = append(replicas, s.Name)
		}
	}
	return primary, replicas
}

// holders takes over who has the address.
func (s *Status) holders(c *site.Site, holdings []vip.Holding) {
	if c.Spec.VIP != nil {
		s.VIP = &VIPStatus{Address: c.Spec.VIP.Address, Holders: []string{},
			Former: c.Spec.VIP.FormerAddress}
	}
	for _, h := range holdings {
		if h.Former && s.VIP != nil {
			s.VIP.FormerHolders = append(s.VIP.FormerHolders, h.Host)
		}
		if h.Holds && s.VIP != nil {
			s.VIP.Holders = append(s.VIP.Holders, h.Host)
		}
		for i := range s.Balancers {
			if s.Balancers[i].Host == h.Host {
				s.Balancers[i].HoldsVIP = h.Holds
			}
		}
	}
}

// Balances tells whether a host's HAProxy answers.
func (s Status) Balances(host string) bool {
	return slices.ContainsFunc(s.Balancers, func(b BalancerStatus) bool {
		return b.Host == host &&
			b.Error == ""
	})
}

func balancerProblems(s Status) []string {
	var found []string
	for _, b := range s.Balancers {
		switch {
		case b.Error != "":
			found = append(found, fmt.Sprintf("balancer %s: %s", b.Host, b.Error))
			continue
		case len(b.Primary) != 1:
			found = append(found, fmt.Sprintf("balancer %s sends writes to %d members", b.Host,
				len(b.Primary)))
		case len(b.Missing) > 0:
			found = append(found, fmt.Sprintf("balancer %s sends no reads to %s", b.Host,
				strings.Join(b.Missing, ", ")))
		}
		if b.Former != "" {
			found = append(found, fmt.Sprintf(
				"balancer %s serves a former configuration and cannot start again: %s", b.Host,
				b.Former))
		}
	}
	return found
}

func addressProblems(s Status) []string {
	if s.VIP == nil {
		return nil
	}
	var found []string
	for _, a := range []struct {
		address string
		holders []string
	}{{s.VIP.Address, s.VIP.Holders}, {s.VIP.Former, s.VIP.FormerHolders}} {
		if a.address == "" || len(a.holders) == 1 {
			continue
		}
		text := fmt.Sprintf("%s is held by %d balancers", a.address, len(a.holders))
		if len(a.holders) > 1 {
			text += ": " + strings.Join(a.holders, ", ")
		}
		found = append(found, text)
	}
	return found
}
