package remote

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// Host is the plain description of a machine: data, no connection.
type Host struct {
	// Name is how pgha and the operator call the host.
	Name string
	// Address is the IP address by which the other hosts of the cluster reach it.
	Address string
}

// Change is one thing that Ensure or Do changed on a host, or would have changed when planning.
type Change struct {
	Host string
	// Kind is what was changed: "file", "copy", "directory", "user", "package", "unit", "command".
	Kind string
	// Name is which one: a path, a package, a unit, ...
	Name string
	// Action is what happened to it, in the past tense: "created", "updated", "restarted", ...
	Action string
	// Diff is a unified diff of a text file, empty for files that are marked secret and for other
	// kinds.
	Diff string
	// Was is what the look found there before; nil where nothing was, or for what is not looked at
	// like that.
	Was *Was
	// Planned is true when nothing was done because the run only plans.
	Planned  bool
	Duration time.Duration
}

// Was is what stood where a change is made.
type Was struct {
	// Changed is when it last changed, by the clock of this machine: a file's contents, mode or
	// owner, a unit's state. Zero where the host does not tell.
	Changed time.Time
	// Owner is whose the file is, as "user:group"; "" for what is no file. It need not be who
	// changed it.
	Owner string
}

// String says it in one line, without the host.
func (c Change) String() string { return fmt.Sprintf("%s %s %s", c.Kind, c.Name, c.Action) }

// Target is a host together with a live connection to it. The Ensure functions and everything in
// the component packages work on Targets. Safe for concurrent use as far as OnChange is.
type Target struct {
	Host
	Executor
	// OnChange, when set, receives every change as it happens.
	OnChange func(Change)
	// LeftOut says that the present work leaves the host as it is: Ensure and Preview bring nothing
	// about, every other call fails with ErrLeftOut, and the components wait for the other hosts
	// alone. LeaveOut makes such a Target.
	LeftOut bool
}

// LeaveOut returns a Target of a host that the present work leaves as it is. It has no connection.
func LeaveOut(h Host) *Target {
	return &Target{Host: h, Executor: Broken(h.Name, ErrLeftOut), LeftOut: true}
}

// String returns the host's name.
func (t *Target) String() string { return t.Name }

// Planning reports whether changes to this target are only recorded. Code that waits for an effect
// of a change asks it.
func (t *Target) Planning() bool {
	p, ok := As[interface{ Planning() bool }](t.Executor)
	return ok && p.Planning()
}

// Dial opens a connection from the host's point of view; ErrNoDialer if the Executor can't.
func (t *Target) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d, ok := As[Dialer](t.Executor)
	if !ok {
		return nil, OnHost(t.Name, ErrNoDialer)
	}
	c, err := d.DialContext(ctx, network, address)
	return c, OnHost(t.Name, err)
}

// Output runs a command that changes nothing and returns its standard output without the trailing
// newline.
func (t *Target) Output(ctx context.Context, argv ...string) (string, error) {
	res, err := t.Run(ctx, Cmd{Argv: argv})
	return strings.TrimRight(string(res.Stdout), "\n"), err
}

// Do runs a command that changes the host and reports it as a change called name with the given
// action.
func (t *Target) Do(ctx context.Context, name, action string, cmd Cmd) (Result, error) {
	cmd.Mutating = true
	start := time.Now()
	res, err := t.Run(ctx, cmd)
	if err != nil {
		return res, fmt.Errorf("%s: %w", name, err)
	}
	t.report(Change{Kind: "command", Name: name, Action: action, Duration: time.Since(start)})
	return res, nil
}

func (t *Target) report(c Change) {
	c.Host, c.Planned = t.Name, t.Planning()
	if t.OnChange != nil {
		t.OnChange(c)
	}
}
