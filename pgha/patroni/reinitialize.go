package patroni

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// reinitializeTimeout is the default bound of a copy: a terabyte at 25 MB/s.
const reinitializeTimeout = 12 * time.Hour

// stuckAfter is how long a member may be neither copying nor running before a copy counts as
// failed. Patroni itself tries again in each of its rounds.
const stuckAfter = 90 * time.Second

// forceTimeout bounds how long Patroni may take to answer, because it ends a running copy first.
const forceTimeout = 30 * time.Second

// ReinitializeOptions say which member is copied again.
type ReinitializeOptions struct {
	// Member whose data is deleted and copied again.
	Member string
	// Force ends what the member's Patroni is doing at the moment, another copy included.
	Force bool
	// FromLeader copies from the leader and not from a replica tagged clonefrom, as all are that
	// the options do not tag otherwise. Needs Patroni 4.1.
	FromLeader bool
	// Command, when set, makes the copy in the place of pg_basebackup, which is tried where it
	// fails. It runs as PostgreSQL's system user, finds the data directory empty, and leaves what
	// PostgreSQL can start from as a standby. Quoted as for a shell. The member's config.yml names
	// it until the copy is there; what ends before leaves that to the next Configure.
	Command string
	// AllowLast allows deleting the only healthy copy besides the leader's.
	AllowLast bool
	// Timeout bounds the whole operation. 0 means 12 h.
	Timeout time.Duration
	// Copying, when set, is run beside the copy, to measure and tell its progress. Its context ends
	// when the copy does, and then it must return soon.
	Copying func(ctx context.Context)
}

// ReinitializeResult is what a reinitialization did.
type ReinitializeResult struct {
	Member string `json:"member"`
	// Copied is how long the data was being copied, Took how long it took until the member
	// streamed.
	Copied Elapsed `json:"copied_seconds"`
	Took   Elapsed `json:"took_seconds"`
	// Before and After are the cluster at the beginning and at the end. After is empty when the run
	// only planned.
	Before ClusterState `json:"before"`
	After  ClusterState `json:"after"`
}

// Reinitialize deletes the data of a replica and copies it again, and waits until the replica
// streams on the leader's timeline. The way for a member that cannot come back otherwise.
//
// Nothing is changed when the error matches ErrInvalid (an unknown member, the leader, a member
// that is busy), ErrNoLeader, ErrVersion or ErrUnhealthy (the member is the only healthy copy
// besides the leader's; AllowLast overrules). Other errors match ErrUnavailable or ErrTimeout. The
// copy continues when ctx ends. Safe to repeat. When the targets only plan, the change is reported
// and nothing happens.
func Reinitialize(ctx context.Context, o Options,
	ro ReinitializeOptions) (ReinitializeResult, error) {
	o = o.WithDefaults()
	ro.Timeout = cmp.Or(ro.Timeout, reinitializeTimeout)
	var result ReinitializeResult
	err := within(ctx, ro.Timeout, "reinitialize "+ro.Member,
		func(ctx context.Context) (err error) {
			result, err = newOperator(o).reinitialize(ctx, ro)
			return err
		})
	return result, err
}

func (c *operator) reinitialize(ctx context.Context,
	ro ReinitializeOptions) (ReinitializeResult, error) {
	result := ReinitializeResult{Member: ro.Member}
	s, err := c.survey(ctx)
	if err != nil {
		return result, err
	}
	result.Before = s.state
	if err := s.checkReinitialize(ro); err != nil {
		return result, err
	}
	target, err := c.member(ro.Member)
	if err != nil {
		return result, err
	}
	change := remote.Change{Kind: "member", Name: ro.Member, Action: "reinitialized"}
	if c.options.Planning() {
		c.changed(target, change)
		return result, nil
	}
	if ro.Command != "" {
		putBack, err := c.copyWith(ctx, target, ro.Command)
		defer putBack()
		if err != nil {
			return result, err
		}
	}
	start := time.Now()
	w := copyWatch{client: c, member: ro.Member, before: s.nodes[ro.Member], good: start,
		wake: c.waker()}
	if err := c.startCopy(ctx, target, ro); err != nil {
		return result, err
	}
	c.options.Progress("copying the data of " + ro.Member + " again")
	err = withCompanion(ctx, ro.Copying, func() error {
		return poll.Until(ctx, poll.Options{What: ro.Member + " to stream again",
			Bound: ro.Timeout}, w.look)
	})
	result.Copied, result.Took = Elapsed(w.copied), since(start)
	if err != nil {
		return result, remote.WithHint(err, "see `journalctl -u patroni -n 50` on "+
			target.Target.Name)
	}
	change.Duration = result.Took.Duration()
	c.changed(target, change)
	result.After = w.state
	return result, nil
}

// copyWith has a member's Patroni copy with a command. The function that it returns puts the
// configuration back, which nobody waits for.
func (c *operator) copyWith(ctx context.Context, m Member, command string) (func(), error) {
	now, err := readConfig(ctx, m)
	if err == nil { // an earlier run may have been ended before it took its command out
		now, err = host.WithCopyCommand(now, "")
	}
	if err != nil {
		return func() {}, remote.OnHost(m.Target.Name, err)
	}
	with, err := host.WithCopyCommand(now, command)
	if err != nil {
		return func() {}, remote.OnHost(m.Target.Name, err)
	}
	put := func(ctx context.Context, config []byte) error {
		_, err := m.Target.Ensure(ctx, host.ConfigFile(c.options, config), remote.Unit{Name: Unit,
			Enabled: remote.Yes, Running: remote.Yes, ReloadOn: []string{ConfigPath}})
		return remote.OnHost(m.Target.Name, err)
	}
	if err := put(ctx, with); err != nil {
		return func() {}, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := put(ctx, now); err != nil {
			c.options.Progress("warning: config.yml still names the command that copies: " + err.Error())
		}
	}, c.waitRead(ctx, m, false)
}

