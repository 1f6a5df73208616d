package patroni

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetConfigOptions say what changes in the dynamic configuration.
type SetConfigOptions struct {
	// Patch is merged into the configuration. A nil value removes its key.
	Patch map[string]any
	// Expect is the whole configuration that the operator saw. When the DCS holds something else by
	// now, nothing is changed. nil does not check.
	Expect map[string]any
	// Timeout bounds the whole operation. 0 means the Options' Wait.
	Timeout time.Duration
}

// ConfigChange is one setting that changed.
type ConfigChange struct {
	// Key is the path to the setting, with dots: "postgresql.parameters.work_mem".
	Key string `json:"key"`
	// Old and New are its values; nil means that there is none.
	Old any `json:"old"`
	New any `json:"new"`
}

// PendingMember is a member on which settings wait for a restart of PostgreSQL.
type PendingMember struct {
	Member   string   `json:"member"`
	Settings []string `json:"settings"`
}

// SetConfigResult is what SetConfig did.
type SetConfigResult struct {
	// Changes is empty when the configuration was so already.
	Changes []ConfigChange `json:"changes"`
	// Config is the configuration afterwards; before, when the run only planned.
	Config map[string]any `json:"config"`
	// Pending are the members that wait for a restart, for this change or an earlier one.
	Pending []PendingMember `json:"pending_restart"`
	// Silent are the members that did not answer. They take the configuration when they are back.
	Silent []string `json:"silent,omitempty"`
	Took   Elapsed  `json:"took_seconds"`
}

// SetConfig changes the dynamic configuration of the whole cluster, waits until every member that
// answers has taken it, and says which of them now wait for a restart of PostgreSQL.
//
// Nothing is changed when the error matches ErrInvalid (the patch breaks a rule of ValidateDynamic)
// or ErrConflict (the configuration is not the expected one any more). Other errors match
// ErrUnavailable or ErrTimeout; the change is made in one piece and stands then. Safe to repeat:
// what is so already is left alone. When the targets only plan, the changes are reported and
// nothing happens.
func SetConfig(ctx context.Context, o Options, so SetConfigOptions) (SetConfigResult, error) {
	o = o.WithDefaults()
	so.Timeout = cmp.Or(so.Timeout, o.Wait)
	var result SetConfigResult
	err := within(ctx, so.Timeout, "change configuration", func(ctx context.Context) (err error) {
		result, err = newOperator(o).setConfig(ctx, so)
		return err
	})
	return result, err
}

func (c *operator) setConfig(ctx context.Context, so SetConfigOptions) (SetConfigResult, error) {
	start := time.Now()
	current, err := c.Config(ctx)
	if err != nil {
		return SetConfigResult{}, err
	}
	result := SetConfigResult{Config: current}
	if so.Expect != nil {
		if err := checkExpected(current, so.Expect); err != nil {
			return result, err
		}
	}
	wanted, err := dynamic.Normalize(so.Patch)
	if err != nil {
		return result, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	patch, changes := dynamic.Difference(current, wanted)
	if err := dynamic.ValidateChange(current, configtree.Merged(current, patch)); err != nil {
		return result, err
	}
	result.Changes = describeChanges("", current, patch)
	if len(patch) > 0 && !c.options.Planning() {
		if result.Config, err = c.apply(ctx, patch); err != nil {
			return result, err
		}
	}
	for _, change := range changes {
		c.changed(c.options.Members[0], change)
	}
	if c.options.Planning() {
		return result, nil
	}
	if len(patch) > 0 {
		if result.Silent, err = c.waitTaken(ctx, so.Timeout, patch); err != nil {
			return result, err
		}
	}
	result.Pending, err = c.waitPending(ctx, changes)
	result.Took = since(start)
	return result, err
}

// apply is PatchConfig that looks whether the patch was made after all when nobody confirms it.
func (c *operator) apply(ctx context.Context, patch map[string]any) (map[string]any, error) {
	config, err := c.PatchConfig(ctx, patch)
	if err == nil || ctx.Err() != nil {
		return config, err
	}
	c.options.Progress("warning: nobody confirms the change, looking whether it was made: " +
		err.Error())
	if _, lost := c.waitTaken(ctx, rest.RequestTimeout, patch); lost != nil {
		return nil, err
	}
	return c.Config(ctx)
}

// waitTaken waits until every member that answers shows what the patch has set.
func (c *operator) waitTaken(ctx context.Context, bound time.Duration,
	patch map[string]any) (silent []string,
	err error) {
	what := poll.Options{What: "the members to take the configuration", Bound: bound}
	err = poll.Until(ctx, what, func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		silent = nil
		var waiting []string
		for _, m := range c.options.Members {
			config, err := c.ConfigOf(ctx, m.Name)
			if err != nil {
				silent = append(silent, m.Name)
				continue
			}
			if left, _ := dynamic.Difference(config, patch); len(left) > 0 {
				waiting = append(waiting, m.Name)
			}
		}
		if len(waiting) == 0 && len(silent) < len(c.options.Members) {
			return "", nil
		}
		return "not yet: " + strings.Join(slices.Concat(waiting, silent), ", "), nil
	})
	return silent, err
}

// waitPending gives PostgreSQL a moment to say that a changed parameter needs a restart.
func (c *operator) waitPending(ctx context.Context,
	changes remote.Changes) ([]PendingMember, error) {
	var pending []PendingMember
	for _, node := range c.awaitPending(ctx, changes, len(c.options.Members)) {
		pending = append(pending, PendingMember{Member: node.Name, Settings: node.PendingReason})
	}
	return pending, ctx.Err()
}

// checkExpected compares whole configurations: a key that is new counts as changed, too.
func checkExpected(current, expected map[string]any) error {
	seen, err := dynamic.Normalize(expected)
	if err != nil {
		return fmt.Errorf("%w: expected configuration: %w", ErrInvalid, err)
	}
	_, there := dynamic.Difference(current, seen)
	_, back := dynamic.Difference(seen, current)
	var keys []string
	for _, change := range slices.Concat(there, back) {
		keys = append(keys, change.Name)
	}
	slices.Sort(keys)
	if keys = slices.Compact(keys); len(keys) > 0 {
		return remote.WithHint(fmt.Errorf("%w: %s", ErrConflict, strings.Join(keys, ", ")),
			"look at the configuration again and repeat the change")
	}
	return nil
}

// describeChanges lists what the patch changes, in the order of the keys.
func describeChanges(prefix string, have, patch map[string]any) []ConfigChange {
	var changes []ConfigChange
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		if inner, ok := patch[key].(map[string]any); ok {
			old, _ := have[key].(map[string]any)
			changes = append(changes, describeChanges(prefix+key+".", old, inner)...)
			continue
		}
		changes = append(changes, ConfigChange{Key: prefix + key, Old: have[key], New: patch[key]})
	}
	return changes
}
