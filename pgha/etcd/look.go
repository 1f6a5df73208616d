package etcd

import (
	"context"
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

// runningEnvironment prints the environment of the process of unit $1; it fails if there is none. The control group
// tells which process that is without asking systemd, which takes ten times as long; not every host has it there.
const runningEnvironment = `if [ -d /sys/fs/cgroup/system.slice ]; then
	read -r pid <"/sys/fs/cgroup/system.slice/$1/cgroup.procs" && read -r name <"/proc/$pid/comm" && [ "$name" = etcd ]
else
	pid=$(systemctl show -p MainPID --value "$1") && [ "$pid" != 0 ]
fi && tr '\0' '\n' <"/proc/$pid/environ"`

// look asks one host for its facts in one round trip.
func (o Options) look(ctx context.Context, t *remote.Target) (facts, error) {
	res, err := t.Batch(ctx,
		[]string{o.program(), "--version"},
		[]string{"dpkg", "--print-architecture"},
		// The folder alone proves nothing: etcd makes it before it has written what it would come back with.
		[]string{"sh", "-c", `set -- "$1"/member/wal/*.wal && [ -e "$1" ]`, "sh", o.DataDir},
		[]string{"grep", "-qx", emptyVariable + `="no"`, envFile},
		[]string{"sh", "-c", runningEnvironment, "sh", unit},
	)
	if err != nil {
		return facts{}, err
	}
	return facts{
		version: value(res[0].Stdout, "etcd Version: "),
		arch:    strings.TrimSpace(string(res[1].Stdout)),
		hasData: res[2].ExitCode == 0,
		formed:  res[3].ExitCode == 0,
		running: res[4].ExitCode == 0,
		digest:  value(res[4].Stdout, digestVariable+"="),
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