// withCompanion runs companion beside f, if there is one, and ends it with f.
func withCompanion(ctx context.Context, companion func(context.Context), f func() error) error {
	if companion == nil {
		return f()
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { companion(ctx) })
	defer wg.Wait()
	defer cancel()
	return f()
}

// checkReinitialize refuses to delete what is still needed.
func (s survey) checkReinitialize(ro ReinitializeOptions) error {
	m, known := s.state.Member(ro.Member)
	leader, leads := s.state.Leader()
	node, answers := s.nodes[ro.Member]
	switch {
	case !known:
		return unknownMember(s.state, ro.Member, ErrInvalid)
	case !leads:
		return remote.WithHint(ErrNoLeader,
			"there is nobody to copy from; wait for a leader, or make one with a failover")
	case m.Name == leader.Name:
		return remote.WithHint(fmt.Errorf("%w: %s is the leader", ErrInvalid, m.Name),
			"move the leadership with a switchover first")
	case !answers:
		return remote.WithHint(fmt.Errorf("%w: %s does not answer: %w", ErrUnhealthy, m.Name,
			s.gone[m.Name]),
			"see `systemctl status patroni` there")
	case node.Role == RoleLeader && node.State == StateRunning:
		return remote.WithHint(fmt.Errorf("%w: %s runs as primary", ErrInvalid, m.Name),
			"it does not hold the lock but takes writes; see `journalctl -u patroni -n 50` there")
	case ro.FromLeader && !atLeast(node.Version, 4, 1):
		return remote.WithHint(fmt.Errorf("%w %s on %s: copying from the leader needs 4.1",
			ErrVersion,
			node.Version, m.Name), "leave the wish out")
	case node.State == StateCreatingReplica && !ro.Force:
		return remote.WithHint(fmt.Errorf("%w: %s is being copied already", ErrInvalid, m.Name),
			"wait for it, or force it to begin again")
	}
	others := slices.DeleteFunc(s.healthy(), func(name string) bool {
		return name == m.Name ||
			name == leader.Name
	})
	if s.state.Healthy(m.Name) && len(others) == 0 && !ro.AllowLast {
		return remote.WithHint(
			fmt.Errorf("%w: %s is the only healthy replica: while it is copied, nobody can take "+
				"over from %s",
				ErrUnhealthy, m.Name, leader.Name),
			"bring another replica back first")
	}
	return nil
}

// startCopy asks for the copy. A lost answer is found out by the watch.
func (c *operator) startCopy(ctx context.Context, target Member, ro ReinitializeOptions) error {
	body := map[string]any{"force": ro.Force}
	if ro.FromLeader {
		body["from_leader"] = true
	}
	inner, cancel := context.WithTimeout(ctx, forceTimeout)
	defer cancel()
	r, err := c.Command(inner, target.Name, http.MethodPost, "/reinitialize", body)
	switch {
	case err != nil:
		return err
	case r.Good():
		return nil
	case r.Lost != nil:
		c.options.Progress("warning: no answer to the request, watching the member instead: " +
			r.Lost.Error())
		return nil
	case strings.Contains(r.Body, "already in progress"):
		return remote.WithHint(fmt.Errorf("%w: %w", ErrInvalid, r.Err()),
			"wait for it, or use force to end it")
	}
	return r.Err()
}

// copyWatch follows the copy of one member.
type copyWatch struct {
	client *operator
	member string
	before NodeState
	good   time.Time // the last moment at which it was copying, running, or on its way
	wake   func(context.Context)

	copyingSince time.Time
	copied       time.Duration
	state        ClusterState
}

func (w *copyWatch) look(ctx context.Context) (string, error) {
	node, err := w.client.Patroni(ctx, w.member)
	if err != nil {
		return "", cmp.Or(w.stuck(err.Error()), err)
	}
	restarted := !node.StartedAt.IsZero() && !node.StartedAt.Equal(w.before.StartedAt)
	seen := fmt.Sprintf("%s is %q", w.member, node.State)
	switch {
	case node.State == StateCreatingReplica:
		w.good = time.Now()
		if w.copyingSince.IsZero() {
			w.copyingSince = w.good
		}
		w.copied = w.good.Sub(w.copyingSince)
		return seen, nil
	case node.State == "starting" || restarted && node.State == StateRunning:
		w.good = time.Now()
	}
	if !restarted || node.State != StateRunning {
		return seen, w.stuck(seen)
	}
	w.wake(ctx)
	w.state, err = w.client.Cluster(ctx)
	if err != nil || w.state.Healthy(w.member) && node.Follows(w.state) {
		return "", err
	}
	return describe(w.state), nil
}

// stuck ends the wait for a member that has been of no use for too long.
func (w *copyWatch) stuck(seen string) error {
	if time.Since(w.good) < stuckAfter {
		return nil
	}
	return poll.Stop(fmt.Errorf("the copy failed or never began: %s", seen))
}

// atLeast reports whether a version of Patroni is the given one or a later one. What cannot be read
// is not.
func atLeast(version string, major, minor int) bool {
	var a, b int
	if n, err := fmt.Sscanf(version, "%d.%d", &a, &b); err != nil || n != 2 {
		return false
	}
	return a > major || a == major && b >= minor
}
