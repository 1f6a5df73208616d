package accept

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// AcceptOptions say what Accept takes into the specification.
type AcceptOptions struct {
	// File is the specification that the cluster was connected with.
	File string
	// Only, when not empty, are the names of what is taken, as patterns of path.Match: "ttl",
	// "work_mem", "patroni.*".
	Only []string
	// Observer receives warnings; nil is allowed.
	Observer event.Observer
}

// Acceptance is what Accept would write, and what it would not.
type Acceptance struct {
	File string `json:"file"`
	// Accepted are the fields that get the cluster's values, in the order of their names.
	Accepted []AcceptedField `json:"accepted"`
	// Left is what the hosts have and the specification does not say: Apply would put it right.
	Left []LeftChange `json:"not_accepted"`
	// Diff is a unified diff of the file, empty when nothing is accepted.
	Diff string `json:"diff,omitempty"`
	// Rest are the changes that Apply still makes once the file is saved: those of Left, and files
	// that repeat what was accepted.
	Rest []provision.PlannedChange `json:"rest"`

	before, after []byte
}

// AcceptedField is one field of the specification that takes over what the cluster has.
type AcceptedField struct {
	// Field is its path: "postgresql.parameters.work_mem".
	Field string `json:"field"`
	// Value is the new one; nil is null.
	Value any `json:"value"`
	// Origin reports what is accepted. It has no cause for what Apply would have left alone: a
	// setting that only the DCS has.
	Origin provision.Origin `json:"origin,omitzero"`
}

