package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// pollInterval is the pause between two looks.
const pollInterval = 100 * time.Millisecond

// await polls check until it returns nil, for at most o.Wait.
func (o Options) await(ctx context.Context, what string, check func(context.Context) error) error {
	return poll.Until(ctx, poll.Options{What: what, Bound: o.Wait, Every: pollInterval},
		func(ctx context.Context) (string, error) { return "", check(ctx) })
}

// awaitHealth waits until each of the given members (indices) answers a read that takes a quorum,
// so a leader.
func (o Options) awaitHealth(ctx context.Context, members []int) error {
	if len(members) == 0 {
		return nil
	}
	var sick Member
	var raised error
	err := o.await(ctx, "etcd to be healthy", func(ctx context.Context) error {
		health, err := Health(ctx, o)
		if err != nil {
			return err
		}
		for _, i := range members {
			if raised = o.raised(i, health[i]); raised != nil {
				return nil
			}
			if h := health[i]; !h.Healthy {
				sick = o.Members[i]
				return fmt.Errorf("%w: member %s: %s", ErrUnhealthy, h.Name, h.Err)
			}
		}
		return nil
	})
	if err == nil {
		return raised
	}
	hint := "see `journalctl -u etcd -n 50` on " + sick.Target.Name
	if words := lastWords(ctx, sick); words != "" {
		hint = "etcd says there: " + words + "; " + hint
	}
	return remote.WithHint(err, hint)
}

// raised is an error if a member (index) has an alarm: no wait and no restart ends that.
func (o Options) raised(i int, h MemberHealth) error {
	if h.Alarm == "" {
		return nil
	}
	err := remote.OnHost(o.Members[i].Target.Name,
		fmt.Errorf("%w: member %s: %s", ErrUnhealthy, h.Name, h.Err))
	if h.Alarm == "NOSPACE" {
		return errs.WithNext(err, errs.Text("run %s", MakeRoom()))
	}
	return errs.WithNext(err,
		errs.Text("%s says how it is mended", errs.Verb("doctor")))
}

// lastWords is the last line of m's log above a warning, or "", leaving out what etcd logs at every
// stop. It is a help for the operator: that it cannot be had is no error.
func lastWords(ctx context.Context, m Member) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	out, err := m.Target.Output(ctx, "journalctl", "-u", Unit, "-n", "200", "-o", "cat",
		"--no-pager")
	if err != nil {
		return ""
	}
	return lastError(out)
}

func lastError(log string) string {
	for _, line := range slices.Backward(strings.Split(log, "\n")) {
		var entry struct{ Level, Msg, Error string }
		if json.Unmarshal([]byte(line), &entry) == nil &&
			(entry.Level == "error" || entry.Level == "fatal") &&
			!strings.Contains(entry.Error, "closed") {
			return strings.TrimSuffix(entry.Msg+": "+entry.Error, ": ")
		}
	}
	return ""
}
