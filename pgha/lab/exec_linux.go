package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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
		return -1, withHint(err, fmt.Sprintf("give it power: pgha-cli lab start-host --name %s %s", l.Name(), h.Name))
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

func enterHost(ctx context.Context, pid int, argv []string, stdio Stdio) (int, error) {
	args := []string{"--target=" + strconv.Itoa(pid), "--all", "--root", "--wd", "--"}
	return runNsenter(ctx, append(args, argv...), cleanEnv(), stdio)
}

// runNsenter runs nsenter and passes the exit code through. When ctx ends,
// the program is killed with everything it started, unless it has the
// terminal: then it has to stay in the terminal's process group.
func runNsenter(ctx context.Context, args, env []string, stdio Stdio) (int, error) {
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdio.In, stdio.Out, stdio.Err
	cmd.WaitDelay = time.Second
	if !isTerminal(stdio.In) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return -1, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}

func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok || f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
