package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/status"
)

// moment is the cluster's status, looked at once for all checks that judge by it.
type moment func() (status.Status, error)

// is returns the look of a check that fails with the problems of some parts, as status tells them;
// saw says what was seen. What hosts say of themselves needs PartHosts, too: of one that cannot be
// asked nothing is known to be right.
func (m moment) is(saw func(status.Status) string, parts ...status.Part) func(context.Context,
	*site.Site) (string, error) {
	return func(context.Context, *site.Site) (string, error) {
		s, err := m()
		if err != nil {
			return "", err
		}
		var problems []error
		for _, text := range s.ProblemsOf(parts...) {
			problems = append(problems, errors.New(text))
		}
		return saw(s), errs.Join(problems...)
	}
}

func sawHosts(s status.Status) string {
	return fmt.Sprintf("%d services and %d disks", len(s.Services), len(s.Disks))
}

func sawEtcd(s status.Status) string {
	for _, e := range s.Etcd {
		if e.Leader {
			return fmt.Sprintf("%d members, leader %s", len(s.Etcd), e.Name)
		}
	}
	return ""
}

func sawMembers(s status.Status) string {
	for _, m := range s.Members {
		if m.Name == s.Leader() {
			return fmt.Sprintf("leader %s, %d replicas as their tags say, timeline %d", m.Name,
				len(s.Members)-1,
				m.Timeline)
		}
	}
	return ""
}

func sawBalancers(s status.Status) string {
	if len(s.Balancers) == 0 {
		return "the spec has no balancer"
	}
	return fmt.Sprintf("%d balancers", len(s.Balancers))
}

func sawAddress(s status.Status) string {
	switch {
	case s.VIP == nil:
		return "the spec has no virtual IP"
	case len(s.VIP.Holders) == 1:
		return s.VIP.Address + " on " + s.VIP.Holders[0]
	}
	return s.VIP.Address
}

func sawCertificates(s status.Status) string {
	return fmt.Sprintf("%d certificates", len(s.Certificates))
}
