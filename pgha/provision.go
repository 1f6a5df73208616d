package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/accept"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/restore"
)

const (
	// CauseNew: it is not on the host, and no operation has put it there.
	CauseNew = provision.CauseNew
	// CauseDrift: an operation had made it so, and the host was changed since.
	CauseDrift = provision.CauseDrift
	// CauseSpec: it is as the last operation left it, and the specification, a secret or this
	// program says otherwise now.
	CauseSpec = provision.CauseSpec
	// CauseUnfinished: an apply was begun and did not finish, and since then it may have been that
	// one's work.
	CauseUnfinished = provision.CauseUnfinished
	// CauseFollows: a restart or reload that other changes need, or a copy of what they replace.
	CauseFollows = provision.CauseFollows
	// CauseUnknown: it is on the host and differs, and no operation that the hosts remember has
	// written it.
	CauseUnknown = provision.CauseUnknown
)

// AcceptOptions say what Accept takes into the specification.
type AcceptOptions = accept.AcceptOptions

// Acceptance is what Accept would write, and what it would not.
type Acceptance = accept.Acceptance

// AcceptedField is one field of the specification that takes over what the cluster has.
type AcceptedField = accept.AcceptedField

// LeftChange is a difference that is not accepted.
type LeftChange = accept.LeftChange

// Accept finds out what of the drift the specification can say, and how its file would look then:
// settings of Patroni and PostgreSQL that were changed in the DCS, those that only the DCS has, and
// single values of HAProxy's and keepalived's files. Changes nothing; Save of the result writes the
// file.
func (c *Cluster) Accept(ctx context.Context, opts AcceptOptions) (Acceptance, error) {
	return accept.Accept(ctx, c.site, opts)
}

// ApplyOptions say how Apply works. The zero value runs StandardPhases silently.
type ApplyOptions = provision.ApplyOptions

// Report is what an Apply did.
type Report = provision.Report

// Apply makes the hosts the cluster that the spec describes, and returns once it takes writes
// through the virtual IP.
func (c *Cluster) Apply(ctx context.Context, opts ApplyOptions) (Report, error) {
	if opts.Phases == nil {
		opts.Phases = restore.PhasesOf(c.site.Spec)
	}
	return provision.Apply(ctx, c.site, opts)
}

// Cause says why a change is planned.
type Cause = provision.Cause

// Origin tells where the thing that a change is about comes from. It is taken from the look at the
// host and from the trail of operations that the hosts keep. The digest of a plan does not cover
// it.
type Origin = provision.Origin

// StandardPhases returns the phases of Apply. The slice is the caller's own: append to it, insert,
// or replace.
func StandardPhases() []Phase { return provision.StandardPhases() }

// Plan is what Apply would change.
type Plan = provision.Plan

// PlannedChange is one thing that Apply would do to a host.
type PlannedChange = provision.PlannedChange

// PlanOptions say how Plan works. The zero value plans StandardPhases silently.
type PlanOptions = provision.PlanOptions

// Plan finds out what Apply would change, and changes nothing on the hosts. It runs the same code
// against connections that hold every change back, so it cannot differ from what Apply then does. A
// change that depends on an earlier one is shown as far as it can be known before that has been
// made.
func (c *Cluster) Plan(ctx context.Context, opts PlanOptions) (Plan, error) {
	if opts.Phases == nil {
		opts.Phases = restore.PhasesOf(c.site.Spec)
	}
	return provision.Make(ctx, c.site, opts)
}

// LoadPlan reads a plan that Save has written, and refuses one that was changed since.
func LoadPlan(file string) (Plan, error) { return provision.LoadPlan(file) }
