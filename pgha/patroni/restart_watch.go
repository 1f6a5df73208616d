package patroni

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/remote"
)

// restartGrace is how long a member may take to come back after its Patroni has said that the
// restart failed: Patroni itself tries again.
const restartGrace = 30 * time.Second

// pendingGrace is how long a healthy member may still say that settings are pending before that is
// believed.
const pendingGrace = 5 * time.Second

// restartOne restarts one member and waits until it is back.
func (c *operator) restartOne(ctx context.Context, m MemberState,
	ro RestartOptions) (RestartedMember, error) {
	done := RestartedMember{Member: m.Name, Role: m.Role}
	target, err := c.member(m.Name)
	if err != nil {
		return done, err
	}
	before, err := c.Patroni(ctx, m.Name)
	if err != nil {
		return done, err
	}
	if ro.BeforeReplica != nil && !m.Role.Leads() {
		defer ro.BeforeReplica(ctx, m.Name)()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the request: Patroni continues without a listener
	c.options.Progress(fmt.Sprintf("restarting PostgreSQL on %s (%s)", m.Name, m.Role))
	w := restartWatch{client: c, member: m.Name, before: before, start: time.Now(), wake: c.waker()}
	w.ask = func() <-chan rest.Answered {
		return c.Background(ctx, target.Name, http.MethodPost, "/restart", map[string]any{})
	}
	w.request = w.ask()
	if err := poll.Until(ctx, poll.Options{What: m.Name + " to be back", Bound: ro.Timeout},
		w.look); err != nil {
		return done, err
	}
	done.Took, done.Down, done.Pending = since(w.start), Elapsed(w.down), w.pending
	c.changed(target, remote.Change{Kind: "member", Name: m.Name, Action: "restarted",
		Duration: done.Took.Duration()})
	return done, nil
}

// restartWatch follows the restart of one member.
type restartWatch struct {
	client  *operator
	member  string
	before  NodeState
	ask     func() <-chan rest.Answered
	request <-chan rest.Answered
	start   time.Time
	askNext time.Time // after another restart; zero when there is none

	failed          error     // what Patroni said against it
	failedAt        time.Time // when
	lastUp, backAt  time.Time // PostgreSQL's last answer before, the moment of being healthy
	down            time.Duration
	wake            func(context.Context)
	pending         []string
	stopped, backUp bool
	another         bool // a restart by somebody else was under way
}

// look asks whether the member is back: first itself, then the cluster.
func (w *restartWatch) look(ctx context.Context) (string, error) {
	if !w.askNext.IsZero() && !time.Now().Before(w.askNext) {
		w.request, w.askNext = w.ask(), time.Time{}
	}
	if err := w.hear(); err != nil {
		return "", poll.Stop(err)
	}
	node, err := w.client.Patroni(ctx, w.member)
	if err != nil {
		return "", err
	}
	restarted := !node.StartedAt.IsZero() && !node.StartedAt.Equal(w.before.StartedAt)
	switch {
	case !restarted && node.State == StateRunning && w.failed != nil:
		return "", poll.Stop(w.failed) // it never stopped
	case !w.failedAt.IsZero() && time.Since(w.failedAt) > restartGrace:
		return "", poll.Stop(w.failed)
	case !restarted:
		w.measure(node)
		return fmt.Sprintf("%s is %q", w.member, node.State), nil
	}
	w.measure(node)
	return w.lookAtCluster(ctx, node)
}

// hear takes in Patroni's answer, once.
func (w *restartWatch) hear() error {
	select {
	case a := <-w.request:
		w.request = nil
		if a.Err != nil {
			return a.Err
		}
		if !a.Response.Good() && strings.Contains(a.Response.Body, "restart already in progress") {
			// Somebody else's, or that of a run that was killed. If PostgreSQL has yet to stop for
			// it, it is as good as this one.
			if !w.another {
				w.client.options.Progress("another restart of " + w.member +
					" is under way; asking again when it is over")
			}
			w.another = true
			w.askNext = time.Now().Add(wakeEvery)
			return nil
		}
		if !a.Response.Good() && !a.Response.Uncertain() {
			return a.Response.Err()
		}
		if !a.Response.Good() {
			w.client.options.Progress("warning: " + a.Response.Err().Error() + "; watching " +
				w.member + " instead")
		}
		if a.Response.Lost == nil && !a.Response.Good() &&
			!strings.Contains(a.Response.Body, "still starting") {
			w.failed, w.failedAt = a.Response.Err(), time.Now()
		}
	default:
	}
	return nil
}

// measure finds out how long PostgreSQL was away, as far as looking now and then can tell.
func (w *restartWatch) measure(node NodeState) {
	now := time.Now()
	up := node.State == StateRunning && !node.StartedAt.IsZero()
	switch {
	case !w.stopped && up && node.StartedAt.Equal(w.before.StartedAt):
		w.lastUp = now
	case up && !w.backUp:
		w.stopped, w.backUp = true, true
		if w.lastUp.IsZero() {
			w.lastUp = w.start
		}
		w.down = now.Sub(w.lastUp)
	default:
		w.stopped = true
	}
}

func (w *restartWatch) lookAtCluster(ctx context.Context, node NodeState) (string, error) {
	state, err := w.client.Cluster(ctx)
	if err != nil {
		return "", err
	}
	w.wake(ctx)
	if !state.Healthy(w.member) || !node.Follows(state) {
		return describe(state), nil
	}
	if w.backAt.IsZero() {
		w.backAt = time.Now()
	}
	w.pending = nil
	if node.PendingRestart {
		w.pending = node.PendingReason
		if time.Since(w.backAt) <= pendingGrace {
			return w.member + " still has settings pending: " + settings(node.PendingReason), nil
		}
	}
	return "", nil
}
