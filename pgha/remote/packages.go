package remote

import (
	"context"
	_ "embed"
	"strings"
	"time"
)

//go:embed install.sh
var installScript string

// installTimeout bounds one installation: generous, because a slow mirror is not an error.
const installTimeout = 15 * time.Minute

// Packages are Debian packages that are installed, all in one call of apt-get. An installed package
// is never upgraded or downgraded, except to a version that is asked for.
type Packages struct {
	// Names are package names, each optionally "name=version" with the exact Debian version.
	Names []string
	// Quiet are units that the packages bring and must not start by themselves. They are masked
	// until the next boot or until a Unit of this name is ensured to run.
	Quiet []string
	// Modules are Python modules that the packages bring and that run soon, such as "patroni.ha".
	// They and what they import are compiled at once; all others a minute later, at idle priority,
	// by a transient unit. With none here, each package compiles its own while it is installed.
	Modules []string
}

func (p Packages) String() string { return "packages " + strings.Join(p.Names, " ") }
func (p Packages) questions(q *questions) {
	for _, n := range p.Names {
		name, _, _ := strings.Cut(n, "=")
		q.packages.add(name)
	}
}
func (p Packages) settle(ctx context.Context, t *Target, seen *observation,
	_ Changes) (Changes, error) {
	var missing []string
	var changes Changes
	for _, n := range p.Names {
		name, version, pinned := strings.Cut(n, "=")
		have := seen.packages[name]
		switch {
		case have.status == "installed" && (!pinned || have.version == version):
			continue
		case have.status == "installed":
			changes = append(changes, Change{Kind: "package", Name: name,
				Action: "changed from " + have.version + " to " + version, Was: &Was{}})
		default:
			changes = append(changes, Change{Kind: "package", Name: name, Action: "installed"})
		}
		missing = append(missing, n)
	}
	if len(missing) == 0 {
		return nil, nil
	}
	argv := append([]string{strings.Join(p.Quiet, " "), strings.Join(p.Modules, " ")}, missing...)
	install := Cmd{Script: installScript, Argv: argv, Timeout: installTimeout, Mutating: true}
	_, err := t.Run(ctx, install)
	if err != nil {
		return nil, WithHint(err, "see `apt-cache policy "+strings.Join(missing, " ")+
			"` on "+t.Name+
			"; once it installs there by hand, apply again")
	}
	return changes, nil
}
