// Package rollout changes several hosts so that the cluster that they are keeps working: at once
// those that nobody uses yet, the others in turn.
package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/pgha/toolkit/internal/parallel"
)

// Need is what a host needs.
type Need int

// The needs of a host.
const (
	Nothing Need = iota // it is as it should be
	AtOnce              // it serves nobody, so it need not wait for its turn
	InTurn              // it serves, so the others must serve while it changes
)

// Rollout is one change of several hosts, which are named by index.
type Rollout struct {
	// AtOnce and InTurn are the hosts to change, as Sort finds them.
	AtOnce, InTurn []int
	// Order sorts the hosts that take turns, with the one that should move last, such as a leader,
	// at the end. It is asked once, after the hosts of AtOnce, and not at all when nothing takes
	// turns. nil keeps the order of InTurn.
	Order func(ctx context.Context, hosts []int) ([]int, error)
	// Reorder asks Order before every turn, about the hosts that are left: for a change that itself
	// moves the leader. It costs one question a turn.
	Reorder bool
	// Ready waits, before every turn, until the hosts together can do without the next one. nil
	// does not wait.
	Ready func(ctx context.Context) error
	// Change changes a host. It returns a wait that ends when the host works again as it did, or
	// nil when there is nothing to wait for, as in a plan. An error of either ends the rollout.
	Change func(ctx context.Context, host int) (settled func(context.Context) error, err error)
}

// Sort asks at the same time what each of n hosts needs. Nothing has been changed when it fails;
// the errors are in the hosts' order.
func Sort(n int, need func(host int) (Need, error)) (atOnce, inTurn []int, err error) {
	needs := make([]Need, n)
	err = parallel.Each(needs, func(i int, _ Need) (err error) {
		needs[i], err = need(i)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for i, n := range needs {
		switch n {
		case AtOnce:
			atOnce = append(atOnce, i)
		case InTurn:
			inTurn = append(inTurn, i)
		}
	}
	return atOnce, inTurn, nil
}

// Run changes the hosts of AtOnce at the same time, and then those of InTurn one after the other,
// each once the one before has settled. After the first that fails, or when ctx ends, the hosts
// behind it are left as they were. Safe to repeat as far as Change is.
func Run(ctx context.Context, r Rollout) error {
	err := parallel.Each(r.AtOnce, func(_, host int) error { return r.change(ctx, host) })
	if err != nil || len(r.InTurn) == 0 {
		return err
	}
	left := slices.Clone(r.InTurn)
	for ordered := false; len(left) > 0; ordered = true {
		if ctx.Err() != nil {
			return fmt.Errorf("change one host after the other: %w", context.Cause(ctx))
		}
		if r.Ready != nil {
			if err := r.Ready(ctx); err != nil {
				return err
			}
		}
		if r.Order != nil && (r.Reorder || !ordered) {
			if left, err = r.Order(ctx, left); err != nil {
				return err
			}
		}
		if err := r.change(ctx, left[0]); err != nil {
			return err
		}
		left = left[1:]
	}
	return nil
}

// change changes one host and waits until it has settled.
func (r Rollout) change(ctx context.Context, host int) error {
	settled, err := r.Change(ctx, host)
	if err != nil || settled == nil {
		return err
	}
	return settled(ctx)
}

// Last moves the hosts that are last to the end and keeps the order otherwise.
func Last(hosts []int, last func(host int) bool) []int {
	rank := func(host int) int {
		if last(host) {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(hosts),
		func(a, b int) int { return rank(a) - rank(b) })
}
