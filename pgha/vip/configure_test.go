package vip_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/vip"
)

// farm is a set of fake balancers. The address is held by the one called holder, or by the first
// that runs keepalived.
type farm struct {
	vip.Options
	hosts []*hosttest.Host

	mu     sync.Mutex
	holder string
	both   bool     // every running balancer holds the address
	subnet int      // prefix length of the balancers' own addresses
	order  []string // balancers in the order of their validations
	// journal is what keepalived says after a reload.
	journal string
	// ended are the balancers whose keepalived is ended for a while, told what they were told.
	ended map[string]bool
	told  []string
	// silent is the balancer whose HAProxy does not answer.
	silent string
}

func newFarm() *farm {
	f := &farm{Options: vip.Options{
		Address: netip.MustParseAddr("192.168.0.210"), Wait: 300 * time.Millisecond,
	}, subnet: 24,
		journal: goodReload}
	for i := range 3 {
		h := hosttest.New(fmt.Sprintf("lb%d", i+1), f.answer)
		f.hosts = append(f.hosts, h)
		host := remote.Host{Name: h.String(), Address: fmt.Sprintf("192.168.0.%d", 200+i)}
		f.Balancers = append(f.Balancers, vip.Balancer{Target: &remote.Target{Host: host,
			Executor: h}})
	}
	return f
}

func (f *farm) holds(h *hosttest.Host) bool {
	if !h.Running("keepalived.service") {
		return false
	}
	if f.ended[h.String()] {
		return false
	}
	if f.ended[f.holder] { // the best of the others takes the address, and keeps it
		f.holder = h.String()
	}
	if f.both {
		return true
	}
	if f.holder != "" {
		return f.holder == h.String()
	}
	first := slices.IndexFunc(f.hosts, func(h *hosttest.Host) bool {
		return h.Running("keepalived.service")
	})
	return f.hosts[first] == h
}

// virtual are the addresses in a balancer's file.
func (f *farm) virtual(h *hosttest.Host) (all []string) {
	text, _, _, _ := h.File("/etc/keepalived/keepalived.conf")
	for _, m := range regexp.MustCompile(`(?m)^ +(\S+)/32 dev `).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func (f *farm) answer(h *hosttest.Host, cmd remote.Cmd) (remote.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(cmd.Script, "keepalived -t") {
		f.order = append(f.order, h.String())
		return remote.Result{}, nil
	}
	if strings.Contains(cmd.Script, "journalctl") {
		return remote.Result{Stdout: []byte(f.journal)}, nil
	}
	if cmd.Argv[0] == "/etc/keepalived/check_haproxy.sh" {
		if f.silent == h.String() {
			return remote.Result{}, &remote.ExitError{Code: 1}
		}
		return remote.Result{}, nil
	}
	if cmd.Argv[0] == "systemctl" {
		if f.ended[h.String()] {
			return remote.Result{}, &remote.ExitError{Code: 3}
		}
		return remote.Result{}, nil
	}
	if cmd.Argv[0] != "ip" {
		return remote.Result{}, fmt.Errorf("%s: not a command of this test: %v", h, cmd.Argv)
	}
	own := fmt.Sprintf(`{"local":"192.168.0.%d","prefixlen":%d}`, 200+slices.Index(f.hosts, h),
		f.subnet)
	if f.holds(h) {
		for _, a := range f.virtual(h) {
			own += `,{"local":"` + a + `","prefixlen":32}`
		}
	}
	return remote.Result{
		Stdout: []byte(`[{"ifname":"lo","addr_info":[]},{"ifname":"enp0s3","addr_info":[` +
			own + `]}]`),
	}, nil
}

func configure(t *testing.T, f *farm) {
	t.Helper()
	if err := vip.Configure(t.Context(), f.Options); err != nil {
		t.Fatal(err)
	}
}

func TestConfigureFromNothing(t *testing.T) {
	t.Parallel()
	f := newFarm()
	configure(t, f)
	mutations, _ := f.hosts[0].Changes()
	want := []string{
		"groupadd --force --system -- keepalived_script",
		"useradd --system --gid keepalived_script --no-create-home --home-dir /nonexistent " +
			"--shell /usr/sbin/nologin -- keepalived_script",
		"install -d -m 755 -o root -g root -- /etc/keepalived",
		"put /etc/keepalived/check_haproxy.sh",
		"install -d -m 755 -o root -g root -- /etc/systemd/system/keepalived.service.d",
		"put /etc/systemd/system/keepalived.service.d/pgha.conf",
		"put /etc/keepalived/keepalived.conf.pgha-new",
		"mv -fT -- /etc/keepalived/keepalived.conf.pgha-new /etc/keepalived/keepalived.conf",
		"systemctl enable --no-reload --quiet keepalived.service",
		"systemctl daemon-reload",
		"systemctl start keepalived.service",
	}
	if diff := cmp.Diff(want, mutations); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if _, mode, owner, _ := f.hosts[0].File("/etc/keepalived/check_haproxy.sh"); mode != 0o755 ||
		owner != "root:root" {
		t.Errorf("the check script is %v of %s, want 0755 of root:root", mode, owner)
	}
	cfg, _, _, _ := f.hosts[1].File("/etc/keepalived/keepalived.conf")
	for _, want := range []string{"interface enp0s3", "priority 90", "unicast_src_ip 192.168.0.201",
		"router_id lb2"} {
		if !strings.Contains(cfg, want) {
			t.Errorf("%q is missing in lb2's file", want)
		}
	}
	for _, h := range f.hosts {
		h.Changes()
	}

	// Again: nothing, for a look at the addresses before and after, and one at the resources.
	configure(t, f)
	for _, h := range f.hosts {
		if mutations, looks := h.Changes(); len(mutations) > 0 || looks > 2 {
			t.Errorf("%s: the second run changed %q in %d looks, want nothing in two", h,
				mutations, looks)
		}
	}
}

func TestConfigureTakesTheHolderLast(t *testing.T) {
	t.Parallel()
	f := newFarm()
	f.holder = "lb2"
	configure(t, f)
	for _, h := range f.hosts {
		h.Changes()
	}
	f.order, f.RouterID = nil, 77
	configure(t, f)
	if want := []string{"lb1", "lb3", "lb2"}; !slices.Equal(f.order, want) {
		t.Errorf("order %q, want %q", f.order, want)
	}
	for _, h := range f.hosts {
		mutations, _ := h.Changes()
		if last := mutations[len(mutations)-1]; last != "systemctl reload keepalived.service" {
			t.Errorf("%s: the last change is %q, want a reload", h, last)
		}
	}
}

func TestConfigureWaitsForOneHolder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		adjust func(*farm)
		want   string
	}{
		"nobody":  {func(f *farm) { f.holder = "somebody else" }, "held by nobody"},
		"several": {func(f *farm) { f.both = true }, "held by lb1 and lb2 and lb3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFarm()
			c.adjust(f)
			err := vip.Configure(t.Context(), f.Options)
			if !errors.Is(err, vip.ErrNotHeld) || !strings.Contains(err.Error(), c.want) ||
				remote.Hint(err) == "" {
				t.Errorf("got %v with hint %q, want ErrNotHeld with %q", err,
					remote.Hint(err), c.want)
			}
		})
	}
}

