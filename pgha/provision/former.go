package provision

import (
	"context"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// withFormer returns the site with the hosts that the specification lacks. Those of them that
// cannot be reached are left out. leave ends the connections to them.
func withFormer(ctx context.Context, c *site.Site) (former []spec.Host, all *site.Site,
	leave func() error, err error) {
	leave = func() error { return nil }
	// An etcd that does not answer, as before there is one, has no hosts.
	if former, err = status.Former(ctx, c); err != nil || len(former) == 0 {
		return nil, c, leave, ctx.Err()
	}
	sp := *c.Spec
	sp.Hosts = slices.Concat(c.Spec.Hosts, former)
	if all, leave, err = c.Join(ctx, &sp); err != nil {
		return nil, nil, leave, err
	}
	out := slices.Clone(c.LeftOut())
	for _, h := range former {
		if _, err := all.Target(h.Name); err != nil {
			out = append(out, h)
		}
	}
	return former, all.LeavingOut(out), leave, nil
}

// leaving puts the hosts that the specification lacks in front of what a plan shows.
func (p *Plan) leaving(former []spec.Host) error {
	if len(former) == 0 {
		return nil
	}
	var args []string
	changes := make([]PlannedChange, 0, len(former)+len(p.Changes))
	for _, h := range former {
		args = append(args, "--remove", h.Name)
		changes = append(changes, PlannedChange{Phase: "hosts", Host: h.Name, Kind: "host",
			Name: h.Name, Action: "not in the specification any more"})
	}
	p.Changes = append(changes, p.Changes...)
	p.Consequences = append(p.Consequences, errs.Text("%s takes %s out of the cluster, and shows "+
		"the steps with --dry-run; without that an apply is refused", errs.Verb("apply", args...),
		strings.Join(site.HostNames(former), ", ")))
	var err error
	p.Digest, err = digest(p.Changes)
	return err
}
