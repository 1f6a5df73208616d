package incident

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/record"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// halfDead is a cluster of three databases and a balancer of which parts do not answer.
type halfDead struct {
	lines  map[string][]record.LogEntry
	silent map[string]error // hosts whose journals cannot be read
	clocks map[string]time.Duration
	fails  error // of history and operations
	logs   error
}

func (c *halfDead) Specification() *spec.Spec {
	sp := spec.New()
	sp.VIP = &spec.VIP{Address: "10.0.0.9", AdvertInterval: 200 * time.Millisecond}
	sp.Hosts = []spec.Host{
		{Name: lb1, Address: "10.0.0.1", Role: spec.RoleBalancer},
		{Name: pg1, Address: "10.0.0.2", Role: spec.RoleDatabase, Member: "postgresql-01"},
		{Name: pg2, Address: "10.0.0.3", Role: spec.RoleDatabase, Member: "postgresql-02"},
		{Name: pg3, Address: "10.0.0.4", Role: spec.RoleDatabase, Member: "postgresql-03"},
	}
	return sp
}

func (c *halfDead) Targets() []*remote.Target {
	var list []*remote.Target
	for _, h := range c.Specification().Hosts {
		list = append(list, &remote.Target{
			Host: remote.Host{Name: h.Name, Address: h.Address}, Executor: clockHost{h.Name, c},
		})
	}
	return list
}

func (c *halfDead) History(context.Context) ([]patroni.HistoryEntry, error) { return nil, c.fails }
func (c *halfDead) Operations(context.Context) ([]record.Operation, error) {
	return []record.Operation{
		{ID: "1", Time: began.Add(-time.Hour), Verb: "apply"},
		{ID: "2", Time: after(50), Verb: "pause", Holder: "anna"},
	}, c.fails
}

