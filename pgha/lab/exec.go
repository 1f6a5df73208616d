package lab

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/pgha/toolkit/pgha/errs"
)

// Stdio is what a program reads and writes. A nil field is /dev/null. An
// *os.File is handed over as it is, so a terminal stays a terminal.
type Stdio struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Exec runs a program inside a host, as root, in / and with a clean
// environment, and returns its exit code: 0 to 125 as the program gave it,
// 126 or 127 when it cannot be run or is not there, 128 plus the signal when
// one ended it. The error is about Exec itself: ErrUnknownHost, ErrHostDown
// or ctx's, and then the exit code is -1. It works with the cable cut.
func (l *Lab) Exec(ctx context.Context, host string, argv []string, stdio Stdio) (int, error) {
	h, err := l.plan(host)
	if err != nil {
		return -1, err
	}
	if len(argv) == 0 {
		return -1, fmt.Errorf("exec on host %s: no program given", h.Name)
	}
	groups, err := openCgroups()
	if err != nil {
		return -1, err
	}
	pid := groups.initPID(hostNamespace(l.Name(), h.Name))
	groups.close()
	if pid == 0 {
		err := fmt.Errorf("exec on host %s: %w", h.Name, ErrHostDown)
		return -1, errs.WithNext(err,
			errs.Text("give it power: %s", errs.Verb("lab", "start", h.Name, "--lab-name",
				l.Name())))
	}
	exit, err := enterHost(ctx, pid, argv, stdio)
	if err != nil {
		return -1, fmt.Errorf("exec on host %s: %w", h.Name, err)
	}
	return exit, nil
}

// Run runs a program of this machine inside the lab's network, in the
// current directory and with this process's environment: psql, curl or ssh
// see the hosts at their addresses and nothing else. Exit codes are as for
// Exec. It returns ErrNotRunning when the lab is gone.
func (l *Lab) Run(ctx context.Context, argv []string, stdio Stdio) (int, error) {
	if len(argv) == 0 {
		return -1, fmt.Errorf("run in lab %s: no program given", l.Name())
	}
	if !namespaceExists(lanNamespace(l.Name())) {
		return -1, notRunning(l.Name())
	}
	args := append([]string{"--net=" + namespacePath(lanNamespace(l.Name())), "--"}, argv...)
	exit, err := runNsenter(ctx, args, nil, stdio)
	if err != nil {
		return -1, fmt.Errorf("run in lab %s: %w", l.Name(), err)
	}
	return exit, nil
}

// asChild runs its arguments as a child of the shell. nsenter's own child would not do: nsenter
// (util-linux 2.38.1) stops itself when its child is stopped, systemd stops every process of
// a host before it ends them for a reboot or a poweroff, and nobody would continue nsenter. The
// host's PID 1 then waits for ever for that child to be reaped, and whoever called waits too.
const asChild = `"$@"; exit $?`

func enterHost(ctx context.Context, pid int, argv []string, stdio Stdio) (int, error) {
	args := []string{"--target=" + strconv.Itoa(pid), "--all", "--root", "--wd", "--no-fork", "--",
		"/bin/sh", "-c", asChild, "sh"}
	return runNsenter(ctx, append(args, argv...), cleanEnv(), stdio)
}
