package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// without returns the site with the named hosts left out, and refuses what must not be done without
// them. A host that has no connection, and is not among them, is an error that says since when and
// how to go on. Errors of names and of what is unsafe match ErrRefused.
func without(ctx context.Context, c *site.Site, names []string) (*site.Site, error) {
	if half := rotating(c); len(names) > 0 && len(half) > 0 {
		return nil, errs.WithNext(fmt.Errorf("%w: the replacement of the authorities of %s is not "+
			"finished, and each of its steps has to be on every host before the next",
			errs.ErrRefused, strings.Join(half, ", ")),
			errs.Text("bring %s back, then %s", strings.Join(names, ", "), rotateCA(half)))
	}
	return LeavingOut(ctx, c, names)
}

// LeavingOut returns the site with the named hosts left out, and refuses (ErrRefused) what must not
// be done without them. A host that has no connection, and is not among them, is an error.
func LeavingOut(ctx context.Context, c *site.Site, names []string) (*site.Site, error) {
	var hosts []spec.Host
	if len(names) > 0 {
		var err error
		if hosts, err = c.Chosen(names); err != nil {
			return nil, fmt.Errorf("%w: %w", errs.ErrRefused, err)
		}
		if err := JudgeWithout(c.Spec, hosts); err != nil {
			return nil, err
		}
		for _, h := range hosts {
			if _, err := netip.ParseAddr(h.Address); err != nil {
				return nil,
					errs.WithNext(fmt.Errorf("%w: the others have to know the address of %s, "+
						"and it cannot be found out", errs.ErrRefused, h.Name),
						errs.Text("write the address of %s in place of its name", h.Name))
			}
		}
	}
	if err := silent(ctx, c, hosts); err != nil {
		return nil, err
	}
	return c.LeavingOut(hosts), nil
}

// JudgeWithout refuses (ErrRefused) to leave out so many hosts that the others are no cluster. It
// asks nobody.
func JudgeWithout(sp *spec.Spec, hosts []spec.Host) error {
	databases, balancers := sp.Databases(), sp.Balancers()
	voters := sp.EtcdHosts()
	left := len(site.Without(voters, hosts))
	refuse := func(format string, args ...any) error {
		what := fmt.Sprintf(format, args...)
		return errs.WithNext(fmt.Errorf("%w: without %s %s", errs.ErrRefused,
			nameList(hosts), what),
			errs.Text("leave fewer hosts out; what is lost for good is replaced by empty hosts, "+
				"or see %s",
				errs.Verb("recover", "--from", "MEMBER")))
	}
	switch {
	case left < len(voters)/2+1:
		return refuse("%d of %d %s are left, no majority of etcd: nobody could lead",
			left, len(voters), votersAre(sp))
	case len(site.Without(databases, hosts)) == 0:
		return refuse("no database host is left")
	case len(balancers) > 0 && len(site.Without(balancers, hosts)) == 0:
		return refuse("no balancer is left: no application could connect")
	}
	return nil
}

// votersAre names the hosts that run etcd.
func votersAre(sp *spec.Spec) string {
	if slices.ContainsFunc(sp.Hosts, func(h spec.Host) bool { return h.Has(spec.RoleEtcd) }) {
		return "hosts of etcd"
	}
	return "database hosts"
}

// silent is an error where hosts that are not left out have no connection. It says how to work on
// the others, where that is safe.
func silent(ctx context.Context, c *site.Site, leftOut []spec.Host) error {
	var failed []error
	all := slices.Clone(leftOut)
	since := downSince(ctx, c, leftOut)
	for _, h := range site.Without(c.Spec.Hosts, leftOut) {
		err := c.Unreachable[h.Name]
		if why := c.Remembered[h.Name]; err == nil && why != nil {
			err = fmt.Errorf("%s: %w: its name cannot be looked up: %w", h.Name,
				remote.ErrUnreachable, why)
		}
		if err == nil {
			continue
		}
		all = append(all, h)
		if at, known := since[h.Member]; known {
			err = fmt.Errorf("%w; the balancers have had no answer of %s since %s, or longer", err,
				h.Member,
				at.Format(time.RFC3339))
		}
		failed = append(failed, remote.OnHost(h.Name, err))
	}
	err := errs.Join(failed...)
	away := errors.Is(err, remote.ErrUnreachable) || errors.Is(err, remote.ErrLeftOut)
	if !away || JudgeWithout(c.Spec, all) != nil || !hasCluster(ctx, c) {
		return err
	}
	var args []string
	for _, h := range all {
		args = append(args, "--without", h.Name)
	}
	return errs.WithNext(err, errs.Text("%s works on the others; the next one that leaves out "+
		"nothing brings %s in",
		errs.Verb("apply", args...), them(all)))
}

