package lb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/remote"
)

const statHeader = "Name: HAProxy\nVersion: 2.6.12\n\n# " +
	"pxname,svname,scur,stot,status,bck,lastchg,check_status,check_code,\n"

// farm is a set of fake balancers whose HAProxy answers while its unit runs.
type farm struct {
	lb.Options
	hosts []*hosttest.Host

	mu      sync.Mutex
	primary bool     // whether HAProxy finds a primary
	members string   // the authority that members present; "" for one that every balancer trusts
	refuse  bool     // whether haproxy -c refuses the configuration
	order   []string // balancers in the order of their validations
	reloads map[string]bool
	master  func(h *hosttest.Host) string // what HAProxy's master says; nil: it does not answer
}

func newFarm(t *testing.T) *farm {
	f := &farm{Options: reference(t), primary: true, reloads: map[string]bool{}}
	f.Wait = 300 * time.Millisecond
	for i := range 3 {
		h := hosttest.New(fmt.Sprintf("lb%d", i+1), f.answer)
		f.hosts = append(f.hosts, h)
		f.Balancers = append(f.Balancers, &remote.Target{Host: remote.Host{Name: h.String()},
			Executor: h})
	}
	return f
}

func (f *farm) answer(h *hosttest.Host, cmd remote.Cmd) (remote.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fail := func(stderr string) (remote.Result, error) {
		res := remote.Result{ExitCode: 1, Stderr: []byte(stderr)}
		return res, remote.NewExitError(h.String(), cmd, res)
	}
	switch {
	case cmd.Argv[0] == "haproxy":
		f.order = append(f.order, h.String())
		if f.refuse {
			return fail("[ALERT] config : unknown keyword")
		}
		return remote.Result{}, nil
	case cmd.Argv[0] == "perl" && !h.Running("haproxy.service"):
		return fail("connect /run/haproxy/admin.sock: No such file or directory")
	case cmd.Argv[0] == "perl":
		status := "DOWN"
		trusted, _, _, _ := h.File("/etc/haproxy/certs/patroni-ca.crt")
		if f.primary && strings.Contains(trusted, f.members) {
			status = "UP"
		}
		out := statHeader + "postgres_write,postgresql-01,1,7," + status + ",0,12,L7OK,200,\n"
		if f.master != nil {
			out += f.master(h)
		}
		return remote.Result{Stdout: []byte(out)}, nil
	}
	return fail("not a command of this test")
}

// reloaded tells whether a balancer's HAProxy was told to reload.
func (f *farm) reloaded(h *hosttest.Host) bool {
	mutations, _ := h.Changes()
	f.reloads[h.String()] = f.reloads[h.String()] ||
		slices.ContainsFunc(mutations, func(m string) bool {
			return strings.Contains(m, "systemctl reload")
		})
	return f.reloads[h.String()]
}

func TestConfigureFromNothing(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	mutations, _ := f.hosts[0].Changes()
	want := []string{
		"install -d -m 755 -o root -g root -- /usr/local/lib/pgha",
		"put /usr/local/lib/pgha/end-former-sessions",
		"put /etc/systemd/system/pgha-sessions.service",
		"install -d -m 755 -o root -g root -- /etc/haproxy/certs",
		"put /etc/haproxy/certs/patroni-ca.crt",
		"install -d -m 755 -o root -g root -- /etc/systemd/system/haproxy.service.d",
		"put /etc/systemd/system/haproxy.service.d/pgha.conf",
		"put /etc/haproxy/haproxy.cfg.pgha-new",
		"mv -fT -- /etc/haproxy/haproxy.cfg.pgha-new /etc/haproxy/haproxy.cfg",
		"systemctl enable --no-reload --quiet haproxy.service",
		"systemctl daemon-reload",
		"systemctl start haproxy.service",
	}
	if diff := cmp.Diff(want, mutations); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for _, h := range f.hosts {
		if !h.Running("haproxy.service") {
			t.Errorf("HAProxy does not run on %s", h)
		}
		h.Changes()
	}

	// Again: nothing, for two looks a host at the same time.
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	for _, h := range f.hosts {
		if mutations, looks := h.Changes(); len(mutations) > 0 || looks != 2 {
			t.Errorf("%s: the second run changed %q in %d looks, want nothing in two", h,
				mutations, looks)
		}
	}
}

