// Package process tells whether a program that left its identity somewhere still runs, if that was
// on this machine.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Identity names a process once and for all: by the boot of its kernel, its PID namespace, its
// number there and the moment it was started. It is "" where that cannot be told, as on systems
// other than Linux.
func Identity(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	start := started(pid)
	if start == "" || start == ended {
		return ""
	}
	return fmt.Sprintf("%s %s %d %s", strings.TrimSpace(string(boot)), namespace, pid, start)
}

// Gone reports whether the process of that identity has ended. False means that it runs, or that
// nobody can tell from here: it ran on another machine, in another container, before the last boot,
// or what names it is no identity.
func Gone(identity string) bool {
	var boot, namespace, start string
	var pid int
	if n, err := fmt.Sscan(identity, &boot, &namespace, &pid, &start); n != 4 || err != nil ||
		pid <= 0 {
		return false
	}
	here := strings.Fields(Identity(os.Getpid()))
	if len(here) != 4 || here[0] != boot || here[1] != namespace {
		return false
	}
	// Where /proc hides the processes of others, a signal still tells that they are there.
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	if errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) {
		return true
	}
	now := started(pid)
	return now != "" && now != start
}

// ended is what started says of a process that has ended, and whose parent has not taken note of it
// yet.
const ended = "ended"

// started is when a process began, in clock ticks since the boot; "" when that is not to be seen.
func started(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the program's name in parentheses, which may hold anything. The state is
	// the third one, the time of the start the 22nd.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	switch {
	case len(fields) < 20:
		return ""
	case fields[0] == "Z" || fields[0] == "X":
		return ended
	}
	return fields[19]
}