// downSince asks the balancers since when each member does not answer them; nothing is asked while
// every host that is not left out has a connection. A balancer counts from its last reload on.
func downSince(ctx context.Context, c *site.Site, leftOut []spec.Host) map[string]time.Time {
	silent := slices.DeleteFunc(slices.Collect(maps.Keys(c.Unreachable)),
		func(name string) bool { return site.Among(leftOut, name) })
	if len(silent) == 0 {
		return nil
	}
	bo, err := c.BalancerOptions()
	if err != nil {
		return nil
	}
	states, _ := lb.State(ctx, bo) // without balancers nothing is known
	return silentSince(states, time.Now())
}

// silentSince reads it from what the balancers say. A member that answers with a refusal, as a
// replica does on the write port, lives; of one that does not, the proxy where it was up last knows
// since when.
func silentSince(states []lb.BalancerState, now time.Time) map[string]time.Time {
	since := map[string]time.Time{}
	for _, state := range states {
		shortest := map[string]time.Duration{}
		for _, s := range state.Servers {
			name, _, _ := strings.Cut(s.Name, ":")
			if before, there := shortest[name]; there && before <= s.Since {
				continue
			}
			if shortest[name] = s.Since; s.Up() || strings.HasPrefix(s.Check, "L7STS") ||
				s.Check == "" {
				shortest[name] = -1 // it answers
			}
		}
		for name, d := range shortest {
			at, before := now.Add(-d).UTC().Truncate(time.Second), since[name]
			if d >= 0 && (before.IsZero() || at.Before(before)) {
				since[name] = at
			}
		}
	}
	return since
}

// judgeOrdered refuses changes that all balancers have to make one after the other, while one of
// them is left out: it would come back with what it has now, beside the others.
func judgeOrdered(c *site.Site, changes []PlannedChange) error {
	away := site.Only(c.Spec, spec.RoleBalancer, c.LeftOut())
	if len(away) == 0 {
		return nil
	}
	for _, ch := range changes {
		for _, o := range orderedLines() {
			if ch.Name == o.file && o.changed(ch.Diff) {
				return errs.WithNext(fmt.Errorf("%w: %s changes on all balancers, one after the "+
					"other, and %s would come back with the old value beside the others",
					errs.ErrRefused, o.fields, nameList(away)),
					errs.Text("leave %s as it was until %s is back, or replace that host by an "+
						"empty one",
						o.fields, nameList(away)))
			}
		}
	}
	return nil
}

// orderedLine is a line of a file whose value must be the same on all balancers.
type orderedLine struct {
	file   string
	value  *regexp.Regexp // in a line of a diff
	fields string
}

func orderedLines() []orderedLine {
	return []orderedLine{
		{vip.ConfigPath, regexp.MustCompile(`(?m)^([-+]) +(virtual_router_id \d+)$`),
			"vip.router_id"},
		{vip.ConfigPath, regexp.MustCompile(`(?m)^([-+]) +(\S+/\d+) dev `),
			"vip.address, former_address or prefix_length"},
		{lb.ConfigPath, regexp.MustCompile(`(?m)^([-+]) +(bind \S+)`),
			"balancer.write_port, read_port, stats_port or a port of before"},
	}
}

// changed tells whether a value is removed that is not written again in another line.
func (o orderedLine) changed(diff string) bool {
	signs := map[string]string{} // by value
	for _, m := range o.value.FindAllStringSubmatch(diff, -1) {
		signs[m[2]] += m[1]
	}
	return slices.Contains(slices.Collect(maps.Values(signs)), "-")
}

// leftOutText says what an apply or a plan leaves out; it says nothing where that is nothing.
func leftOutText(hosts []spec.Host) errs.Next {
	if len(hosts) == 0 {
		return errs.Next{}
	}
	return errs.Text(
		"left out, and as before: %s; the next %s that leaves out nothing brings %s in",
		nameList(hosts), errs.Verb("apply"), them(hosts))
}

// warnLeftOut tells the observer.
func warnLeftOut(c *site.Site, out *event.Emitter) {
	if text := leftOutText(c.LeftOut()); !text.IsZero() {
		out.Emit(event.Event{Kind: event.Warning, Message: text.String(), Next: text})
	}
}

func nameList(hosts []spec.Host) string { return strings.Join(site.HostNames(hosts), ", ") }

func them(hosts []spec.Host) string {
	if len(hosts) == 1 {
		return "it"
	}
	return "them"
}
