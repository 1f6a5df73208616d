package restore

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/adopt"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/procedure"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/status"
)

//go:embed move.sh
var moveScript string

// work is one restore, or its undoing, under way.
type work struct {
	*job.Job
	order
	backups backup.Options
	steps   []procedure.Step
	reached *backup.Reached
	by      string
	since   time.Time
}

func (w *work) step(name, back, cost string, do func(context.Context) error) {
	w.steps = append(w.steps, procedure.Step{
		Outline: procedure.Outline{Name: name, Back: back, Cost: cost}, Do: do})
}

// keptDir, undoneDir and so on are beside the data.
func (w *work) keptDir() string   { return w.Spec.PostgreSQL.DataDir + ".before-" + w.Mark }
func (w *work) undoneDir() string { return w.Spec.PostgreSQL.DataDir + ".undone-" + w.Mark }

func (w *work) scratch() (backup.Scratch, error) {
	t, err := w.Target(w.Host)
	return backup.Scratch{Options: w.backups, Target: t, Purpose: "restore"}, err
}

const (
	putBack   = "the data of before takes its place again"
	needsNone = "it needs nothing"
)

// build makes the steps of a restore, which depend on the order alone.
func (w *work) build() {
	h := w.Host
	if w.Before != "" {
		w.step("archive what has been written", needsNone, "", w.archiveAll)
	}
	w.step("stop PostgreSQL on all members", "it is started again",
		"nobody can read or write, until "+h+" leads again", w.stopAll)
	w.step("put the data aside on all members", putBack, "", w.putAside)
	w.step("copy backup "+w.Set+" to "+h, putBack, "", w.copyBackup)
	w.step("replay the log to "+w.To.String(), putBack, "", w.replay)
	w.step("let "+h+" lead", putBack, "from here on applications write again, to what was restored",
		w.lead)
	w.step("archive the new timeline", putBack, "", w.archiveAll)
	w.step("copy it to the other members", putBack, "", w.follow)
	w.step("make a full backup", needsNone, "", w.fullBackup)
	w.step("remember what is kept", "it is forgotten", "", w.remember)
}

// buildUndo makes the steps that bring back what was before.
func (w *work) buildUndo() {
	h := w.Host
	w.step("stop PostgreSQL on all members", "",
		"nobody can read or write, until "+h+" leads again", w.stopAll)
	w.step("put the data of before in its place", "", "", w.bringBack)
	if w.Led {
		w.step("let it go on on a timeline of its own", "", "", w.ownTimeline)
	}
	w.step("let "+h+" lead", "", "from here on applications write again, to the data of before",
		w.lead)
	w.step("let the other members follow", "", "", w.follow)
	w.step("delete what was restored", "", "", w.dropUndone)
	w.step("forget the restore", "", "", w.forgetKept)
}

// databases are connections to the hosts of all members.
func (w *work) databases() ([]*remote.Target, error) { return w.Job.Databases() }

// move runs move.sh on hosts, all at once.
func (w *work) move(ctx context.Context, targets []*remote.Target, what string,
	argv ...string) error {
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Do(ctx, w.Spec.PostgreSQL.DataDir, what, remote.Cmd{Script: moveScript, Argv: argv})
		return err
	})
}

// archiveAll sends what the leader has written to the archive, and waits until it is there: a moment
// can be restored once a later commit is archived.
func (w *work) archiveAll(ctx context.Context) error {
	if w.Planning() {
		return nil
	}
	t, err := w.leaderHost(ctx)
	if err != nil {
		return err
	}
	segment, err := t.Output(ctx, w.asServer(w.Psql("-c", "CREATE SCHEMA IF NOT EXISTS pgha",
		"-c", "CREATE TABLE IF NOT EXISTS pgha.canary (one boolean PRIMARY KEY DEFAULT true CHECK "+
			"(one), at timestamptz NOT NULL)",
		"-c", "INSERT INTO pgha.canary (at) VALUES (clock_timestamp()) ON CONFLICT (one) DO UPDATE "+
			"SET at = excluded.at", "-c", "SELECT pg_walfile_name(pg_switch_wal())"))...)
	if err != nil {
		return fmt.Errorf("close the segment of the log: %w", err)
	}
	lines := strings.Fields(segment)
	if len(lines) == 0 {
		return fmt.Errorf("close the segment of the log: %s said nothing", t.Name)
	}
	last := lines[len(lines)-1]
	return poll.Until(ctx, poll.Options{What: "segment " + last + " in the archive",
		Bound: 2 * time.Minute, Every: 500 * time.Millisecond, Progress: w.Progress,
		Next: errs.Text("%s says why it does not come; without it what was written last would be lost",
			errs.Verb("backup", "check"))}, func(ctx context.Context) (string, error) {
		got, err := t.Output(ctx, w.asServer(w.Psql("-c", "SELECT coalesce(last_archived_wal, '') >= '"+
			last+"', coalesce(last_failed_wal, '') FROM pg_stat_archiver"))...)
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(got, "t"):
			return "", nil
		}
		return "waiting for the archive", nil
	})
}