func TestConfigureRefusesAnAddressOutsideTheSubnet(t *testing.T) {
	t.Parallel()
	f := newFarm()
	f.subnet = 29 // 192.168.0.200 to .207
	err := vip.Configure(t.Context(), f.Options)
	if err == nil || !strings.Contains(err.Error(),
		"192.168.0.210 is not in the subnet 192.168.0.200/29 of enp0s3") || remote.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	if mutations, _ := f.hosts[0].Changes(); len(mutations) > 0 {
		t.Errorf("changed %q", mutations)
	}
}

func TestConfigurePlanChangesNothingAndWaitsForNothing(t *testing.T) {
	t.Parallel()
	f := newFarm()
	var mu sync.Mutex
	var planned []string
	for _, b := range f.Balancers {
		b.Target.Executor = remote.Plan(b.Target.Executor)
		b.Target.OnChange = func(c remote.Change) {
			mu.Lock()
			defer mu.Unlock()
			planned = append(planned, c.Host+" "+c.String())
		}
	}
	configure(t, f)
	for _, want := range []string{"lb1 user keepalived_script created",
		"lb3 unit keepalived.service started"} {
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

func TestHolder(t *testing.T) {
	t.Parallel()
	f := newFarm()
	configure(t, f)
	f.holder = "lb3"
	got, err := vip.Holder(t.Context(), f.Options)
	want := []vip.Holding{
		{Host: "lb1", Interface: "enp0s3"}, {Host: "lb2", Interface: "enp0s3"},
		{Host: "lb3", Interface: "enp0s3", Holds: true},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := vip.Holder(ctx, f.Options); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	f.Balancers[1].Target = nil
	if _, err := vip.Holder(t.Context(), f.Options); !errors.Is(err, vip.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

// TestConfigureChangesTheAddress lets lb2 hold another address: beside the one of before, which it
// advertises still; without that one, while the others are ended; and back at once.
func TestConfigureChangesTheAddress(t *testing.T) {
	t.Parallel()
	f := moving(t)
	old, other := f.Address, netip.MustParseAddr("192.168.0.211")
	alone := []string{"lb1 end 30", "lb3 end 30", "lb1 start 30", "lb3 start 30"}
	for _, step := range []struct {
		what            string
		address, former netip.Addr
		order, told     []string
		advertised      string
	}{
		{"both", other, old, []string{"lb1", "lb3", "lb2"}, nil, "192.168.0.210"},
		{"the new one", other, netip.Addr{}, []string{"lb2", "lb1", "lb3"}, alone, "192.168.0.211"},
		{"nothing", other, netip.Addr{}, nil, nil, "192.168.0.211"},
		{"at once", old, netip.Addr{}, []string{"lb2", "lb1", "lb3"}, alone, "192.168.0.210"},
	} {
		f.order, f.told = nil, nil
		f.Address, f.Former = step.address, step.former
		configure(t, f)
		slices.Sort(f.told[:len(f.told)/2])
		slices.Sort(f.told[len(f.told)/2:])
		if !slices.Equal(f.order, step.order) || !slices.Equal(f.told, step.told) {
			t.Errorf("%s: order %q, told %q; want %q and %q", step.what, f.order, f.told, step.order,
				step.told)
		}
		holdings, err := vip.Holder(t.Context(), f.Options)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range holdings {
			if h.Holds != (h.Host == "lb2") || h.Former != (h.Holds && step.former.IsValid()) {
				t.Errorf("%s: %+v", step.what, h)
			}
		}
		if all := f.virtual(f.hosts[1]); all[0] != step.advertised {
			t.Errorf("%s: the adverts have the first of %q, want %s", step.what, all, step.advertised)
		}
	}
}
