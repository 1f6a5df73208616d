package hosts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

// Options are what all changes of hosts have in common.
type Options struct {
	engine.Operation
	// File is the specification's file, which is edited: comments and form stay. "" edits none; the
	// result has the specification then.
	File string
	// Force carries the change out although it cuts transactions or a base backup short, and
	// although a host that goes cannot be reached and works.
	Force bool
	// Without names hosts that stay, by their own or their members' names, and that are left as
	// they are: dead ones. The next Apply that leaves out nothing brings them in. Refused where the
	// others are no cluster, and of hosts that come or go.
	Without []string
}

// AddOptions say which hosts come.
type AddOptions struct {
	Options
	// Hosts that come. Name, Address and Role have no default, all else is as in a specification.
	Hosts []spec.Host
}

// RemoveOptions say which hosts go.
type RemoveOptions struct {
	Options
	// Hosts by their own or their members' names: of the specification, or of those that the last
	// Apply had and the specification lacks.
	Hosts []string
	// Clean deletes PostgreSQL's data on hosts that go.
	Clean bool
}

// ReplaceOptions say which host goes and which one comes.
type ReplaceOptions struct {
	Options
	// Host by its own or its member's name.
	Host string
	// With comes in its place. Its roles are the other's if they are left out. Without a name it is
	// an empty machine with the name and address of the host, and what counts of it is SSH.HostKey,
	// the key by which it is known; "" leaves that as it is.
	With spec.Host
	// Clean deletes PostgreSQL's data on the host that goes.
	Clean bool
}

// Result is what a change of hosts did.
type Result struct {
	// Verb and Subject are those of the record: "host remove", "postgres-02".
	Verb    string `json:"verb"`
	Subject string `json:"subject"`
	// Undone: the change was taken back, by the steps.
	Undone bool `json:"undone,omitempty"`
	// Steps are all that it has.
	Steps []procedure.Outline `json:"steps"`
	// NewLeader is the member that leads in place of one that went.
	NewLeader string          `json:"new_leader,omitempty"`
	Elapsed   patroni.Elapsed `json:"seconds"`
	// Specification is the text after the change.
	Specification []byte `json:"-"`
}

// Add brings hosts into a cluster that runs: as Apply does with a specification that names them,
// but in a recorded step, which can be taken back.
//
// Before anything is changed the new hosts are asked what Preflight asks. The error matches
// errs.ErrRefused for what is refused, for another change that is half done, and where the
// specification would not be valid with them. An error after that, or a crash, leaves a record:
// Continue and Undo go on from there. Applications notice nothing.
func Add(ctx context.Context, c *site.Site, opts AddOptions) (Result, error) {
	return begin(ctx, c, "host add", order{Add: opts.Hosts, Force: opts.Force}, opts.Options)
}

// Remove takes hosts out of a cluster that runs. A member that leads gives its leadership away
// first; no etcd member, replication slot, server of HAProxy's or line of pg_hba.conf of it stays,
// and a host that can be reached keeps neither keys nor passwords. PostgreSQL's data stays there
// without Clean.
//
// A host that is dead is removed without it. etcd takes its certificates back; the key for
// Patroni's API is good until that authority is rotated, which a warning says. Refused
// (errs.ErrRefused), with figures and before anything is changed, is what would cost etcd its
// quorum, the cluster its last healthy member, strict synchronous replication its replicas or the
// address its last balancer; a host that works and cannot be reached from here; a paused cluster;
// and another change that is half done. An error after that, or a crash, leaves a record: Continue
// and Undo go on from there. Applications notice nothing but a switchover, if the leader goes.
func Remove(ctx context.Context, c *site.Site, opts RemoveOptions) (result Result, err error) {
	if len(opts.Hosts) == 0 {
		return Result{}, fmt.Errorf("remove: %w: no host is named", patroni.ErrInvalid)
	}
	all, leave, err := withFormer(ctx, c, opts.Hosts)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	gone, err := all.Chosen(opts.Hosts)
	if err != nil {
		return Result{}, err
	}
	result, err = begin(ctx, all, "host remove", order{Remove: gone, Clean: opts.Clean,
		Force: opts.Force}, opts.Options)
	if err == nil && all != c && !opts.DryRun {
		// What the cluster is now is what c describes, but for the certificates that were taken
		// back.
		var cr *vault.Credentials
		if cr, err = vault.LoadCredentials(ctx, c.State, c.Spec); err == nil {
			c.Hold(cr)
		}
	}
	return result, err
}

