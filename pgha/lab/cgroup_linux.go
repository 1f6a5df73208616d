package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pgha/toolkit/internal/poll"
)

// A host is identified by its control group: all its processes are in it, it
// is killed as a whole by the kernel, and unlike a process id it can never
// come to mean something else.

// cgroups is the machine's cgroup2 hierarchy, mounted nowhere: the mount is
// known to this process alone and goes with the file descriptor. So it does
// not matter whether and where the machine itself mounts it.
type cgroups struct{ root *os.Root }

func openCgroups() (*cgroups, error) {
	fsfd, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open cgroup2: %w", err)
	}
	defer unix.Close(fsfd)
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return nil, fmt.Errorf("configure cgroup2: %w", err)
	}
	mount, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mount cgroup2: %w", err)
	}
	defer unix.Close(mount)
	root, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(mount))
	if err != nil {
		return nil, fmt.Errorf("open cgroup2: %w", err)
	}
	return &cgroups{root: root}, nil
}

func (c *cgroups) close() { c.root.Close() }

// create makes the group and opens it, for a process to be started in it.
func (c *cgroups) create(name string) (*os.File, error) {
	if err := c.root.Mkdir(name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make control group: %w", err)
	}
	f, err := c.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open control group: %w", err)
	}
	return f, nil
}

// populated tells whether any process is left in the group.
func (c *cgroups) populated(name string) bool {
	events, err := c.root.ReadFile(name + "/cgroup.events")
	return err == nil && strings.Contains(string(events), "populated 1")
}

// initPID returns the process id of the host's own PID 1 as this machine
// sees it, or 0 when there is none (yet).
func (c *cgroups) initPID(name string) int {
	for _, group := range []string{"/host/payload/init.scope", "/host/payload"} {
		procs, err := c.root.ReadFile(name + group + "/cgroup.procs")
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(field); err == nil && isNamespaceInit(pid) {
				return pid
			}
		}
	}
	return 0
}

// isNamespaceInit tells whether the process is PID 1 of a PID namespace
// below ours.
func isNamespaceInit(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			return len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}

// kill ends every process of the group at once, waits until they are gone
// and removes it. A group that does not exist is fine.
func (c *cgroups) kill(ctx context.Context, name string) error {
	f, err := c.root.OpenFile(name+"/cgroup.kill", os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill control group: %w", err)
	}
	_, err = f.WriteString("1")
	f.Close()
	if err != nil {
		return fmt.Errorf("kill control group: %w", err)
	}
	what := poll.Options{What: "the end of control group " + name, Every: cgroupPoll}
	err = poll.Until(ctx, what, func(context.Context) (string, error) {
		if c.populated(name) {
			return "it has processes", nil
		}
		return "", nil
	})
	if err != nil {
		return err
	}
	return c.remove(ctx, name)
}

// cgroupPoll is short, because the kernel ends a group within milliseconds.
const cgroupPoll = 5 * time.Millisecond

// remove deletes the empty group, children first. The kernel may call it
// busy for a moment after its last process went.
func (c *cgroups) remove(ctx context.Context, name string) error {
	what := poll.Options{What: "control group " + name + " to be removed", Every: cgroupPoll}
	return poll.Until(ctx, what, func(context.Context) (string, error) {
		err := c.removeTree(name)
		if !errors.Is(err, unix.EBUSY) {
			err = poll.Stop(err)
		}
		return "", err
	})
}

func (c *cgroups) removeTree(name string) error {
	entries, err := fs.ReadDir(c.root.FS(), name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read control group: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := c.removeTree(name + "/" + e.Name()); err != nil {
				return err
			}
		}
	}
	if err := c.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove control group: %w", err)
	}
	return nil
}
