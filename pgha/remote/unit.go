package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Wish is what is wanted of a yes-or-no property: nothing, that it is so, or that it is not.
type Wish int

// The three wishes; the zero value leaves things as they are.
const (
	Leave Wish = iota
	Yes
	No
)

// Unit is a systemd unit's state. The zero wishes leave it as it is.
type Unit struct {
	Name string
	// Enabled: started at boot, or not.
	Enabled Wish
	// Running: active now, or not. A masked unit is unmasked first; a failed one gets its failures
	// forgotten.
	Running Wish
	// RestartOn and ReloadOn name files: when one of them was changed earlier in the same Ensure,
	// or is newer than the unit's process (because an earlier run was interrupted), a running unit
	// is restarted or reloaded.
	RestartOn, ReloadOn []string
	// Mask keeps the unit from being started by anything at all.
	Mask bool
}

func (u Unit) String() string { return "unit " + u.Name }
func (u Unit) questions(q *questions) {
	q.units.add(u.Name)
	q.paths.add(u.RestartOn...)
	q.paths.add(u.ReloadOn...)
}

func (u Unit) settle(ctx context.Context, t *Target, seen *observation,
	earlier Changes) (Changes, error) {
	was := seen.units[u.Name]
	var changes Changes
	systemctl := func(action string, argv ...string) error {
		if err := t.mutate(ctx, append(append([]string{"systemctl"}, argv...),
			u.Name)...); err != nil {
			return WithHint(err, fmt.Sprintf("see `journalctl -u %s -n 50` on %s", u.Name, t.Name))
		}
		if action != "" {
			changes = append(changes, Change{Kind: "unit", Name: u.Name, Action: action,
				Was: was.before(seen, action)})
		}
		return nil
	}
	running := was.active == "active" || was.active == "reloading" || was.active == "activating"
	type step struct {
		when   bool
		action string
		argv   []string
	}
	take := func(steps []step) error {
		for _, s := range steps {
			if !s.when {
				continue
			}
			if err := systemctl(s.action, s.argv...); err != nil {
				return err
			}
		}
		return nil
	}
	// systemd reads its files again once, after all of these: each time costs a tenth of a second.
	files := []step{
		{u.Mask && !masked(was), "masked", []string{"mask", "--now"}},
		{!u.Mask && masked(was) && (u.Running == Yes || u.Enabled == Yes), "",
			[]string{"unmask", "--no-reload", "--runtime"}},
		{!u.Mask && was.file == "masked" && (u.Running == Yes || u.Enabled == Yes), "unmasked",
			[]string{"unmask", "--no-reload"}},
		{!u.Mask && u.Enabled == Yes && was.file != "enabled", "enabled",
			[]string{"enable", "--no-reload", "--quiet"}},
		{!u.Mask && u.Enabled == No && was.file == "enabled", "disabled",
			[]string{"disable", "--no-reload", "--quiet"}},
	}
	if err := take(files); err != nil {
		return changes, err
	}
	changed := slices.ContainsFunc(files, func(s step) bool { return s.when })
	if changed || was.needReload || earlier.touchedUnitFiles() {
		if err := t.mutate(ctx, "systemctl", "daemon-reload"); err != nil {
			return changes, err
		}
	}
	err := take([]step{
		{!u.Mask && u.Running == No && running, "stopped", []string{"stop"}},
		{!u.Mask && u.Running == Yes && was.active == "failed", "", []string{"reset-failed"}},
		{!u.Mask && u.Running == Yes && !running, "started", []string{"start"}},
		{running && u.Running != No && u.stale(seen, earlier, u.RestartOn, was.entered),
			"restarted",
			[]string{"restart"}},
	})
	if err != nil {
		return changes, err
	}
	if running && !changes.Any() && u.stale(seen, earlier, u.ReloadOn, was.moved) {
		verb := "reload"
		if was.active == "activating" {
			// one that fails and is started again and again may not run just now
			verb = "reload-or-restart"
		}
		if err := systemctl("reloaded", verb); err != nil {
			return changes, err
		}
	}
	return changes, nil
}

func (u Unit) stale(seen *observation, earlier Changes, paths []string, since float64) bool {
	return earlier.Touched(paths...) || seen.newer(paths, since)
}

// before is what is known of a unit before it is changed: when it stopped or started, but not when
// it was enabled or masked.
func (s unitState) before(seen *observation, action string) *Was {
	switch {
	case s.load == "" || s.load == "not-found":
		return nil
	case s.moved > 0 && (action == "started" || action == "stopped"):
		return &Was{Changed: seen.since(seen.epoch + s.moved)}
	}
	return &Was{}
}

func masked(s unitState) bool {
	return s.load == "masked" || s.file == "masked" || s.file == "masked-runtime"
}

// touchedUnitFiles reports whether a file that systemd reads was changed since it was last told:
// that is done before a unit is changed.
func (cs Changes) touchedUnitFiles() (touched bool) {
	for _, c := range cs {
		switch {
		case c.Kind == "unit":
			touched = false
		case c.Kind == "file" && strings.HasPrefix(c.Name, "/etc/systemd/system/"):
			touched = true
		}
	}
	return touched
}
