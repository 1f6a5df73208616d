package lab

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
)

// runIsolated runs a build command in mount and process namespaces of its
// own: whatever it mounts or starts ends with it, and it ends with us, even
// when we are killed.
func runIsolated(ctx context.Context, log io.Writer, stdin io.Reader, env []string,
	argv ...string) error {
	runtime.LockOSThread() // the parent-death signal follows the thread
	defer runtime.UnlockOSThread()
	args := append([]string{"--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc",
		"--propagation", "private", "--"}, argv...)
	tail := &tailWriter{limit: 2048}
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env, cmd.Stdin = env, stdin
	cmd.Stdout = io.MultiWriter(log, tail)
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("run %s: %w: %s", argv[0], err, tail)
	}
	return nil
}
