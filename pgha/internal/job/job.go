package job

import (
	"errors"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
)

// Databases returns connections to all database hosts that are not left out.
func (r *Job) Databases() ([]*remote.Target, error) {
	return site.Finder(r.Target).All(site.Without(r.Spec.Databases(), r.LeftOut()))
}

// EtcdHosts returns connections to all hosts that run etcd and are not left out.
func (r *Job) EtcdHosts() ([]*remote.Target, error) {
	return site.Finder(r.Target).All(site.Without(r.Spec.EtcdHosts(), r.LeftOut()))
}

// MemberHosts returns connections to all hosts that have a member of Patroni's or of etcd's and are
// not left out.
func (r *Job) MemberHosts() ([]*remote.Target, error) {
	return site.Finder(r.Target).All(site.Without(r.Spec.MemberHosts(), r.LeftOut()))
}

// Balancers returns connections to all balancers that are not left out.
func (r *Job) Balancers() ([]*remote.Target, error) {
	return site.Finder(r.Target).All(site.Without(r.Spec.Balancers(), r.LeftOut()))
}

// Planning reports whether changes are only recorded.
func (r *Job) Planning() bool {
	ts := r.Targets()
	return r.DryRun || len(ts) > 0 && ts[0].Planning()
}

// Job is one piece of work on a cluster: the phases of an Apply share one each, and so does
// everything that a verb does. What it reaches hosts by reports each change, and in a dry run holds
// it back.
type Job struct {
	*site.Site
	Phase string
	Out   *event.Emitter
	// lenient stands in for hosts without a connection: an operation must work on what is left of a
	// cluster.
	Lenient bool
	DryRun  bool
}

// Progress tells the observer what is being done or waited for.
func (r *Job) Progress(message string) {
	r.Out.Emit(event.Event{Kind: event.Progress, Phase: r.Phase, Message: message})
}

// Warn tells the observer of something that deserves attention though the work continues.
func (r *Job) Warn(host, message string) {
	r.Out.Emit(event.Event{Kind: event.Warning, Phase: r.Phase, Host: host, Message: message})
}

// WarnNext does what Warn does, with a text that refers to verbs.
func (r *Job) WarnNext(host string, text errs.Next) {
	r.Out.Emit(event.Event{Kind: event.Warning, Phase: r.Phase, Host: host, Message: text.String(),
		Next: text})
}

// Target returns the connection to a host or member, with its changes reported under this phase. A
// host that is left out has one without an Executor that answers (remote.Target.LeftOut).
func (r *Job) Target(name string) (*remote.Target, error) {
	find := r.Site.Target
	if r.Lenient {
		find = r.Site.LenientTarget
	}
	t, err := find(name)
	if errors.Is(err, remote.ErrLeftOut) {
		h, unknown := r.Spec.Host(name)
		t, err = remote.LeaveOut(remote.Host{Name: h.Name, Address: h.Address}), unknown
	}
	if err != nil {
		return nil, err
	}
	return r.watched(t), nil
}

// Targets returns every live connection in the order of the specification, watched as Target's is.
func (r *Job) Targets() []*remote.Target {
	targets := r.Site.Targets()
	for i, t := range targets {
		targets[i] = r.watched(t)
	}
	return targets
}

// watched returns a connection to the same host whose changes are reported, and in a dry run held
// back.
func (r *Job) watched(t *remote.Target) *remote.Target {
	w := *t
	if r.DryRun {
		w.Executor = remote.Plan(t.Executor)
	}
	w.OnChange = func(c remote.Change) {
		r.Out.Emit(event.Event{Kind: event.Changed, Phase: r.Phase, Host: c.Host, Change: &c,
			Duration: c.Duration})
	}
	return &w
}

// Changed reports a change that was made, or is planned, on a member's host.
func (r *Job) Changed(member string, change remote.Change) error {
	h, err := r.MemberHost(member)
	if err != nil {
		return err
	}
	change.Host, change.Planned = h.Name, r.Planning()
	r.Out.Emit(event.Event{Kind: event.Changed, Phase: r.Phase, Host: h.Name, Change: &change,
		Duration: change.Duration})
	return nil
}

// Rehearsed is the same run with nothing changed and nobody told.
func (r *Job) Rehearsed() *Job {
	return &Job{Site: r.Site, Phase: r.Phase, Out: &event.Emitter{Log: r.Log}, Lenient: true,
		DryRun: true}
}
