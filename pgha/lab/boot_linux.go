package lab

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const bootPoll = 50 * time.Millisecond

// boot connects the host to the switch and launches it, detached from us:
// its own session, its console in a file, its own control group.
func (l *Lab) boot(ctx context.Context, groups *cgroups, h hostPlan) error {
	dir, name := l.hostDir(h.Name), hostNamespace(l.Name(), h.Name)
	if err := buildHostNetwork(ctx, l.Name(), h, !cableIsCut(dir)); err != nil {
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
	console, err := os.OpenFile(filepath.Join(dir, consoleLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open console log: %w", err)
	}
	defer console.Close()
	script, err := recipe.ReadFile("recipe/launch.sh")
	if err != nil {
		return fmt.Errorf("read launch script: %w", err)
	}
	cmd := exec.Command("/bin/sh", "-c", string(script), "launch",
		filepath.Join(l.cache.image(l.record.Image), "root"), dir, namespacePath(name), h.Name)
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

// waitReady waits until systemd has finished booting and sshd answers.
func (l *Lab) waitReady(ctx context.Context, groups *cgroups, h hostPlan) error {
	name := hostNamespace(l.Name(), h.Name)
	for {
		if !groups.populated(name) {
			return fmt.Errorf("boot: it ended: %s", l.consoleTail(h.Name))
		}
		state, err := l.systemState(ctx, groups.initPID(name))
		if err != nil {
			return err
		}
		if state == "running" {
			break
		}
		if state == "degraded" {
			failed := l.output(ctx, groups.initPID(name), "systemctl", "list-units", "--failed", "--no-legend", "--plain")
			l.progress.send(Event{Host: h.Name, Step: "degraded", Message: "failed units: " + failed, Done: true})
			break
		}
		if err := pause(ctx, bootPoll); err != nil {
			return fmt.Errorf("wait for boot, system is %q: %w", state, err)
		}
	}
	if cableIsCut(l.hostDir(h.Name)) {
		return nil
	}
	return l.waitSSH(ctx, h)
}

// systemState asks systemd how far it is. Early in the boot it cannot answer.
func (l *Lab) systemState(ctx context.Context, pid int) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	if pid == 0 {
		return "", nil
	}
	return l.output(ctx, pid, "systemctl", "is-system-running", "--wait"), nil
}

// output runs a short question inside a host; the answer is what it prints.
func (l *Lab) output(ctx context.Context, pid int, argv ...string) string {
	var out bytes.Buffer
	_, _ = enterHost(ctx, pid, argv, Stdio{Out: &out})
	return strings.TrimSpace(out.String())
}

func (l *Lab) waitSSH(ctx context.Context, h hostPlan) error {
	for {
		err := l.readSSHBanner(ctx, h.Address)
		if err == nil {
			return nil
		}
		if waitErr := pause(ctx, bootPoll); waitErr != nil {
			return fmt.Errorf("wait for sshd: %w: %w", waitErr, err)
		}
	}
}

func (l *Lab) readSSHBanner(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := l.DialContext(ctx, "tcp", address+":22")
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetReadDeadline(deadline)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read ssh banner: %w", err)
	}
	if !strings.HasPrefix(line, "SSH-2.0-") {
		return fmt.Errorf("read ssh banner: got %q", line)
	}
	return nil
}

// consoleTail returns the last lines of the host's console, on one line.
func (l *Lab) consoleTail(host string) string {
	text, err := os.ReadFile(filepath.Join(l.hostDir(host), consoleLog))
	if err != nil {
		return err.Error()
	}
	tail := &tailWriter{limit: 1024}
	_, _ = tail.Write(text)
	return tail.String()
}
