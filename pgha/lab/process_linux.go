package lab

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// buildTimeout bounds one command of a build. The longest, installing the base system, takes about
// a minute with a fast mirror; a mirror that goes silent holds its client for as long as it likes.
const buildTimeout = 20 * time.Minute

// runIsolated runs a build command in mount and process namespaces of its
// own: whatever it mounts or starts ends with it, and it ends with us, even
// when we are killed.
func runIsolated(ctx context.Context, log io.Writer, stdin io.Reader, env []string,
	argv ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, buildTimeout,
		fmt.Errorf("%s has not ended after %s", argv[0], buildTimeout))
	defer cancel()
	runtime.LockOSThread() // the parent-death signal follows the thread
	defer runtime.UnlockOSThread()
	args := append([]string{"--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc",
		"--propagation", "private", "--"}, argv...)
	tail := &tailWriter{limit: 2048}
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env, cmd.Stdin = env, stdin
	cmd.Stdout = io.MultiWriter(log, tail)
	cmd.Stderr = cmd.Stdout
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("run %s: %w: %s", argv[0], err, tail)
	}
	return nil
}
