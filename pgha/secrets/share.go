package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
)

// State is the state of a cluster, as its operators share it. Its methods are safe for concurrent
// use.
type State struct{ site *site.Site }

// StateOf returns the state of a cluster.
func StateOf(c *site.Site) State { return State{c} }

// ShareResult is where the copies of a state directory are.
type ShareResult struct {
	Generation int `json:"generation"`
	// Etcd: etcd has the copy. Hosts are the database hosts that have it.
	Etcd  bool     `json:"etcd"`
	Hosts []string `json:"hosts"`
	// Removed are those who could open the copies of before and cannot open these; Known is what
	// they could read until now, in words.
	Removed []string `json:"removed,omitempty"`
	Known   []string `json:"known,omitempty"`
	// Failed says which copies could not be written, and why.
	Failed []string `json:"failed,omitempty"`
}

// Share brings the encrypted copies of the state directory, in etcd and on the database hosts, in
// line with it and with the recipients of the specification, as every operation that changes the
// state does by itself. Versions that somebody could open who is no recipient any more are removed
// from etcd. Safe to repeat. ErrRefused without secrets.age; site.ErrStateAhead, which is a
// refusal, where another operator has changed the state. A host that cannot be reached is no error:
// the next run makes up for it. Planned, it only refuses.
func (st State) Share(ctx context.Context, op engine.Operation) (ShareResult, error) {
	c := st.site
	result := ShareResult{Hosts: []string{}}
	if !op.DryRun {
		if err := c.Writable(); err != nil {
			return result, err
		}
	}
	if !site.Shares(c) {
		return result, errs.WithNext(fmt.Errorf("%w: the specification has no secrets.age, so no copy "+
			"of the state leaves this machine", errs.ErrRefused),
			errs.Text("write recipients and an identity into it: secrets: {age: {recipients: "+
				"[age1...], identity_file: ...}}"))
	}
	err := engine.Operate(ctx, c, "share state", op, job.LockEtcd,
		func(ctx context.Context, r *job.Job) (err error) {
			if r.Planning() {
				return nil
			}
			s := r.State
			if s.ReadOnly {
				if s, err = vault.SettledState(r.Spec, s.Box); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, s.Close()) }()
			} else if err := s.Begin(r.Spec); err != nil {
				return err
			}
			done, err := site.Share(ctx, r.Site, s)
			result.Generation, result.Etcd = done.Generation, done.Etcd
			result.Hosts = append(result.Hosts, done.Hosts...)
			result.Removed, result.Known = done.Removed, done.Known
			for _, failed := range done.Failed {
				result.Failed = append(result.Failed, failed.Error())
			}
			return err
		})
	return result, err
}

// Copies are where the state of a cluster is kept.
type Copies struct {
	// StateDir is the directory here, with its generation and format; 0 for one that is not there.
	StateDir   string `json:"state_dir"`
	Generation int    `json:"generation"`
	Format     int    `json:"format"`
	// SystemIdentifier and EtcdCluster are those of the cluster that it belongs to.
	SystemIdentifier string `json:"system_identifier,omitempty"`
	EtcdCluster      string `json:"etcd_cluster,omitempty"`
	// Recipients are those of the specification; none means that there is one copy.
	Recipients []string `json:"recipients"`
	Copies     []Copy   `json:"copies"`
	// Versions are the generations that etcd keeps, oldest first.
	Versions []int `json:"versions"`
}

// Copy is an encrypted copy of the state.
type Copy struct {
	// Where is "etcd" or a host.
	Where      string     `json:"where"`
	Generation int        `json:"generation,omitempty"`
	By         string     `json:"by,omitempty"`
	Time       *time.Time `json:"time,omitempty"`
	Bytes      int        `json:"bytes,omitempty"`
	Recipients []string   `json:"recipients,omitempty"`
	// Problem is what is wrong with it; "" for one that is there and the same as the directory
	// here.
	Problem string `json:"problem,omitempty"`
}

// Copies asks etcd and the database hosts for their copies, and changes nothing. What does not
// answer has a Problem.
func (st State) Copies(ctx context.Context) (Copies, error) {
	c := st.site
	all, id, err := local(c)
	if err != nil || !site.Shares(c) {
		return all, err
	}
	record, _, away := site.InEtcd(ctx, c)
	all.Copies = append(all.Copies, describe(c, id, "etcd", record, false, away))
	for _, h := range site.HostCopies(ctx, c) {
		all.Copies = append(all.Copies, describe(c, id, h.Host, h.Copy, h.Damaged, h.Err))
	}
	if away == nil {
		if all.Versions, err = site.Versions(ctx, c); err != nil {
			return all, err
		}
	}
	return all, nil
}

// local is what the state directory here says of itself.
func local(c *site.Site) (Copies, lineage.State, error) {
	all := Copies{StateDir: c.State.Dir, Copies: []Copy{}, Versions: []int{},
		Recipients: append([]string{}, c.Spec.Secrets.Age.Recipients...)}
	id, err := c.State.Identity()
	all.Generation, all.Format = id.Generation, id.Format
	all.SystemIdentifier, all.EtcdCluster = id.SystemIdentifier, id.EtcdCluster
	return all, id, err
}

// Check refuses (ErrRefused) a state directory that is not that of the cluster, or was changed
// apart from it, and else says which it is, without copies. Changes nothing.
func (st State) Check(ctx context.Context) (Copies, error) {
	c := st.site
	all, id, err := local(c)
	if err != nil {
		return all, err
	}
	notes, err := c.AskStateNotes(ctx)
	if err == nil || len(notes) > 0 {
		err = c.JudgeState(notes)
	}
	if err == nil {
		err = site.Ahead(ctx, c, id)
	}
	return all, err
}

// describe says what is to be said of a copy.
func describe(c *site.Site, id lineage.State, where string, record lineage.Copy, damaged bool,
	err error) Copy {
	d := Copy{Where: where}
	if err != nil {
		d.Problem = err.Error()
		return d
	}
	if !record.There() {
		d.Problem = "there is none"
		return d
	}
	d.Generation, d.By, d.Bytes, d.Recipients = record.Generation, record.By, record.Bytes,
		record.Recipients
	d.Time = &record.Time
	judged := id.Judge(record.Note)
	switch now := slices.Sorted(slices.Values(c.Spec.Secrets.Age.Recipients)); {
	case damaged:
		d.Problem = "it is damaged"
	case judged != nil:
		d.Problem = judged.Error()
	case record.Generation < id.Generation:
		d.Problem = "it is an older one"
	case !slices.Equal(now, slices.Sorted(slices.Values(record.Recipients))):
		d.Problem = "it is encrypted for other recipients than those of the specification"
	}
	return d
}
