package remote

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// upgradeTimeout bounds one upgrade: a host that was left alone for a year may get all of it again.
const upgradeTimeout = time.Hour

// Upgrade renews the lists of packages and upgrades every installed package to the newest version
// that the host's sources have, as `apt-get --with-new-pkgs upgrade` does: packages that an upgrade
// needs are added, none is removed, and changed configuration files stay. The units are kept from
// starting or restarting meanwhile; those that were enabled stay so.
//
// It returns what has changed, and reports it. A planning target reports what would change by the
// lists that the host has, and changes nothing. Safe to repeat: it finishes what was interrupted,
// and continues when the connection is lost.
func (t *Target) Upgrade(ctx context.Context, units []string) (Changes, error) {
	if t.Planning() {
		out, err := t.Output(ctx, "apt-get", "-q", "-s", "--with-new-pkgs", "upgrade")
		if err != nil {
			return nil, fmt.Errorf("look for upgrades: %w", err)
		}
		return t.upgraded(simulated(out), 0), nil
	}
	start := time.Now()
	before, err := t.versions(ctx)
	if err != nil {
		return nil, err
	}
	_, err = t.Run(ctx, Cmd{Script: installScript, Argv: []string{strings.Join(units, " "), ""},
		Timeout: upgradeTimeout, Mutating: true})
	if err != nil {
		return nil, WithHint(fmt.Errorf("upgrade packages: %w", err),
			"see `apt-get upgrade` on "+t.Name+"; once it works there by hand, run this again")
	}
	after, err := t.versions(ctx)
	if err != nil {
		return nil, err
	}
	return t.upgraded(differing(before, after), time.Since(start)), nil
}

// upgraded completes changes and reports them.
func (t *Target) upgraded(changes Changes, took time.Duration) Changes {
	for i := range changes {
		changes[i].Duration = took
		t.report(changes[i])
	}
	return changes
}

// versions returns the installed packages with their versions.
func (t *Target) versions(ctx context.Context) (map[string]string, error) {
	out, err := t.Output(ctx, "dpkg-query", "--show", "--showformat",
		"${db:Status-Abbrev} ${binary:Package} ${Version}\n")
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	list := map[string]string{}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "ii" {
			list[f[1]] = f[2]
		}
	}
	return list, nil
}

func differing(before, after map[string]string) Changes {
	var changes Changes
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch was, there := before[name]; {
		case !there:
			changes = append(changes, Change{Kind: "package", Name: name,
				Action: "installed, " + after[name]})
		case was != after[name]:
			changes = append(changes, upgradeOf(name, was, after[name]))
		}
	}
	return changes
}

// instLine is a package that apt would install: "Inst libc6 [2.41-12] (2.41-14 Debian:sid
// [amd64])".
var instLine = regexp.MustCompile(`^Inst (\S+)(?: \[(\S+)\])? \((\S+)`)

// simulated reads what `apt-get -s` prints.
func simulated(out string) Changes {
	var changes Changes
	for line := range strings.Lines(out) {
		m := instLine.FindStringSubmatch(line)
		switch {
		case m == nil:
		case m[2] == "":
			changes = append(changes, Change{Kind: "package", Name: m[1],
				Action: "installed, " + m[3]})
		default:
			changes = append(changes, upgradeOf(m[1], m[2], m[3]))
		}
	}
	return changes
}

func upgradeOf(name, from, to string) Change {
	return Change{Kind: "package", Name: name, Action: "upgraded from " + from + " to " + to}
}
