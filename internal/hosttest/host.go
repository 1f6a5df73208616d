// Package hosttest is a Debian host in memory, for tests of what the component packages do to one:
// it answers the looks of remote.Target.Ensure, keeps files, users and units, and remembers every
// change in order.
package hosttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pgha/toolkit/pgha/remote"
)

// Host is the fake host, an Executor. Make it with New. Safe for concurrent use.
type Host struct {
	name   string
	answer Answer

	mu    sync.Mutex
	clock float64 // seconds since the host booted; every change takes one
	files map[string]file
	units map[string]unit
	users map[string]bool
	done  []string
	looks int
	says  map[string]func() string // by the words that a line begins with
	locks int

	packages map[string]bool
}

// Answer is what the host says to a command that Ensure doesn't need, such as a validation or a
// question of the component. It runs without the Host's lock.
type Answer func(h *Host, cmd remote.Cmd) (remote.Result, error)

type file struct {
	meta    remote.FileMeta
	content []byte
	dir     bool
	changed float64
}

type unit struct {
	active, enabled bool
	entered, moved  float64
}

// New makes an empty host.
func New(name string, answer Answer) *Host {
	return &Host{name: name, answer: answer, clock: 100, files: map[string]file{},
		units: map[string]unit{},
		users: map[string]bool{}, packages: map[string]bool{}, says: map[string]func() string{}}
}

// Running reports whether the unit is active.
func (h *Host) Running(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.units[name].active
}

// File is a file's content, mode and owner.
func (h *Host) File(path string) (content string, mode fs.FileMode, owner string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.files[path]
	return string(f.content), f.meta.Mode, f.meta.Owner + ":" + f.meta.Group, ok
}

// Changes returns the mutating commands since the last call, and how many looks and other commands
// there were.
func (h *Host) Changes() (mutations []string, looks int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mutations, looks = h.done, h.looks
	h.done, h.looks = nil, 0
	return mutations, looks
}

// mark finds what remote.Target.Batch puts after each answer.
var mark = regexp.MustCompile(`printf '\\n(\S+) %s\\n' \$\?`)

// Run implements remote.Executor.
func (h *Host) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if err := ctx.Err(); err != nil {
		return remote.Result{}, err
	}
	if cmd.Mutating {
		return h.change(cmd)
	}
	h.mu.Lock()
	h.looks++
	h.mu.Unlock()
	m := mark.FindStringSubmatch(cmd.Script)
	if m == nil {
		h.mu.Lock()
		text, ok := h.said(strings.Join(cmd.Argv, " "))
		h.mu.Unlock()
		if ok {
			return remote.Result{Stdout: []byte(text)}, nil
		}
		return h.answer(h, cmd)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var out strings.Builder
	previous := ""
	for line := range strings.Lines(cmd.Script) {
		if mark.MatchString(line) {
			fmt.Fprintf(&out, "%s\n%s 0\n", h.look(previous), m[1])
		}
		previous = line
	}
	return remote.Result{Stdout: []byte(out.String())}, nil
}