func TestConfigureReloadsRunningBalancersInTurns(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	f.order = nil
	for _, h := range f.hosts {
		h.Changes()
	}
	f.MaxConn = 100
	f.Last = func(context.Context) string { return "lb1" }
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	if want := []string{"lb2", "lb3", "lb1"}; !slices.Equal(f.order, want) {
		t.Errorf("order %q, want %q", f.order, want)
	}
	for _, h := range f.hosts {
		mutations, _ := h.Changes()
		want := []string{
			"put /etc/haproxy/haproxy.cfg.pgha-new",
			"mv -fT -- /etc/haproxy/haproxy.cfg.pgha-new /etc/haproxy/haproxy.cfg",
			"systemctl reload haproxy.service",
		}
		if diff := cmp.Diff(want, mutations); diff != "" {
			t.Errorf("%s (-want +got):\n%s", h, diff)
		}
	}
}

func TestConfigureStopsAtARefusedFile(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	before, _, _, _ := f.hosts[0].File("/etc/haproxy/haproxy.cfg")
	f.order, f.refuse, f.MaxConn = nil, true, 100
	err := lb.Configure(t.Context(), f.Options)
	var exit *remote.ExitError
	if !errors.As(err, &exit) || exit.Host != "lb1" ||
		!strings.Contains(err.Error(), "unknown keyword") {
		t.Errorf("got %v, want HAProxy's own words from lb1", err)
	}
	if want := []string{"lb1"}; !slices.Equal(f.order, want) {
		t.Errorf("touched %q, want %q", f.order, want)
	}
	if after, _, _, _ := f.hosts[0].File("/etc/haproxy/haproxy.cfg"); after != before {
		t.Error("the refused file replaced the old one")
	}
}

func TestConfigurePlanChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	var mu sync.Mutex
	var planned []string
	for _, b := range f.Balancers {
		b.Executor = remote.Plan(b.Executor)
		b.OnChange = func(c remote.Change) {
			mu.Lock()
			defer mu.Unlock()
			planned = append(planned, c.Host+" "+c.String())
		}
	}
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lb1 file /etc/haproxy/haproxy.cfg created",
		"lb3 unit haproxy.service started"} {
		if !slices.Contains(planned, want) {
			t.Errorf("%q is missing in %q", want, planned)
		}
	}
	for _, h := range f.hosts {
		if mutations, _ := h.Changes(); len(mutations) > 0 {
			t.Errorf("planning changed %s: %q", h, mutations)
		}
	}
}

func TestWaitPrimaryTellsWhatItSaw(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	if err := lb.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
	f.primary = false
	err := lb.WaitPrimary(t.Context(), f.Options)
	if !errors.Is(err, lb.ErrNotReady) || !strings.Contains(err.Error(), "lb2: ") ||
		!strings.Contains(err.Error(), "postgresql-01 DOWN L7OK/200") || remote.Hint(err) == "" {
		t.Errorf("got %v with hint %q", err, remote.Hint(err))
	}
}

func TestStateOfADeadBalancer(t *testing.T) {
	t.Parallel()
	f := newFarm(t)
	states, err := lb.State(t.Context(), f.Options)
	if err != nil || len(states) != 3 {
		t.Fatal(states, err)
	}
	if s := states[1]; s.Host != "lb2" || s.Err == nil ||
		!strings.Contains(s.Err.Error(), "No such file") ||
		remote.Hint(s.Err) == "" {
		t.Errorf("got %+v", s)
	}
}