func (c *halfDead) Logs(_ context.Context, opts record.LogsOptions,
	yield func(record.LogEntry) error) error {
	for host, err := range c.silent {
		opts.Warn(host, err)
	}
	if opts.Component == record.LogSystem || c.logs != nil {
		return c.logs
	}
	for _, h := range []string{lb1, pg1, pg2} {
		for _, l := range c.lines[h] {
			if err := yield(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// clockHost answers the questions that Explain asks a host.
type clockHost struct {
	name string
	c    *halfDead
}

func (h clockHost) Run(_ context.Context, cmd remote.Cmd) (remote.Result, error) {
	offset, ok := h.c.clocks[h.name]
	if !ok {
		return remote.Result{}, remote.OnHost(h.name, remote.ErrUnreachable)
	}
	if len(cmd.Argv) > 0 && cmd.Argv[0] == "date" {
		now := time.Now().Add(offset)
		return remote.Result{Stdout: fmt.Appendf(nil, "%d.%09d\n", now.Unix(),
			now.Nanosecond())}, nil
	}
	// A batch: each of its questions fails.
	var out []byte
	for _, mark := range questionMark.FindAllString(cmd.Script, -1) {
		out = fmt.Appendf(out, "\n%s 1\n", mark)
	}
	return remote.Result{Stdout: out}, nil
}

// questionMark is what a batch prints behind each answer.
var questionMark = regexp.MustCompile(`pgha-[A-Z0-9]{20,}`)

func (clockHost) Put(context.Context, io.Reader, remote.FileMeta) (bool, error) {
	return false, errors.New("Explain writes nothing")
}
func (clockHost) Get(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
func (clockHost) Close() error                                       { return nil }
func (h clockHost) String() string                                   { return h.name }

func said(seconds float64, host, unit, program, message string) record.LogEntry {
	return record.LogEntry{Time: after(seconds), Host: host, Unit: unit, Program: program,
		Message: message, Boot: "b"}
}

// TestExplainHalfDead: what cannot be read is noted, once, and the rest is explained.
func TestExplainHalfDead(t *testing.T) {
	t.Parallel()
	c := &halfDead{
		fails: errors.New("no member answers"),
		silent: map[string]error{pg2: remote.OnHost(pg2, remote.ErrUnreachable),
			lb1: errors.New("permission denied")},
		lines: map[string][]record.LogEntry{pg1: {
			said(10, pg1, "etcd.service", "systemd",
				"etcd.service: Main process exited, code=exited, status=1/FAILURE"),
			said(15, pg1, "etcd.service", "systemd", "Started etcd.service - etcd."),
		}},
	}
	var warned []string
	a, err := Explain(t.Context(), c, Options{Since: began, Until: after(100),
		Warn: func(host string, _ error) { warned = append(warned, host) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Incidents) == 0 || a.Incidents[0].Cause.Kind != UnitFailed || a.Lines != 2 {
		t.Errorf("%d lines: %+v", a.Lines, a.Incidents)
	}
	notes := strings.Join(a.Notes, "\n")
	for _, want := range []string{
		"history could not be read", "operations is not complete", "journal of " + pg2,
		lb1 + ": permission denied",
	} {
		if strings.Count(notes, want) != 1 {
			t.Errorf("the notes do not say %q once:\n%s", want, notes)
		}
	}
	if slices.Sort(warned); !slices.Equal(warned, []string{lb1, pg2}) {
		t.Errorf("warned of %v", warned)
	}
	if len(a.Clocks) > 0 {
		t.Errorf("no clock could be read: %v", a.Clocks)
	}
}

// TestExplainCorrectsClocks: lines of a host whose clock is off are put where they belong, and
// operations outside of the span are left out.
func TestExplainCorrectsClocks(t *testing.T) {
	t.Parallel()
	const off = 100 * time.Second
	c := &halfDead{clocks: map[string]time.Duration{pg1: off, pg2: 0},
		lines: map[string][]record.LogEntry{pg1: {
			said(10+off.Seconds(), pg1, "etcd.service", "systemd",
				"etcd.service: Main process exited, code=exited, status=1/FAILURE"),
			said(15+off.Seconds(), pg1, "etcd.service", "systemd", "Started etcd.service - etcd."),
		}}}
	a, err := Explain(t.Context(), c, Options{Since: began, Until: after(100)})
	if err != nil || len(a.Incidents) != 2 {
		t.Fatalf("%v: %+v", err, a.Incidents)
	}
	if drift := a.Incidents[0].Began.Sub(after(10)); drift.Abs() > 5*time.Second {
		t.Errorf("it began %s off", drift)
	}
	if in := a.Incidents[1]; in.Cause.Kind != Operated || in.Cause.Text != "anna ran pause" {
		t.Errorf("%s", in.Headline)
	}
	if len(a.Clocks) != 2 || a.Clocks[0].Host != pg1 || a.Clocks[0].OffsetSeconds < 95 {
		t.Errorf("%+v", a.Clocks)
	}
}

// TestExplainRefuses what it cannot explain.
func TestExplainRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Explain(t.Context(), &halfDead{},
		Options{Since: after(1), Until: after(1)}); err == nil {
		t.Error("a span without length was explained")
	}
	broken := errors.New("no host can be read")
	if _, err := Explain(t.Context(), &halfDead{logs: broken}, Options{}); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

// TestFormerEnd reads the last line of a former boot, or none.
func TestFormerEnd(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		`{"__REALTIME_TIMESTAMP":"1795439211345500","MESSAGE":"x","_BOOT_ID":"b1"}`: true,
		`{"__REALTIME_TIMESTAMP":"soon"}`:                                           false,
		`{"__REALTIME_TIMESTAMP":"1","MESSAGE":[120,121]}`:                          false,
		`{"MESSAGE":"x"`: false,
		"":               false,
	} {
		got, ok := endOf(pg1, []byte(line))
		if ok != want || ok && (got.Host != pg1 || got.Boot != "b1") {
			t.Errorf("%s: %+v, %v", line, got, ok)
		}
	}
}