// look answers one question of Ensure.
func (h *Host) look(line string) string {
	if text, ok := h.said(line); ok {
		return text
	}
	_, after, _ := strings.Cut(line, " -- ")
	names := strings.Fields(after)
	var out strings.Builder
	for _, n := range names {
		f, exists := h.files[n]
		kind := "regular file"
		if f.dir {
			kind = "directory"
		}
		u := h.units[n]
		switch {
		case strings.HasPrefix(line, "stat ") && exists:
			fmt.Fprintf(&out, "%s\t%o\t%s\t%s\t%.9f\t%s\x00", kind, f.meta.Mode, f.meta.Owner,
				f.meta.Group, f.changed, n)
		case strings.HasPrefix(line, "sha256sum ") && exists && !f.dir:
			fmt.Fprintf(&out, "%x  %s\x00", sha256.Sum256(f.content), n)
		case strings.HasPrefix(line, "systemctl show "):
			active, enabled := "inactive", "disabled"
			if u.active {
				active = "active"
			}
			if u.enabled {
				enabled = "enabled"
			}
			fmt.Fprintf(&out,
				"Id=%s\nNames=%s\nLoadState=loaded\nActiveState=%s\nUnitFileState=%s\n"+
					"NeedDaemonReload=no\nActiveEnterTimestampMonotonic=%.0f\nStateChangeTimestampMonotonic=%.0f\n\n",
				n, n, active, enabled, u.entered*1e6, u.moved*1e6)
		case strings.HasPrefix(line, "dpkg-query ") && h.packages[n]:
			fmt.Fprintf(&out, "%s\tinstalled\t1.0-1\n", n)
		case strings.HasPrefix(line, "getent ") && h.users[n]:
			fmt.Fprintf(&out, "%s:x:999:999::/nonexistent:/usr/sbin/nologin\n", n)
		}
	}
	switch {
	case strings.HasPrefix(line, "date "):
		fmt.Fprintf(&out, "%.9f", h.clock)
	case strings.Contains(line, "/proc/uptime"):
		// The host booted at the epoch, so that wall clock and monotonic clock are the same.
		fmt.Fprintf(&out, "%.9f %.9f", h.clock, h.clock)
	}
	return out.String()
}

// change does what a mutating command would do.
func (h *Host) change(cmd remote.Cmd) (remote.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	argv := cmd.Argv
	if cmd.Script != "" { // the installation of packages
		for _, name := range argv[1:] {
			h.packages[name] = true
		}
		h.done = append(h.done, "apt-get install "+strings.Join(argv[1:], " "))
		return remote.Result{}, nil
	}
	h.done = append(h.done, strings.Join(argv, " "))
	last := argv[len(argv)-1]
	switch argv[0] {
	case "install":
		opt := func(o string) string { return argv[slices.Index(argv, o)+1] }
		var mode uint32
		if _, err := fmt.Sscanf(opt("-m"), "%o", &mode); err != nil {
			return remote.Result{}, err
		}
		h.files[last] = file{dir: true, changed: h.clock,
			meta: remote.FileMeta{Path: last, Mode: fs.FileMode(mode), Owner: opt("-o"),
				Group: opt("-g")}}
	case "mv":
		from := argv[len(argv)-2]
		f := h.files[from]
		f.changed = h.clock
		delete(h.files, from)
		h.files[last] = f
	case "rm":
		delete(h.files, last)
	case "groupadd": // groups are of no consequence here
	case "useradd":
		h.users[last] = true
	case "systemctl":
		return remote.Result{}, h.systemctl(argv[1], last)
	default:
		return remote.Result{}, fmt.Errorf("%s: a change this host doesn't know: %v", h.name, argv)
	}
	return remote.Result{}, nil
}

func (h *Host) systemctl(verb, name string) error {
	u := h.units[name]
	switch verb {
	case "daemon-reload":
		return nil
	case "enable":
		u.enabled = true
	case "start", "restart":
		u.active, u.entered, u.moved = true, h.clock, h.clock
	case "reload":
		u.moved = h.clock
	default:
		return fmt.Errorf("%s: systemctl %s is not known to this host", h.name, verb)
	}
	h.units[name] = u
	return nil
}

// Put implements remote.Executor.
func (h *Host) Put(_ context.Context, r io.Reader, meta remote.FileMeta) (bool, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return false, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock++
	h.files[meta.Path] = file{meta: meta, content: content, changed: h.clock}
	h.done = append(h.done, "put "+meta.Path)
	return true, nil
}

// Get implements remote.Executor.
func (h *Host) Get(_ context.Context, path string) (io.ReadCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "get", Path: path, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(f.content)), nil
}

// Close implements remote.Executor.
func (h *Host) Close() error { return nil }

// String implements remote.Executor.
func (h *Host) String() string { return h.name }