// asServer is a command as PostgreSQL's system user.
func (w *work) asServer(argv []string) []string {
	return append([]string{"runuser", "-u", "postgres", "--"}, argv...)
}

// leaderHost is the connection to the host of the member that leads.
func (w *work) leaderHost(ctx context.Context) (*remote.Target, error) {
	po, err := engine.PatroniOptions(w.Job)
	if err != nil {
		return nil, err
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range state.Members {
		if m.Role.Leads() {
			return w.Target(w.HostNameOf(m.Name))
		}
	}
	return nil, patroni.ErrNoLeader
}

// stopAll stops Patroni everywhere, replicas first, and keeps it from starting with its host: a
// member that comes back on its old data would be the most advanced one.
func (w *work) stopAll(ctx context.Context) error {
	all := w.Spec.Databases()
	last := slices.IndexFunc(all, func(h spec.Host) bool { return h.Name == w.Host })
	order := [][]spec.Host{site.Without(all, all[last:last+1]), all[last : last+1]}
	if err := w.enabled(ctx, all, remote.No); err != nil {
		return err
	}
	for _, hosts := range order {
		if len(hosts) == 0 {
			continue
		}
		if err := power.StopDatabase(ctx, w.Job, hosts); err != nil {
			return err
		}
	}
	return nil
}

// enabled says whether Patroni starts with these hosts.
func (w *work) enabled(ctx context.Context, hosts []spec.Host, wish remote.Wish) error {
	targets, err := site.Finder(w.Target).All(hosts)
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Ensure(ctx, remote.Unit{Name: patroni.Unit, Enabled: wish})
		return err
	})
}

func (w *work) putAside(ctx context.Context) error {
	targets, err := w.databases()
	if err != nil {
		return err
	}
	return w.move(ctx, targets, "put aside", "aside", w.Spec.PostgreSQL.DataDir, w.keptDir())
}

func (w *work) copyBackup(ctx context.Context) error {
	s, err := w.scratch()
	if err != nil {
		return err
	}
	return s.Restore(ctx, w.Size, append(w.To.arguments(w.Timeline),
		"--set="+w.Set)...)
}

// replay starts a server on the copy, alone, until it has replayed to the target and been promoted;
// then the copy takes the place of the data.
func (w *work) replay(ctx context.Context) error {
	s, err := w.scratch()
	if err != nil {
		return err
	}
	there := w.Planning()
	if !there {
		look, err := s.Target.Output(ctx, "sh", "-c", `[ -e "$1" ] && echo there || echo gone`, "sh",
			s.Directory()+"/data")
		if err != nil {
			return err
		}
		there = strings.TrimSpace(look) == "there"
	}
	if there {
		reached, err := s.Open(ctx)
		if err != nil {
			return err
		}
		w.reached = &reached
		if err := s.Finish(ctx); err != nil {
			return err
		}
	}
	return w.move(ctx, []*remote.Target{s.Target}, "filled with what was restored", "place",
		s.Directory(), w.Spec.PostgreSQL.DataDir)
}

// stale are the keys in etcd that only the cluster of before can know: with them what was restored
// looks as if it lagged, or as if it were no synchronous replica, and never leads.
var stale = []string{"leader", "sync", "failover", "failsafe", "status", "history"}

