package vip_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/vip"
)

// moving is a farm whose address lb2 holds.
func moving(t *testing.T) *farm {
	t.Helper()
	f := newFarm()
	f.holder, f.ended = "lb2", map[string]bool{}
	configure(t, f)
	for i, h := range f.hosts {
		f.Balancers[i].Target.Executor = releasing{h, f}
	}
	return f
}

// releasing is a balancer whose keepalived can be ended for a while.
type releasing struct {
	*hosttest.Host
	farm *farm
}

func (r releasing) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if !strings.Contains(cmd.Script, "pgha-keepalived-back") {
		return r.Host.Run(ctx, cmd)
	}
	r.farm.mu.Lock()
	defer r.farm.mu.Unlock()
	r.farm.ended[r.String()] = cmd.Argv[0] == "end"
	r.farm.told = append(r.farm.told, r.String()+" "+strings.Join(cmd.Argv, " "))
	return remote.Result{}, nil
}

func TestMove(t *testing.T) {
	t.Parallel()
	f := moving(t)
	got, err := vip.Move(t.Context(), f.Options, "lb3")
	if diff := cmp.Diff(vip.MoveResult{From: "lb2", To: "lb3"}, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	slices.Sort(f.told[2:])
	want := []string{"lb1 end 30", "lb2 end 30", "lb1 start 30", "lb2 start 30"}
	if diff := cmp.Diff(want, f.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	// Again there is nothing to do.
	f.told = nil
	if _, err := vip.Move(t.Context(), f.Options, "lb3"); err != nil || len(f.told) > 0 {
		t.Errorf("the second time %v, told %q", err, f.told)
	}
}

func TestMoveRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to     string
		adjust func(*farm)
		want   error
		says   string
	}{
		"nobody": {"lb9", func(*farm) {}, errs.ErrRefused, "no balancer has that name"},
		"HAProxy that is silent": {"lb3", func(f *farm) { f.silent = "lb3" }, errs.ErrRefused,
			"its HAProxy does not answer"},
		"keepalived that is stopped": {"lb3", func(f *farm) { f.ended["lb3"] = true },
			errs.ErrRefused, "its keepalived does not run"},
		"one that would not keep it": {"lb3", func(f *farm) { f.Preempt = true }, errs.ErrRefused,
			"lb1 has a higher priority"},
	} {
		f := moving(t)
		c.adjust(f)
		_, err := vip.Move(t.Context(), f.Options, c.to)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || len(f.told) > 0 {
			t.Errorf("%s: %v, told %q, want %v that says %q", name, err, f.told, c.want, c.says)
		}
	}
}

// TestMoveIsPlanned: a dry run says what it would do and does nothing.
func TestMoveIsPlanned(t *testing.T) {
	t.Parallel()
	f := moving(t)
	var planned atomic.Int32
	for _, b := range f.Balancers {
		b.Target.Executor = remote.Plan(b.Target.Executor)
		b.Target.OnChange = func(remote.Change) { planned.Add(1) }
	}
	if _, err := vip.Move(t.Context(), f.Options, "lb1"); err != nil || len(f.told) > 0 ||
		planned.Load() != 4 {
		t.Errorf("%v, %d changes planned, told %q", err, planned.Load(), f.told)
	}
}

// TestReleaseScript: the timer is set before keepalived ends, and ends only once it is started.
func TestReleaseScript(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("release.sh")
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string][]string{
		"end": {"systemctl stop pgha-keepalived-back.timer", "date +%s",
			"systemd-run --quiet --unit=pgha-keepalived-back --description=starts keepalived again " +
				"--on-calendar=@1031 --timer-property=AccuracySec=100ms --property=Type=oneshot " +
				"systemctl start keepalived.service",
			"systemctl stop keepalived.service"},
		"start": {"systemctl start keepalived.service", "systemctl stop pgha-keepalived-back.timer"},
	} {
		got := scripttest.Run{With: "sh", Script: string(script), Args: []string{word, "30"},
			Fakes: map[string]string{"systemctl": "", "systemd-run": "", "date": "echo 1000"}}.Do(t)
		if diff := cmp.Diff(want, got.Calls); diff != "" || got.Code != 0 {
			t.Errorf("%s ends with %d (-want +got):\n%s", word, got.Code, diff)
		}
	}
}

// TestFirstTakesTheAddress: where nothing runs yet the balancer with the highest priority is
// started before the others, because whoever is first keeps the address.
func TestFirstTakesTheAddress(t *testing.T) {
	t.Parallel()
	f := newFarm()
	f.Balancers[1].Priority = 200
	configure(t, f)
	if f.order[0] != "lb2" {
		t.Errorf("started in the order %q", f.order)
	}
}
