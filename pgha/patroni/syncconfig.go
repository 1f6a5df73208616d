package patroni

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// SyncConfig brings the dynamic configuration in the DCS in line with the options and returns what
// differed, one change a setting. What an earlier run wrote there and the options do not define any
// more is removed; other keys that they do not define are left alone, so what operators set with
// patronictl edit-config stays. The changes are also reported through the first member's target;
// when the targets only plan, that is all that happens. Safe to repeat. Parameters are compared by
// what they mean if the options tell how (Meaning), anything else as text. The cluster must be
// initialized; otherwise the error matches ErrUnavailable.
func SyncConfig(ctx context.Context, o Options) (remote.Changes, error) {
	o = o.WithDefaults()
	if len(o.Members) == 0 || o.Members[0].Target == nil {
		return nil, fmt.Errorf("%w: no member with a target", ErrInvalid)
	}
	written, _, err := written(ctx, o)
	if err != nil {
		return nil, err
	}
	return syncConfig(ctx, o, written)
}

// syncConfig is SyncConfig with what an earlier run has written.
func syncConfig(ctx context.Context, o Options, written map[string]any) (remote.Changes, error) {
	current, err := newOperator(o).Config(ctx)
	if err != nil {
		return nil, err
	}
	return alignConfig(ctx, o, written, current)
}

// alignConfig is syncConfig with the dynamic configuration as it is.
func alignConfig(ctx context.Context, o Options, written,
	current map[string]any) (remote.Changes, error) {
	wanted, err := dynamic.Normalize(host.Dynamic(o))
	if err != nil {
		return nil, err
	}
	dynamic.Drop(wanted, written, current)
	dynamic.Yield(wanted, written, current)
	patch, changes := dynamic.Difference(current, wanted)
	if len(patch) > 0 && o.Meaning != nil {
		keepForms(ctx, o, current, wanted)
		patch, changes = dynamic.Difference(current, wanted)
	}
	if len(patch) == 0 {
		return nil, nil
	}
	target := there(o)[0].Target
	if !o.Planning() {
		if _, err := newOperator(o).PatchConfig(ctx, patch); err != nil {
			return nil, err
		}
	}
	for i := range changes {
		changes[i].Host, changes[i].Planned = target.Name, o.Planning()
		report(target, changes[i])
	}
	return changes, nil
}

// keepForms takes the DCS's form of each parameter that means the same in both, so that nothing is
// changed for the sake of its form.
func keepForms(ctx context.Context, o Options, current, wanted map[string]any) {
	have, want := dynamic.Parameters(current), dynamic.Parameters(wanted)
	var names []string
	for name, value := range want {
		if old := have[name]; old != nil && value != nil && !dynamic.Same(old, value) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	means, err := o.Meaning(ctx)
	if err != nil {
		return
	}
	for _, name := range names {
		if means(name, fmt.Sprint(have[name]), fmt.Sprint(want[name])) {
			want[name] = have[name]
		}
	}
}

// DropSlots drops replication slots that were kept on all members (Options.Slots) and are no more:
// Patroni leaves them where they are. members says which there are on each, by its name. The leader
// comes first, so that no other copies them again. One that somebody reads stays, as does one that
// the dynamic configuration names again.
//
// Safe to repeat. Errors match ErrUnavailable; when the targets only plan, the changes are reported
// and nothing happens.
func DropSlots(ctx context.Context, o Options, members map[string][]string) error {
	o = o.WithDefaults()
	c := newOperator(o)
	state, err := c.Cluster(ctx)
	if err != nil {
		return fmt.Errorf("drop slots: %w", err)
	}
	var kept map[string]any
	if !o.Planning() {
		config, err := c.Config(ctx)
		if err != nil {
			return fmt.Errorf("drop slots: %w", err)
		}
		kept, _ = config[dynamic.Slots].(map[string]any)
	}
	order := inTurn(o.Members, state)
	slices.Reverse(order)
	for _, i := range order {
		m := o.Members[i]
		names := slices.DeleteFunc(slices.Clone(members[m.Name]), func(name string) bool {
			_, named := kept[name]
			return named
		})
		if m.Target == nil || len(names) == 0 {
			continue
		}
		_, err := m.Target.Do(ctx, "replication slot "+strings.Join(names, ", "), "dropped",
			host.DropSlots(o, names))
		if err != nil {
			return fmt.Errorf("drop slots: %w", remote.OnHost(m.Target.Name, err))
		}
	}
	return nil
}