// lead starts Patroni on the host, and waits until applications can write.
func (w *work) lead(ctx context.Context) error {
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	if !w.Planning() && !w.leads(ctx) {
		prefix := adopt.StorePrefix(w.Site)
		var keys []string
		for _, k := range stale {
			keys = append(keys, prefix+k)
		}
		if err := etcd.Forget(ctx, eo, keys...); err != nil {
			return err
		}
	}
	t, err := w.Target(w.Host)
	if err != nil {
		return err
	}
	if _, err := t.Ensure(ctx, remote.Unit{Name: patroni.Unit, Enabled: remote.Yes,
		Running: remote.Yes}); err != nil || w.Planning() {
		return err
	}
	h, err := w.Spec.Host(w.Host)
	if err != nil {
		return err
	}
	err = poll.Until(ctx, poll.Options{What: h.Member + " to lead", Bound: 3 * time.Minute,
		Every: 300 * time.Millisecond, Progress: w.Progress,
		Next: errs.Text("journalctl -u patroni -n 50 on %s says why it does not", w.Host)},
		func(ctx context.Context) (string, error) {
			if w.leads(ctx) {
				return "", nil
			}
			return "nobody leads yet", nil
		})
	if err != nil {
		return err
	}
	return provision.ReadyPhase(ctx, w.Job)
}

// leads tells whether the member on the host leads.
func (w *work) leads(ctx context.Context) bool {
	t, err := w.leaderHost(ctx)
	return err == nil && t.Name == w.Host
}

// follow starts the other members, one after the other: each copies what it lacks from the leader.
func (w *work) follow(ctx context.Context) error {
	for _, h := range w.Spec.Databases() {
		if h.Name == w.Host {
			continue
		}
		t, err := w.Target(h.Name)
		if err != nil {
			return err
		}
		if _, err := t.Ensure(ctx, remote.Unit{Name: patroni.Unit, Enabled: remote.Yes,
			Running: remote.Yes}); err != nil {
			return err
		}
		if w.Planning() {
			continue
		}
		po, err := engine.PatroniOptions(w.Job)
		if err != nil {
			return err
		}
		err = poll.Until(ctx, poll.Options{What: h.Member + " to stream", Every: time.Second,
			Progress: w.Progress}, func(ctx context.Context) (string, error) {
			state, err := patroni.NewClient(po).Cluster(ctx)
			if err != nil {
				return "", err
			}
			m, ok := state.Member(h.Member)
			switch {
			case !ok:
				return h.Member + " is not there yet", nil
			case m.State != patroni.StateStreaming:
				return h.Member + " is " + m.State, nil
			case m.Timeline < leading(state):
				return fmt.Sprintf("%s is on timeline %d", h.Member, m.Timeline), nil
			}
			return "", nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// leading is the timeline of the member that leads.
func leading(state patroni.ClusterState) int64 {
	for _, m := range state.Members {
		if m.Role.Leads() {
			return m.Timeline
		}
	}
	return 0
}

func (w *work) fullBackup(ctx context.Context) error {
	set, err := backup.Take(ctx, w.backups, backup.Full)
	if err == nil && set.Label != "" {
		w.Progress("backup " + set.Label + " is there")
	}
	return err
}

func (w *work) remember(ctx context.Context) error {
	if w.Planning() {
		return nil
	}
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	done := w.order
	done.Led = true
	text, err := json.Marshal(status.KeptRestore{Target: w.To.String(), Set: w.Set, By: w.by,
		Since: w.since, Directory: w.keptDir(), Order: done.text()})
	if err != nil {
		return fmt.Errorf("write the record of the restore: %w", err)
	}
	return etcd.Keep(ctx, eo, w.RestoreKey(), string(text))
}

// bringBack puts the data of before in its place; what was restored is put aside.
func (w *work) bringBack(ctx context.Context) error {
	s, err := w.scratch()
	if err != nil {
		return err
	}
	if err := s.Drop(ctx); err != nil {
		return err
	}
	targets, err := w.databases()
	if err != nil {
		return err
	}
	return w.move(ctx, targets, "put back", "back", w.Spec.PostgreSQL.DataDir, w.keptDir(),
		w.undoneDir())
}

// ownTimeline lets the data of before go on on a new timeline. On its own one a later failover would
// take the next number, which the restored databases have used: its segments would not be those in
// the archive, and archiving would stop (exit 45 of pgBackRest 2.60).
func (w *work) ownTimeline(ctx context.Context) error {
	t, err := w.Target(w.Host)
	if err != nil {
		return err
	}
	return backup.NewTimeline(ctx, w.backups, t)
}

// dropUndone deletes what was restored.
func (w *work) dropUndone(ctx context.Context) error {
	targets, err := w.databases()
	if err != nil {
		return err
	}
	return w.move(ctx, targets, "deleted what was restored", "drop", w.undoneDir())
}

func (w *work) forgetKept(ctx context.Context) error {
	if w.Planning() {
		return nil
	}
	eo, err := engine.EtcdOptions(w.Job)
	if err != nil {
		return err
	}
	return etcd.Forget(ctx, eo, w.RestoreKey())
}