// withFormer returns the site with those of the named hosts that the specification lacks. leave
// ends the connections to them.
func withFormer(ctx context.Context, c *site.Site,
	names []string) (all *site.Site, leave func() error, err error) {
	former, unknown := status.Former(ctx, c) // then the names say nothing to anybody
	former = slices.DeleteFunc(former, func(h spec.Host) bool {
		return !slices.Contains(names, h.Name) && !slices.Contains(names, h.Member)
	})
	if unknown != nil || len(former) == 0 {
		return c, func() error { return nil }, ctx.Err()
	}
	sp := *c.Spec
	sp.Hosts = slices.Concat(c.Spec.Hosts, former)
	return c.Join(ctx, &sp)
}

// Replace puts one host in the place of another. One that works goes when the new one is in, so
// that there is never a member less; one that is dead goes first, because etcd counts it. What is
// refused is what Add and Remove refuse; of an empty machine that takes a dead one's name also one
// that shows another host key, or that is the machine of before.
func Replace(ctx context.Context, c *site.Site, opts ReplaceOptions) (Result, error) {
	gone, err := c.Spec.Host(opts.Host)
	if err != nil {
		return Result{}, err
	}
	if opts.With.Name == "" {
		gone.SSH.HostKey = cmp.Or(opts.With.SSH.HostKey, gone.SSH.HostKey)
		return begin(ctx, c, "host replace", order{Renew: []spec.Host{gone}, Force: opts.Force},
			opts.Options)
	}
	if opts.With.Role == "" && len(opts.With.Roles) == 0 {
		opts.With.Role, opts.With.Roles = gone.Role, gone.Roles
	}
	if was, would := gone.RoleNames(), opts.With.RoleNames(); was != would {
		return Result{}, fmt.Errorf("%w: %s is a %s, and %s would be a %s", errs.ErrRefused,
			gone.Name, was, opts.With.Name, would)
	}
	_, err = c.Target(gone.Name)
	return begin(ctx, c, "host replace", order{Remove: []spec.Host{gone},
		Add: []spec.Host{opts.With}, AddFirst: err == nil, Clean: opts.Clean, Force: opts.Force},
		opts.Options)
}

// begin carries an order out from its first step on.
func begin(ctx context.Context, c *site.Site, verb string, o order, opts Options) (Result, error) {
	for _, h := range o.Add {
		if known, err := c.Spec.Host(h.Name); err == nil && verb != "host add" {
			return Result{}, errs.WithNext(fmt.Errorf("%w: %s is a host of the cluster already, at %s",
				errs.ErrRefused, known.Name, known.Address), errs.Text("give the new host a name of "+
				"its own; an empty machine with the name and address of %[1]s is brought in by %[2]s",
				known.Name, errs.Verb("host", "replace", known.Name)))
		}
	}
	specs, err := o.specify(ctx, c, opts.File)
	if err != nil {
		return Result{}, err
	}
	for i, h := range o.Add { // as the specification has them, with defaults
		if o.Add[i], err = specs.to.Host(h.Name); err != nil {
			return Result{}, err
		}
	}
	for _, h := range o.Remove {
		if _, err := c.Target(h.Name); err != nil {
			o.Dead = append(o.Dead, h.Name)
		}
	}
	r := procedure.Record{Verb: verb, Subject: o.subject(), Since: time.Now().UTC(), Order: o.text()}
	return carryOut(ctx, c, o, specs, r, opts)
}

// Continue finishes the change that is half done, whoever began it; ErrNoChange if there is none.
// Options.Force is that of the record.
func Continue(ctx context.Context, c *site.Site, opts Options) (Result, error) {
	if err := c.Writable(); err != nil && !opts.DryRun {
		return Result{}, err
	}
	r, err := Change(ctx, c)
	if err == nil {
		err = ignores(r, opts)
	}
	if err != nil {
		return Result{}, err
	}
	o, err := orderOf(r)
	if err != nil {
		return Result{}, err
	}
	specs, err := o.specify(ctx, c, opts.File)
	if err != nil {
		return Result{}, err
	}
	return carryOut(ctx, c, o, specs, r, opts)
}

