package patroni

import (
	"context"
	"fmt"
	"net/http"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// ReloadResult is what Reload did.
type ReloadResult struct {
	// Reloaded are the members that accepted it.
	Reloaded []string `json:"reloaded"`
}

// Reload makes the named members, or all of them, read their config.yml again. PostgreSQL is
// reloaded with what changed and not restarted: settings that need that become pending. Patroni
// reports nothing when it is done, so nothing is waited for. Safe to repeat. A misspelt member is
// refused before anything is done, and the error matches ErrInvalid; otherwise every member is
// tried, and the error names those that did not accept. When the targets only plan, the changes are
// reported and nothing happens.
func Reload(ctx context.Context, o Options, members ...string) (ReloadResult, error) {
	c := newOperator(o)
	var result ReloadResult
	state, err := c.Cluster(ctx)
	if err != nil {
		return result, fmt.Errorf("reload: %w", err)
	}
	if len(members) == 0 {
		members = state.Names()
	}
	targets := make([]Member, len(members))
	for i, name := range members {
		if _, ok := state.Member(name); !ok {
			return result, fmt.Errorf("reload: %w", unknownMember(state, name, ErrInvalid))
		}
		if targets[i], err = c.member(name); err != nil {
			return result, fmt.Errorf("reload: %w", err)
		}
	}
	var failed []error
	for _, m := range targets {
		if !c.options.Planning() {
			if err := c.reload(ctx, m); err != nil {
				failed = append(failed, err)
				continue
			}
		}
		c.changed(m, remote.Change{Kind: "member", Name: m.Name, Action: "reloaded"})
		result.Reloaded = append(result.Reloaded, m.Name)
	}
	if err := errs.Join(failed...); err != nil {
		return result, fmt.Errorf("reload: %w", err)
	}
	return result, nil
}

// reload is safe to repeat, so a lost answer is an error like any other.
func (c *operator) reload(ctx context.Context, m Member) error {
	r, err := c.Quick(ctx, m.Name, http.MethodPost, "/reload", nil)
	if err != nil {
		return err
	}
	if !r.Good() {
		return r.Err()
	}
	return nil
}
