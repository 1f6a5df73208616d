package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
)

const bootPoll = 50 * time.Millisecond

// waitReady waits until systemd has finished booting and sshd answers.
func (l *Lab) waitReady(ctx context.Context, groups *cgroups, h hostPlan) error {
	name := hostNamespace(l.Name(), h.Name)
	err := poll.Until(ctx, poll.Options{What: "systemd to finish booting", Every: bootPoll},
		func(ctx context.Context) (string, error) {
			if !groups.populated(name) {
				return "", poll.Stop(l.bootEnded(h.Name))
			}
			state, err := l.systemState(ctx, groups.initPID(name))
			switch {
			case err != nil:
				return "", err
			case state == "running":
				return "", nil
			case state == "degraded":
				failed := l.output(ctx, groups.initPID(name), "systemctl", "list-units", "--failed",
					"--no-legend", "--plain")
				l.progress.send(Event{Host: h.Name, Step: "degraded",
					Message: "failed units: " + failed, Done: true})
				return "", nil
			}
			return fmt.Sprintf("the system is %q", state), nil
		})
	if err != nil {
		return err
	}
	if cableIsCut(l.hostDir(h.Name)) {
		return nil
	}
	return l.waitSSH(ctx, h)
}

// bootEnded says why a host is gone again. One that said nothing at all most likely got no inotify
// instance: each systemd takes several, and all labs of a machine share what the kernel allows to
// one user.
func (l *Lab) bootEnded(host string) error {
	said := l.consoleTail(host)
	if said != "" {
		return fmt.Errorf("boot: it ended: %s", said)
	}
	return withHint(errors.New("boot: it ended without a word"),
		"do several labs run? Their hosts share fs.inotify.max_user_instances: take one down, or "+
			"raise it with sysctl")
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
	return poll.Until(ctx, poll.Options{What: "sshd", Every: bootPoll},
		func(ctx context.Context) (string, error) { return "", l.readSSHBanner(ctx, h.Address) })
}

func (l *Lab) readSSHBanner(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := l.DialContext(ctx, "tcp", net.JoinHostPort(address, "22"))
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