// Undo takes the change that is half done back: hosts that came go again, with their data, and
// hosts that went come back. ErrNoChange if there is none. A change that is being taken back is
// continued. A host that went and cannot be reached does not come back: that is refused
// (errs.ErrRefused).
func Undo(ctx context.Context, c *site.Site, opts Options) (Result, error) {
	if err := c.Writable(); err != nil && !opts.DryRun {
		return Result{}, err
	}
	r, err := Change(ctx, c)
	if err == nil {
		err = ignores(r, opts)
	}
	if err != nil {
		return Result{}, err
	}
	if r.Undoing {
		return Continue(ctx, c, opts)
	}
	o, err := orderOf(r)
	if err != nil {
		return Result{}, err
	}
	o = o.inverse()
	specs, err := o.specify(ctx, c, opts.File)
	if err != nil {
		return Result{}, err
	}
	r.Undoing, r.Reached, r.Steps, r.Order = true, 0, nil, o.text()
	return carryOut(ctx, c, o, specs, r, opts)
}

// carryOut does what is left of a record, under the lock of the cluster.
func carryOut(ctx context.Context, c *site.Site, o order, specs specifications,
	r procedure.Record, opts Options) (result Result, err error) {
	start := time.Now()
	result = Result{Verb: r.Verb, Subject: r.Subject, Undone: r.Undoing, Specification: specs.after}
	all, leave, err := c.Join(ctx, specs.all)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	away, err := o.away(specs, opts.Without)
	if err != nil {
		return result, err
	}
	err = engine.Operate(ctx, all, r.Verb, opts.Operation, job.LockHosts,
		func(ctx context.Context, run *job.Job) error {
			w := &work{Job: run, order: o, specifications: specs, undoing: r.Undoing,
				away: away}
			w.build()
			result.Steps = procedure.Outlines(w.steps)
			fresh := len(r.Steps) == 0
			if fresh {
				r.Steps = result.Steps
			}
			defer func() { result.NewLeader = w.leader }()
			return w.run(ctx, &r, fresh)
		})
	result.Elapsed = patroni.Elapsed(time.Since(start))
	return result, err
}

// run refuses what has to be refused, and does the steps.
func (w *work) run(ctx context.Context, r *procedure.Record, fresh bool) error {
	if fresh && !r.Undoing {
		if err := refuseSecond(ctx, w.Site); err != nil {
			return err
		}
	} else if now, err := Change(ctx, w.Site); err != nil {
		return err // finished by somebody, since it was looked at without the lock
	} else {
		looked := *r
		if fresh {
			looked.Steps = nil // it is to be taken back from here on
		}
		if err := looked.GoOn(now); err != nil {
			return err
		}
		r.Reached = looked.Reached
	}
	if fresh {
		if err := w.refuse(ctx); err != nil {
			return err
		}
	}
	if w.Planning() {
		return engine.PlanSteps(w.Job, w.subject(), *r, w.steps)
	}
	keep, err := keeper(w.staying())
	if err != nil {
		return err
	}
	if r.Undoing {
		if err := w.dropStale(ctx); err != nil {
			return err
		}
	}
	if err := engine.RunSteps(ctx, w.Job, r, w.steps, keep); err != nil {
		return w.orWithout(err)
	}
	if err := status.RememberHosts(ctx, w.on(w.to).Site); err != nil {
		w.Warn("", err.Error())
	}
	if err := forget(ctx, w.staying()); err != nil {
		return err
	}
	w.Job.Site = w.on(w.to).Site // a host that has left gets no copy of the state
	return nil
}

// staying is the site with those hosts alone that run etcd before and after; with all where none
// does.
func (w *work) staying() *site.Site {
	changing := slices.Concat(w.leavingEtcd(), site.Without(w.to.EtcdHosts(), w.from.EtcdHosts()))
	stay := lacking(w.all, changing)
	if len(stay.EtcdHosts()) == 0 || len(stay.Databases()) == 0 {
		stay = w.all
	}
	return w.on(stay).Site
}
