package etcd

import (
	"context"
	_ "embed"
	"strings"

	"github.com/pgha/toolkit/pgha/remote"
)

// facts are what one look at a member's host tells.
type facts struct {
	version string // of the installed etcd, "" without one
	arch    string // as in the names of release archives
	hasData bool   // etcd has started here before
	formed  bool   // an earlier run has seen the cluster healthy
	running bool
	started bool   // by this run, in admit
	digest  string // of the configuration that the running process was started with
}

// runningEnvironment prints the environment of the process of unit $1; it fails if there is none.
// The control group tells which process that is without asking systemd, which takes ten times as
// long; not every host has it there.
//
//go:embed environment.sh
var runningEnvironment string

// look asks one host for its facts in one round trip.
func (o Options) look(ctx context.Context, t *remote.Target) (facts, error) {
	res, err := t.Batch(ctx,
		// etcd says what it was built for; where there is none dpkg does.
		[]string{"sh", "-c",
			`"$1" --version || echo "Go OS/Arch: linux/$(dpkg --print-architecture)"`,
			"sh", o.program()},
		// The folder alone proves nothing: etcd makes it before it has written what it would come
		// back with.
		[]string{"sh", "-c", `set -- "$1"/member/wal/*.wal && [ -e "$1" ]`, "sh", o.DataDir},
		[]string{"grep", "-qx", emptyVariable + `="no"`, envFile},
		[]string{"sh", "-c", runningEnvironment, "sh", Unit},
	)
	if err != nil {
		return facts{}, err
	}
	return facts{
		version: value(res[0].Stdout, "etcd Version: "),
		arch:    value(res[0].Stdout, "Go OS/Arch: linux/"),
		hasData: res[1].ExitCode == 0,
		formed:  res[2].ExitCode == 0,
		running: res[3].ExitCode == 0,
		digest:  value(res[3].Stdout, digestVariable+"="),
	}, nil
}

// value returns what follows prefix in the first line of text that begins with it.
func value(text []byte, prefix string) string {
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (o Options) lookAll(ctx context.Context) ([]facts, error) {
	seen := make([]facts, len(o.Members))
	err := o.each(ctx, func(ctx context.Context, i int, m Member) (err error) {
		seen[i], err = o.look(ctx, m.Target)
		return err
	})
	return seen, err
}
