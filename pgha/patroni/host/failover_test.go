package host_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/failover"
	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestFailoverService(t *testing.T) {
	t.Parallel()
	o := reference.Options().WithDefaults()
	o.SuspectAfter = 2500 * time.Millisecond
	o.EtcdEndpoints = []string{"192.168.0.203:2379", "192.168.0.10:2379"}
	o.Balancers = []string{"192.168.0.204", "192.168.0.10", "192.168.0.9"}
	service, err := o.FailoverService(o.Members[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		" run --state /var/lib/pgha-failover --me postgresql-02 ",
		" --member 'postgresql-01=192.168.0.203@5432,8008,2379' ",
		" --member 'postgresql-02=192.168.0.204@5432,8008' ",
		" --balancer 192.168.0.9 --etcd 192.168.0.203:2379 --etcd 192.168.0.10:2379 ",
		" --prefix /service/postgresql-cluster/ --folder /pgha/failover/postgresql-cluster/ ",
		" --suspect-after 2.5\n",
		"\nCapabilityBoundingSet=CAP_NET_ADMIN\n", "\nBefore=patroni.service\n",
	} {
		if !strings.Contains(string(service), want) {
			t.Errorf("%q is not in\n%s", want, service)
		}
	}
}

// TestFailoverIsSwitched: on and off change nothing that Patroni reads, and off stops the agent.
func TestFailoverIsSwitched(t *testing.T) {
	t.Parallel()
	off := reference.WithCertificates(t)
	on := off
	on.SuspectAfter, on.SynchronousMode = 3*time.Second, host.SynchronousQuorum
	off.SynchronousMode = host.SynchronousQuorum
	names := func(o host.Options) (list []string) {
		resources, err := host.Resources(o, o.Members[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range append(resources, host.Units(o, o.Members[0])...) {
			list = append(list, r.String())
		}
		return list
	}
	is, was := names(on), names(off)
	for _, r := range is {
		if !slices.Contains(was, r) && !strings.Contains(r, "failover") {
			t.Errorf("switched on it also brings %s", r)
		}
	}
	for _, want := range []string{"absence of /etc/systemd/system/pgha-failover.service",
		"unit " + layout.FailoverUnit} {
		if !slices.Contains(was, want) {
			t.Errorf("switched off there is no %s", want)
		}
	}
	units := host.Units(off, off.Members[0])
	want := remote.Unit{Name: layout.FailoverUnit, Enabled: remote.No, Running: remote.No}
	if got := units[len(units)-1].(remote.Unit); got.Name != want.Name ||
		got.Enabled != want.Enabled || got.Running != want.Running {
		t.Errorf("switched off it is %+v", got)
	}
	if slices.Contains(host.Layout(off).WithCertificates().Units, layout.Unit{
		Name: layout.FailoverUnit}) {
		t.Error("switched off it is expected to run")
	}
}

// TestAgentWithoutAFence runs the program itself as far as it goes without a cluster: a timer
// without a fence does nothing.
func TestAgentWithoutAFence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scripttest.Write(t, dir, "fast_failover_steps.py", string(failover.Steps()))
	for _, what := range []string{"restore", "timer"} {
		got := scripttest.Run{With: "python3", Script: string(failover.Agent()),
			Args:  []string{what, "--state", dir},
			Paths: map[string]string{"os.path.dirname(os.path.abspath(__file__))": "'" + dir + "'"},
			Fakes: map[string]string{"ip": ""}}.Do(t)
		if got.Code != 0 || len(got.Calls) > 0 || got.Stderr != "" {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// TestAgentLiftsWhatIsTooOld: a fence of another boot counts from this one's beginning, one that is
// not too old stays.
func TestAgentLiftsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		record string
		calls  []string
	}{
		"too old": {`{"leader": "m1", "timeline": 3, "since": -1000, "keep": 80, "boot": "BOOT", ` +
			`"address": "192.0.2.7"}`, []string{"ip route del prohibit 192.0.2.7/32"}},
		"not yet": {`{"leader": "m1", "timeline": 3, "since": 0, "keep": 1e12, "boot": "BOOT", ` +
			`"address": "192.0.2.7"}`, nil},
		"of another boot": {`{"leader": "m1", "timeline": 3, "since": -1e12, "keep": 1e11, ` +
			`"boot": "another", "address": "192.0.2.7"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			scripttest.Write(t, dir, "fast_failover_steps.py", string(failover.Steps()))
			scripttest.Write(t, dir, "fence", c.record)
			scripttest.Write(t, dir, "boot_id", "BOOT\n")
			got := scripttest.Run{With: "python3", Script: string(failover.Agent()),
				Args: []string{"timer", "--state", dir},
				Paths: map[string]string{
					"os.path.dirname(os.path.abspath(__file__))": "'" + dir + "'",
					"/proc/sys/kernel/random/boot_id":            dir + "/boot_id"},
				Fakes: map[string]string{"ip": ""}}.Do(t)
			if got.Code != 0 || !slices.Equal(got.Calls, c.calls) {
				t.Errorf("got %+v, want %q", got, c.calls)
			}
		})
	}
}
