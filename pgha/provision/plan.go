package provision

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/trail"
)

// ErrPlanStale means that the hosts or the specification have changed since the plan was made.
var ErrPlanStale = errs.New(errs.Refused, "the plan does not fit any more")

// Plan is what Apply would change.
type Plan struct {
	Cluster string    `json:"cluster"`
	Made    time.Time `json:"made"`
	// Changes are in the order of the phases, and within a phase in the order of the hosts.
	Changes []PlannedChange `json:"changes"`
	// LeftOut are hosts that stay as they are; see PlanOptions.Without.
	LeftOut []string `json:"left_out,omitempty"`
	// Consequences are what follows from the changes, in words.
	Consequences []errs.Next `json:"consequences,omitempty"`
	// Digest stands for the changes: equal digests mean equal plans.
	Digest string `json:"digest"`
}

// PlannedChange is one thing that Apply would do to a host.
type PlannedChange struct {
	Phase  string `json:"phase"`
	Host   string `json:"host"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Action string `json:"action"`
	// Diff is a unified diff of a text file; empty for other kinds and for files with secrets.
	Diff string `json:"diff,omitempty"`
	// Origin tells whether somebody changed it, who owns it and who wrote it last.
	Origin Origin `json:"origin,omitzero"`
}

// Empty tells that there is nothing to change.
func (p Plan) Empty() bool { return len(p.Changes) == 0 }

// PlanOptions say how Plan works. The zero value plans StandardPhases silently.
type PlanOptions struct {
	// Phases replace the standard ones.
	Phases []engine.Phase
	// Without is that of ApplyOptions, and refuses the same.
	Without []string
	// Observer receives progress and every planned change; nil is allowed.
	Observer event.Observer
}

// Make finds out what Apply would change, and changes nothing on the hosts. It runs the same code
// against connections that hold every change back, so it cannot differ from what Apply then does. A
// change that depends on an earlier one is shown as far as it can be known before that has been
// made. Hosts that the last Apply had and the specification lacks are shown as such, and all else
// as it is beside them.
func Make(ctx context.Context, c *site.Site, opts PlanOptions) (Plan, error) {
	c, err := without(ctx, c, opts.Without)
	if err != nil {
		return Plan{}, err
	}
	leftOut := c.LeftOut()
	former, c, leave, err := withFormer(ctx, c)
	if err != nil {
		return Plan{}, err
	}
	defer func() { _ = leave() }() // nothing was begun on them
	plan, was, err := Draw(ctx, c, opts)
	if err == nil {
		err = judgeOrdered(c, plan.Changes)
	}
	if err == nil {
		err = plan.leaving(former)
	}
	if err != nil {
		return plan, err
	}
	trace(ctx, c, plan.Changes, was)
	plan.Consequences = append(plan.Consequences, consequences(ctx, c, plan.Changes)...)
	if text := leftOutText(leftOut); !text.IsZero() {
		plan.LeftOut, plan.Consequences = site.HostNames(leftOut),
			append(plan.Consequences, text)
	}
	return plan, nil
}

// Draw finds the changes, and what was found where they would be made.
func Draw(ctx context.Context, c *site.Site,
	opts PlanOptions) (Plan, map[trail.RecordedChange]*remote.Was, error) {
	phases := opts.Phases
	if phases == nil {
		phases = sideBySide(StandardPhases())
	}
	was := map[trail.RecordedChange]*remote.Was{}
	plan := Plan{Cluster: c.Spec.Cluster, Made: time.Now().UTC().Truncate(time.Second),
		Changes: []PlannedChange{}}
	out := &event.Emitter{Log: c.Log}
	out.Observer = func(e event.Event) {
		if ch := e.Change; ch != nil {
			was[trail.RecordedChange{Host: ch.Host, Kind: ch.Kind, Name: ch.Name,
				Action: ch.Action}] = ch.Was
			plan.Changes = append(plan.Changes, PlannedChange{Phase: e.Phase, Host: ch.Host,
				Kind: ch.Kind,
				Name: ch.Name, Action: ch.Action, Diff: ch.Diff})
		}
		if opts.Observer != nil {
			opts.Observer(e)
		}
	}
	if err := engine.RunPhases(ctx, c, phases, out, true); err != nil {
		return plan, nil, err
	}
	sortChanges(c, plan.Changes, phases)
	var err error
	plan.Digest, err = digest(plan.Changes)
	return plan, was, err
}

// sideBySide lets phases wait for what preflight has found alone: where nothing is changed no phase
// needs what another one brings about.
func sideBySide(phases []engine.Phase) []engine.Phase {
	for i := range phases {
		if phases[i].Name != engine.PreflightName {
			phases[i].After = []string{engine.PreflightName}
		}
	}
	return phases
}

// sortChanges puts changes of phases and hosts that ran at the same time in the order of their
// lists. What one phase does to one host stays in its order.
func sortChanges(c *site.Site, changes []PlannedChange, phases []engine.Phase) {
	place := func(ch PlannedChange) (phase, host int) {
		return slices.IndexFunc(phases, func(p engine.Phase) bool { return p.Name == ch.Phase }),
			slices.IndexFunc(c.Spec.Hosts, func(h spec.Host) bool { return h.Name == ch.Host })
	}
	slices.SortStableFunc(changes, func(a, b PlannedChange) int {
		ap, ah := place(a)
		bp, bh := place(b)
		return cmp.Or(cmp.Compare(ap, bp), cmp.Compare(ah, bh))
	})
}

// bare returns the changes alone, without where they come from, and without what differs in each
// run until it is written: the text of certificates that a plan only thinks of, and the digest that
// has the authority's in it.
func bare(changes []PlannedChange) []PlannedChange {
	changes = slices.Clone(changes)
	for i := range changes {
		changes[i].Origin = Origin{}
		if strings.HasSuffix(changes[i].Name, ".crt") {
			changes[i].Diff = ""
		}
		changes[i].Diff = etcdDigest.ReplaceAllString(changes[i].Diff, "$1")
	}
	return changes
}

// etcdDigest is the line of etcd's environment with the digest of what it was started with.
var etcdDigest = regexp.MustCompile(`(?m)^([+ -]PGHA_CONFIGURATION=).*$`)

// digest is a checksum of what would be changed.
func digest(changes []PlannedChange) (string, error) {
	text, err := json.Marshal(bare(changes))
	if err != nil {
		return "", fmt.Errorf("sum up the plan: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// consequences says what the changes lead to besides themselves.
func consequences(ctx context.Context, c *site.Site, changes []PlannedChange) []errs.Next {
	var found []errs.Next
	hosts := map[string][]string{}
	var order, parameters []string
	for _, ch := range changes {
		if name, ok := strings.CutPrefix(ch.Name, configtree.ParameterPrefix); ok &&
			ch.Kind == "setting" {
			parameters = append(parameters, name)
		}
		if ch.Kind != "unit" || (ch.Action != "restarted" && ch.Action != "reloaded") {
			continue
		}
		what := ch.Name + " is " + ch.Action
		if len(hosts[what]) == 0 {
			order = append(order, what)
		}
		hosts[what] = append(hosts[what], ch.Host)
	}
	for _, what := range order {
		text := what + " on " + strings.Join(hosts[what], ", ")
		if len(hosts[what]) > 1 {
			text += ", one at a time where it matters"
		}
		found = append(found, errs.Text("%s", text))
	}
	found = append(found, addressMoves(changes)...)
	found = append(found, servedNoMore(changes)...)
	if len(parameters) == 0 {
		return found
	}
	restart, err := restartNeeded(ctx, c, parameters)
	switch {
	case err != nil:
		found = append(found,
			errs.Text("whether PostgreSQL must be restarted could not be found out: %v", err))
	case len(restart) > 0:
		found = append(found,
			errs.Text("every member then waits for a restart of PostgreSQL (%s), because of %s",
				errs.Verb("restart", "--pending"), strings.Join(restart, ", ")))
	}
	return found
}

// restartNeeded returns those of the settings that PostgreSQL only reads when it starts.
func restartNeeded(ctx context.Context, c *site.Site, parameters []string) ([]string, error) {
	var names []string
	err := c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx,
			"SELECT name FROM pg_settings WHERE context = 'postmaster' AND name = ANY($1) ORDER "+
				"BY name", parameters)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, err
}

// Save writes the plan to a file that only its owner can read: diffs describe the hosts.
func (p Plan) Save(file string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return remote.WithHint(fmt.Errorf("save the plan: %w", err),
			"a plan is not written over another file: choose another name, or remove that one")
	}
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	_, err = out.Write(append(text, '\n'))
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("save the plan: %w", err), os.Remove(file))
	}
	return nil
}

// LoadPlan reads a plan that Save has written, and refuses one that was changed since.
func LoadPlan(file string) (Plan, error) {
	in, err := os.Open(file)
	if err != nil {
		return Plan{}, fmt.Errorf("load the plan: %w", err)
	}
	defer in.Close()
	dec := json.NewDecoder(io.LimitReader(in, 64<<20))
	dec.DisallowUnknownFields()
	var p Plan
	if err := dec.Decode(&p); err != nil {
		return Plan{}, errs.WithNext(fmt.Errorf("load the plan from %s: %w", file, err),
			errs.Text("a plan is written by %s", errs.Verb("plan", "--save")))
	}
	if sum, err := digest(p.Changes); err != nil || sum != p.Digest {
		return Plan{}, errs.WithNext(fmt.Errorf("load the plan from %s: its changes do not fit "+
			"its digest", file),
			errs.Text("it was edited or cut: make a new one with %s", errs.Verb("plan", "--save")))
	}
	return p, nil
}

// rehearse makes a plan before anything is changed, and refuses to go on where hosts are left out
// that it needs, or where the hosts are no longer as they were when p, if there is one, was made.
func rehearse(ctx context.Context, c *site.Site, p *Plan, phases []engine.Phase) error {
	if p != nil && p.Cluster != c.Spec.Cluster {
		return fmt.Errorf("%w: it is of cluster %s, not of %s", ErrPlanStale, p.Cluster,
			c.Spec.Cluster)
	}
	now, _, err := Draw(ctx, c, PlanOptions{Phases: phases})
	if err == nil {
		err = judgeOrdered(c, now.Changes)
	}
	if err != nil || p == nil || now.Digest == p.Digest {
		return err
	}
	return errs.WithNext(fmt.Errorf("%w: %s", ErrPlanStale, differences(p.Changes, now.Changes)),
		errs.Text("look at a new plan: %s", errs.Verb("plan")))
}

// differences says which changes are in one plan and not in the other, the first few of them.
func differences(old, now []PlannedChange) string {
	const most = 5
	old, now = bare(old), bare(now)
	var words []string
	missing := func(from, in []PlannedChange, what string) {
		for _, ch := range from {
			if !slices.Contains(in, ch) {
				words = append(words, fmt.Sprintf("%s: %s %s %s %s", ch.Host, ch.Kind, ch.Name,
					ch.Action, what))
			}
		}
	}
	missing(old, now, "is not needed any more, or differs")
	missing(now, old, "is new, or differs")
	if len(words) > most {
		words = append(words[:most], fmt.Sprintf("and %d more", len(words)-most))
	}
	if len(words) == 0 {
		return "the changes are the same in another order"
	}
	return strings.Join(words, "; ")
}