// LeftChange is a difference that is not accepted.
type LeftChange struct {
	Host   string `json:"host"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// offer is a field that could take over what the cluster has.
type offer struct {
	spec.Change
	origin provision.Origin
	// covers are the planned changes that it makes unnecessary; none for what Apply leaves alone.
	covers []provision.PlannedChange
}

// Accept finds out what of the drift the specification can say, and how its file would look then:
// settings of Patroni and PostgreSQL that were changed in the DCS, those that only the DCS has, and
// single values of HAProxy's and keepalived's files. Changes nothing; Save of the result writes the
// file.
//
// Only drift is accepted: where the specification itself has changed since the last Apply, it wins.
// A value is written even where it equals the default, because a default may change. Secrets are
// never accepted. The result is planned again before it is returned: what Apply would still change
// is in Rest. The error matches ErrRefused where the file is not the specification that the cluster
// was connected with.
func Accept(ctx context.Context, c *site.Site, opts AcceptOptions) (Acceptance, error) {
	a := Acceptance{File: opts.File, Accepted: []AcceptedField{}, Left: []LeftChange{},
		Rest: []provision.PlannedChange{}}
	var err error
	if a.before, err = os.ReadFile(opts.File); err != nil {
		return a, fmt.Errorf("read spec: %w", err)
	}
	sp, err := spec.Parse(opts.File, a.before)
	if err != nil {
		return a, err
	}
	if sp, err = sp.Resolve(ctx, c.Lookup); err != nil {
		return a, err
	}
	if !sp.Equal(c.Spec) {
		return a, remote.WithHint(fmt.Errorf("%w: %s is not the specification that is worked with",
			errs.ErrRefused, opts.File), "it was changed meanwhile: run it again")
	}
	plan, err := provision.Make(ctx, c, provision.PlanOptions{Observer: opts.Observer})
	if err != nil {
		return a, err
	}
	offers, left, err := offers(ctx, c, plan.Changes)
	if err != nil {
		return a, err
	}
	a.Left = left
	chosen, unknown := choose(offers, opts.Only)
	if len(unknown) > 0 {
		return a, errs.WithNext(fmt.Errorf("%w: there is no drift named %s to accept",
			errs.ErrRefused,
			strings.Join(unknown, ", ")),
			errs.Text("%s lists what can be accepted", errs.Verb("plan", "--accept", "--dry-run")))
	}
	for _, o := range offers {
		if len(o.covers) > 0 && !slices.ContainsFunc(chosen,
			func(taken offer) bool { return taken.Field() == o.Field() }) {
			a.decline(o, "it could be, and was not asked for")
		}
	}
	return a, settle(ctx, c, &a, plan.Changes, chosen)
}

// choose takes the offers that match a pattern, and returns the patterns that match none. Without
// patterns it takes all.
func choose(offers []offer, only []string) (chosen []offer, unknown []string) {
	if len(only) == 0 {
		return offers, nil
	}
	used := map[string]bool{}
	for _, o := range offers {
		field, take := o.Field(), false
		for _, pattern := range only {
			for _, name := range []string{field, strings.TrimPrefix(field, configtree.Parameters),
				strings.TrimPrefix(field, "patroni.")} {
				if ok, err := path.Match(pattern, name); err == nil && ok {
					take, used[pattern] = true, true
				}
			}
		}
		if take {
			chosen = append(chosen, o)
		}
	}
	return chosen, slices.DeleteFunc(slices.Clone(only), func(p string) bool { return used[p] })
}

// settle edits the text, and gives up offers until what is left is a specification by which the
// accepted things stay as they are.
func settle(ctx context.Context, c *site.Site, a *Acceptance, planned []provision.PlannedChange,
	offers []offer) error {
	for {
		kept, after, sp, err := a.edit(offers)
		if err == nil {
			sp, err = sp.Resolve(ctx, c.Lookup)
		}
		if err != nil {
			return err
		}
		changed, err := with(c, sp)
		if err != nil {
			return err
		}
		rest := planned
		if len(kept) > 0 {
			if rest, err = remaining(ctx, changed); err != nil {
				return err
			}
		}
		if offers = a.effective(kept, planned, rest); len(offers) < len(kept) {
			continue
		}
		for _, o := range kept {
			a.Accepted = append(a.Accepted, AcceptedField{Field: o.Field(), Value: o.Value,
				Origin: o.origin})
		}
		if len(kept) > 0 {
			a.after, a.Diff = after, udiff.Unified(a.File, a.File, string(a.before), string(after))
		}
		a.Rest = rest
		a.leave(planned, rest)
		return nil
	}
}

// edit writes the offers into the text, without those that cannot be written or that make no valid
// specification.
func (a *Acceptance) edit(offers []offer) (kept []offer, after []byte, sp *spec.Spec, err error) {
	after = a.before
	for _, o := range offers {
		edited, err := spec.Edit(after, []spec.Change{o.Change})
		if err != nil {
			a.decline(o, err.Error()+": change it by hand")
			continue
		}
		after, kept = edited, append(kept, o)
	}
	sp, err = spec.Parse(a.File, after)
	var wrong *spec.Errors
	if !errors.As(err, &wrong) {
		return kept, after, sp, err
	}
	fine := slices.DeleteFunc(slices.Clone(kept), func(o offer) bool {
		i := slices.IndexFunc(wrong.List, func(e spec.Error) bool { return e.Field == o.Field() })
		if i >= 0 {
			a.decline(o, "the specification refuses it: "+wrong.List[i].Problem)
		}
		return i >= 0
	})
	if len(fine) == len(kept) {
		return nil, nil, nil, fmt.Errorf("accept what was changed: %w", err)
	}
	return a.edit(fine)
}

// effective drops the offers whose changes would still be made, and those that would change the
// same file of other hosts.
func (a *Acceptance) effective(offers []offer, planned, rest []provision.PlannedChange) []offer {
	return slices.DeleteFunc(slices.Clone(offers), func(o offer) bool {
		for _, ch := range o.covers {
			if has(rest, ch) {
				a.decline(o, "the specification would not make it so: it differs in more than "+
					o.Field())
				return true
			}
			if slices.ContainsFunc(rest, func(r provision.PlannedChange) bool {
				return r.Kind == ch.Kind && r.Name == ch.Name && !has(planned, r)
			}) {
				a.decline(o, o.Field()+" is one for all hosts, and the others have another value")
				return true
			}
		}
		return false
	})
}

// has finds the change of the same thing.
func has(changes []provision.PlannedChange, ch provision.PlannedChange) bool {
	return slices.ContainsFunc(changes, func(r provision.PlannedChange) bool {
		return r.Host == ch.Host && r.Kind == ch.Kind && r.Name == ch.Name
	})
}

func (a *Acceptance) decline(o offer, reason string) {
	if len(o.covers) == 0 {
		a.Left = append(a.Left, LeftChange{Kind: "setting", Name: o.Field(), Reason: reason})
	}
	for _, ch := range o.covers {
		a.Left = append(a.Left, LeftChange{Host: ch.Host, Kind: ch.Kind, Name: ch.Name,
			Reason: reason})
	}
}

// leave lists what drifted and is not accepted, each thing once.
func (a *Acceptance) leave(planned, rest []provision.PlannedChange) {
	for _, ch := range planned {
		told := func(l LeftChange) bool {
			return l.Host == ch.Host && l.Kind == ch.Kind && l.Name == ch.Name
		}
		drift := ch.Origin.Cause == provision.CauseDrift ||
			ch.Origin.Cause == provision.CauseUnknown
		if has(rest, ch) && drift && !slices.ContainsFunc(a.Left, told) {
			a.Left = append(a.Left, LeftChange{ch.Host, ch.Kind, ch.Name, leftReason(ch)})
		}
	}
}

func leftReason(ch provision.PlannedChange) string {
	switch {
	case ch.Origin.From == "" || ch.Origin.From == layout.FromTemplates ||
		ch.Origin.From == layout.FromVault:
		return "the specification does not describe it"
	case ch.Kind == "file":
		return "it is made from " + ch.Origin.From + ": nothing there says what was changed"
	}
	return "it follows from " + ch.Origin.From + ": change that to keep it"
}

// with is the same cluster by another specification.
func with(c *site.Site, sp *spec.Spec) (*site.Site, error) {
	if len(sp.Hosts) != len(c.Spec.Hosts) {
		return nil, fmt.Errorf("%w: the hosts are not the same", errs.ErrRefused)
	}
	return c.Apart(sp, c.Credentials()), nil
}

// remaining are the changes that Apply would make.
func remaining(ctx context.Context, c *site.Site) ([]provision.PlannedChange, error) {
	plan, err := provision.Make(ctx, c, provision.PlanOptions{})
	return plan.Changes, err
}

// Empty tells that nothing is accepted.
func (a Acceptance) Empty() bool { return bytes.Equal(a.before, a.after) || a.after == nil }
