package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// boot connects the host to the switch and launches it, detached from us:
// its own session, its console in a file, its own control group.
func (l *Lab) boot(ctx context.Context, groups *cgroups, h hostPlan) error {
	dir, name := l.hostDir(h.Name), hostNamespace(l.Name(), h.Name)
	if err := buildHostNetwork(ctx, l.Name(), l.record.network(), h, !cableIsCut(dir)); err != nil {
		return err
	}
	if err := groups.remove(ctx, name); err != nil { // what a poweroff left
		return err
	}
	group, err := groups.create(name)
	if err != nil {
		return err
	}
	defer group.Close()
	console, err := os.OpenFile(filepath.Join(dir, consoleLog),
		os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open console log: %w", err)
	}
	defer console.Close()
	script, err := recipe.ReadFile("recipe/launch.sh")
	if err != nil {
		return fmt.Errorf("read launch script: %w", err)
	}
	cmd := exec.Command("/bin/sh", "-c", string(script), "launch",
		l.record.lower(l.cache, h.Role), dir, namespacePath(name), h.Name, name)
	cmd.Env = cleanEnv("SYSTEMD_NSPAWN_API_VFS_WRITABLE=network")
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:       true,
		Unshareflags: syscall.CLONE_NEWNS,
		UseCgroupFD:  true,
		CgroupFD:     int(group.Fd()),
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("launch: %w", err)
	}
	// Reap it if it ends before we do; its end is seen in the control group.
	go func() { _ = cmd.Wait() }()
	return nil
}
