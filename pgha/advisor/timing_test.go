package advisor

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// exampleWith is the example's specification of six hosts with old and new texts in pairs replaced.
func exampleWith(t *testing.T, pairs ...string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse("example.yaml",
		[]byte(strings.NewReplacer(pairs...).Replace(string(spec.Example()))))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// TestTimings compares with sums made by hand.
func TestTimings(t *testing.T) {
	t.Parallel()
	type row struct {
		fault          string
		typical, worst float64
	}
	shared := []row{
		// 0.63 + 0.05: three adverts of 0.2 s and a skew of 166/256 * 0.2 = 0.13, less half an
		// advert; at worst 0.73 + 0.2.
		{"the balancer that holds the address is lost", 0.68, 0.93},
		// 3 * 5, and up to 10 before.
		{"a balancer is lost: row locks of its sessions are free", 20, 25},
		// 0.25 + 0.15 + 0.3; at worst 0.5 + 0.5 + 0.6.
		{"HAProxy is killed on the balancer that holds the address", 0.7, 1.6},
		// 0.6 + 0.13 + 0.05; at worst 0.8 + 0.13 + 0.2.
		{"HAProxy stops on the balancer that holds the address, and stays away", 0.78, 1.13},
		// 0.25 + 0.5 + 0.2 + 0.5.
		{"a replica's host is lost: its readers are cut off and go elsewhere", 1.45, 1.7},
		{"a replica's host is lost: writers wait, synchronous_mode off", 0, 0},
		{"a replica's host is lost: writers wait, synchronous_mode quorum", 0, 0},
	}
	for name, c := range map[string]struct {
		profile spec.Profile
		rows    []row
	}{
		"safe: ttl 30, loop_wait 10, retry_timeout 10": {spec.ProfileSafe, []row{
			// 25 + 0.25 + 2.1 + 0.1 + 0.2; at worst 30 + 0.5 + 2.1 + 2.7 + 0.4.
			{"the leader's host is lost, etcd is led from elsewhere", 27.65, 35.7},
			// 1.5 + 31 + 0.25 + 2.1 + 0.1 + 0.2; at worst 2 + 31 + 0.5 + 2.1 + 2.7 + 0.4.
			{"the leader's host is lost, and it led etcd, too", 35.15, 38.7},
			// 0.1 + 1 + 0 + 0.2; at worst 10 + 300 + (10 + 0.5 + 2.1 + 2.7) + 0.4.
			{"PostgreSQL is killed on the leader", 1.3, 325.7},
			// 1 + 1.1 + 0.1 + 0.2; at worst 2 + 2.1 + 2.7 + 0.4.
			{"Patroni is stopped on the leader", 2.4, 7.2},
			// 1 + 0.2 + 0.1 + 0.2.
			{"planned switchover", 1.5, 7.2},
			// 5 + 10 + 2 + 0.1; at worst 10 + 10 + 2 + 1.
			{"the primary is cut off from etcd: the old one takes no more writes", 17.1, 23},
			{"the primary is cut off from etcd: a new one takes writes", 27.65, 35.7},
			// 25 + 0.25 + 5 + 0.1; at worst 30 + 0.5 + 10 + 1.
			{"a replica's host is lost: writers wait, synchronous_mode on", 30.35, 41.5},
			{"a replica's host is lost: writers wait, synchronous_mode strict", 30.35, 41.5},
		}},
		"fast: ttl 20, loop_wait 10, retry_timeout 5": {spec.ProfileFast, []row{
			// 15 + 0.25 + 2.1 + 0.1 + 0.2; at worst 20 + 0.5 + 2.1 + 2.7 + 0.4.
			{"the leader's host is lost, etcd is led from elsewhere", 17.65, 25.7},
			// 1.5 + 21 + 0.25 + 2.1 + 0.1 + 0.2; at worst 2 + 21 + 0.5 + 2.1 + 2.7 + 0.4.
			{"the leader's host is lost, and it led etcd, too", 25.15, 28.7},
			// 0.1 + 1 + 0 + 0.2; at worst 10 + 10 + (10 + 0.5 + 2.1 + 2.7) + 0.4.
			{"PostgreSQL is killed on the leader", 1.3, 35.7},
			{"Patroni is stopped on the leader", 2.4, 7.2},
			{"planned switchover", 1.5, 7.2},
			// 5 + 5 + 2 + 0.1; at worst 10 + 5 + 2 + 1.
			{"the primary is cut off from etcd: the old one takes no more writes", 12.1, 18},
			{"the primary is cut off from etcd: a new one takes writes", 17.65, 25.7},
			// 15 + 0.25 + 5 + 0.1; at worst 20 + 0.5 + 10 + 1.
			{"a replica's host is lost: writers wait, synchronous_mode on", 20.35, 31.5},
			{"a replica's host is lost: writers wait, synchronous_mode strict", 20.35, 31.5},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := map[string]row{}
			for _, r := range append(c.rows, shared...) {
				want[r.fault] = r
			}
			got := map[string]row{}
			for _, r := range Timings(exampleWith(t, "profile: safe",
				"profile: "+string(c.profile))) {
				got[r.Fault] = row{
					r.Fault, r.Typical.Round(10 * time.Millisecond).Seconds(),
					r.Worst.Round(10 * time.Millisecond).Seconds(),
				}
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTimingsAddUp holds every row to its parts, also with times that nobody would choose.
func TestTimingsAddUp(t *testing.T) {
	t.Parallel()
	odd := exampleWith(t, "  # ttl: 30 ", "  ttl: 120 ", "# loop_wait: 10", "loop_wait: 1",
		"# retry_timeout: 10", "retry_timeout: 59",
		"# advert_interval: 0.2", "advert_interval: 2.5", "# failsafe_mode: true",
		"failsafe_mode: false",
		"# primary_start_timeout: 300", "primary_start_timeout: 0")
	for _, sp := range []*spec.Spec{exampleWith(t),
		exampleWith(t, "profile: safe", "profile: fast"), odd} {
		for _, r := range Timings(sp) {
			var least, typical, worst time.Duration
			for _, p := range r.Parts {
				if p.Min < 0 || p.Min > p.Typical || p.Typical > p.Max || p.What == "" ||
					p.Source == "" {
					t.Errorf("%s: %+v", r.Fault, p)
				}
				least, typical, worst = least+p.Min, typical+p.Typical, worst+p.Max
			}
			if r.Typical != typical || r.Worst != worst || least > typical {
				t.Errorf("%s: %s and %s, but the parts make %s and %s", r.Fault, r.Typical, r.Worst,
					typical, worst)
			}
		}
	}
}

// TestTimingsFollowTheSpec looks at what is left out and what is said beside the sums.
func TestTimingsFollowTheSpec(t *testing.T) {
	t.Parallel()
	find := func(sp *spec.Spec, fault string) Timing {
		for _, r := range Timings(sp) {
			if strings.HasPrefix(r.Fault, fault) {
				return r
			}
		}
		return Timing{}
	}
	withoutVIP := exampleWith(t)
	withoutVIP.VIP = nil
	single := exampleWith(t)
	single.Hosts = single.Hosts[2:]
	noFailsafe := exampleWith(t, "# failsafe_mode: true", "failsafe_mode: false")
	quorum := exampleWith(t, "synchronous_mode: off", "synchronous_mode: quorum")
	if got := find(withoutVIP, "the balancer"); got.Fault != "" {
		t.Errorf("without a virtual IP: %v", got)
	}
	if got := find(withoutVIP, "planned"); got.Worst != 7200*time.Millisecond {
		t.Errorf("without a virtual IP, but with balancers: %v", got)
	}
	withoutVIP.Hosts = withoutVIP.Hosts[:3]
	if got := find(withoutVIP, "planned"); got.Worst != 6800*time.Millisecond {
		t.Errorf("without balancers there is no check to wait for: %v", got)
	}
	if got := Timings(single); len(got) != 4 {
		t.Errorf("one database host has nobody to fail over to: %v", got)
	}
	if got := find(noFailsafe, "the primary is cut off"); got.Worst != 21*time.Second ||
		strings.Contains(got.Note, "failsafe") || !strings.Contains(got.Note, ": 9s in between") {
		t.Errorf("without failsafe_mode: %v, %s", got, got.Note)
	}
	if got := find(exampleWith(t), "the primary is cut off"); !strings.Contains(got.Note,
		"this takes at most 23s from then: 7s in between") {
		t.Errorf("with failsafe_mode: %s", got.Note)
	}
	if got := find(quorum,
		"a replica's host is lost: writers wait, synchronous_mode quorum"); !strings.HasPrefix(
		got.Note, "the mode of this cluster") {
		t.Errorf("the cluster's own mode: %q", got.Note)
	}
}

// TestTimingsMatchTheComponents: what stands here as a constant is what the components really
// render.
func TestTimingsMatchTheComponents(t *testing.T) {
	t.Parallel()
	sp := exampleWith(t)
	ca, err := pki.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	haproxy, err := lb.Config(lb.Options{
		PatroniCA: ca.CertPEM(), Backends: []lb.Backend{{Name: "pg1", Address: "192.0.2.11"}},
		Checks: lb.Checks{Interval: sp.Balancer.CheckInterval},
	})
	if err != nil {
		t.Fatal(err)
	}
	keepalived, err := vip.Config(vip.Options{Address: netip.MustParseAddr("192.0.2.100"),
		Balancers: []vip.Balancer{
			{Name: "lb1", Address: "192.0.2.1", Interface: "eth0"},
			{Name: "lb2", Address: "192.0.2.2", Interface: "eth0"}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../vip/check_haproxy.sh")
	if err != nil {
		t.Fatal(err)
	}
	defaults := patroni.DefaultParameters(18)
	for i, name := range []string{"tcp_keepalives_idle", "tcp_keepalives_interval",
		"tcp_keepalives_count"} {
		if got := fmt.Sprint(defaults[name]); got != fmt.Sprint(keepalives[i]) {
			t.Errorf("%s is %s, and %g here", name, got, keepalives[i])
		}
	}
	for text, in := range map[string]string{
		"inter 500ms fastinter 200ms downinter 300ms fall 2 rise 1 tcp-ut 25s on-marked-down shutdown-sessions": string(haproxy),
		"interval 1\n    timeout 4\n    fall 1\n": string(
			keepalived),
		"vrrp_version 3\n":    string(keepalived),
		"i < 4":               string(script),
		"read -r -t 0.2 -u 4": string(script),
		"++failures == 3":     string(script),
	} {
		if !strings.Contains(in, text) {
			t.Errorf("%q is not in\n%s", text, in)
		}
	}
}

func TestTimingsInJSON(t *testing.T) {
	t.Parallel()
	row := timing("a fault", "a note", even("a step", 0, 129687500, "a rule"))
	for _, c := range []struct {
		row  Timing
		want string
	}{
		{
			row,
			`{"fault":"a fault","typical_seconds":0.065,"worst_seconds":0.13,"parts":[{"what":"a step","min_seconds":0,"typical_seconds":0.065,"max_seconds":0.13,"source":"a rule"}],"note":"a note"}`,
		},
		{timing("nothing", ""),
			`{"fault":"nothing","typical_seconds":0,"worst_seconds":0,"parts":[]}`},
	} {
		got, err := json.Marshal(c.row)
		if err != nil || string(got) != c.want {
			t.Errorf("got %s, %v\nwant %s", got, err, c.want)
		}
	}
}

// TestTimingsOfAFastFailover: it waits for suspect_after and not for the lease.
func TestTimingsOfAFastFailover(t *testing.T) {
	t.Parallel()
	sp := exampleWith(t, "synchronous_mode: off", "synchronous_mode: quorum\n"+
		"  fast_failover: {suspect_after: 3s}")
	for _, r := range Timings(sp) {
		if !strings.HasPrefix(r.Fault, "the leader's host is lost") {
			continue
		}
		// 3.125 + 1.125 + 0.2 + 0.1 + 0.2; at worst 3.25 + 2 + 2.1 + 2.7 + 0.4.
		if r.Typical != 4750*time.Millisecond || r.Worst != 10450*time.Millisecond {
			t.Errorf("%s", r)
		}
	}
}
