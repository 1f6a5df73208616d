package patroni

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/remote"
)

// PauseOptions are those of Pause and Resume.
type PauseOptions struct {
	// Wait until every member that answers has noticed.
	Wait bool
	// Timeout bounds the whole operation. 0 means the Options' Wait.
	Timeout time.Duration
}

// PauseResult is what Pause and Resume did.
type PauseResult struct {
	// Paused is how the cluster is now.
	Paused bool `json:"paused"`
	// Changed is false when it was so already.
	Changed bool `json:"changed"`
	// Confirmed are the members that have noticed, Silent those that did not answer. Both are empty
	// without Wait.
	Confirmed []string `json:"confirmed,omitempty"`
	Silent    []string `json:"silent,omitempty"`
	Took      Elapsed  `json:"took_seconds"`
}

// Pause takes the cluster out of Patroni's hands: no failover happens, and a PostgreSQL that stops
// stays stopped, until Resume. On a paused cluster it changes nothing. When ctx ends or time runs
// out while it waits, the pause is taken back; when even that fails the error says that the cluster
// is paused. Errors match ErrUnavailable or ErrTimeout. When the targets only plan, the change is
// reported and nothing happens.
func Pause(ctx context.Context, o Options, po PauseOptions) (PauseResult, error) {
	return setPause(ctx, o, po, true)
}

// Resume puts the cluster back into Patroni's hands. On a cluster that is not paused it changes
// nothing. Errors match ErrUnavailable or ErrTimeout; after ErrTimeout the cluster is resumed, but
// not every member has noticed. When the targets only plan, the change is reported and nothing
// happens.
func Resume(ctx context.Context, o Options, po PauseOptions) (PauseResult, error) {
	return setPause(ctx, o, po, false)
}

func setPause(ctx context.Context, o Options, po PauseOptions, pause bool) (PauseResult, error) {
	verb := "resume"
	if pause {
		verb = "pause"
	}
	o = o.WithDefaults()
	po.Timeout = cmp.Or(po.Timeout, o.Wait)
	var result PauseResult
	err := within(ctx, po.Timeout, verb, func(ctx context.Context) (err error) {
		result, err = newOperator(o).setPause(ctx, po, pause)
		return err
	})
	return result, err
}

func (c *operator) setPause(ctx context.Context, po PauseOptions, pause bool) (PauseResult, error) {
	start := time.Now()
	state, err := c.Cluster(ctx)
	if err != nil {
		return PauseResult{}, err
	}
	result := PauseResult{Paused: state.Paused}
	if state.Paused != pause {
		change := remote.Change{Kind: "setting", Name: "pause",
			Action: map[bool]string{true: "set to true", false: "removed"}[pause]}
		if c.options.Planning() {
			c.changed(c.options.Members[0], change)
			return result, nil
		}
		if _, err := c.apply(ctx, pausePatch(pause)); err != nil {
			return result, c.unpause(ctx, pause, err)
		}
		result.Paused, result.Changed = pause, true
		c.changed(c.options.Members[0], change)
	}
	if po.Wait && !c.options.Planning() {
		result.Confirmed, result.Silent, err = c.waitPause(ctx, po.Timeout, pause)
	}
	result.Took = since(start)
	if err != nil && result.Changed {
		return result, c.unpause(ctx, pause, err)
	}
	return result, err
}

func pausePatch(pause bool) map[string]any {
	if pause {
		return map[string]any{"pause": true}
	}
	return map[string]any{"pause": nil}
}

// unpause takes back a pause that could not be confirmed. A resume is left as it is.
func (c *operator) unpause(ctx context.Context, pause bool, cause error) error {
	if !pause {
		return cause
	}
	err := retract(ctx, func(ctx context.Context) error {
		_, err := c.PatchConfig(ctx, pausePatch(false))
		return err
	})
	if err != nil {
		return remote.WithHint(fmt.Errorf("%w; the cluster may be PAUSED, because taking it back "+
			"failed: %w",
			cause, err), "resume it")
	}
	c.changed(c.options.Members[0], remote.Change{Kind: "setting", Name: "pause",
		Action: "taken back"})
	return fmt.Errorf("%w; the pause was taken back", cause)
}

// waitPause waits until every member that answers says that it is paused, or that it is not.
func (c *operator) waitPause(ctx context.Context, bound time.Duration,
	pause bool) (confirmed, silent []string,
	err error) {
	what := map[bool]string{true: "all members to be paused",
		false: "all members to be resumed"}[pause]
	err = poll.Until(ctx, poll.Options{What: what, Bound: bound},
		func(ctx context.Context) (string, error) {
			nodes, gone := c.nodes(ctx)
			confirmed, silent = nil, nil
			var waiting []string
			for _, m := range c.options.Members {
				node, answers := nodes[m.Name]
				switch {
				case gone[m.Name] != nil || !answers:
					silent = append(silent, m.Name)
				case node.Paused == pause:
					confirmed = append(confirmed, m.Name)
				default:
					waiting = append(waiting, m.Name)
				}
			}
			if len(waiting) == 0 && len(confirmed) > 0 {
				return "", nil
			}
			return "not yet: " + strings.Join(slices.Concat(waiting, silent), ", "), nil
		})
	return confirmed, silent, err
}
