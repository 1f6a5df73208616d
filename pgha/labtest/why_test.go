package labtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/incident"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/probe"
)

// The journals do not see how long a client waits for an answer and needs to connect again, so that
// a writer measures more than they tell.
const (
	whyMayBeLess = 2 * time.Second
	whyMayBeMore = 300 * time.Millisecond
)

// blame is what why says of an incident, or has to.
type blame struct {
	Class    incident.Class
	Kind     incident.Kind
	Host     string
	Old, New string
}

// TestWhy makes faults under a writer, and wants why to name each one's cause, host and leaders,
// and the time without writes that the writer measured.
func TestWhy(t *testing.T) {
	t.Parallel()
	wantTime(t, 7*time.Minute)
	s := newSite(t, startLab(t, lab.Options{
		Name: "e2e-why", Installed: true,
	}), func(text string) string { return text + "patroni: {profile: fast}\n" })
	s.apply(t, pgha.ApplyOptions{})
	s.awaitHealthy(t)
	w, err := probe.Start(t.Context(), probe.Options{Config: s.writerConfig(t), Rate: 50})
	if err != nil {
		t.Fatal(err)
	}
	calm := func() {
		t.Helper()
		s.awaitHealthy(t)
		// An echo of the last fault must not be taken for the next one.
		if err := w.WaitAcked(t.Context(), time.Now().Add(4*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	calm()
	since := time.Now()
	var want []blame
	var measured []time.Duration
	faults := []func(*testing.T, site) blame{
		whySwitchover, whyPostgresKilled, whyBalancerPower, whyLeaderPower, whyLeaderCable,
		whyLeaderOneWay("input"),
	}
	if all() {
		faults = append(faults, whyLeaderOneWay("output"))
	}
	for _, fault := range faults {
		at := time.Now()
		want = append(want, fault(t, s))
		if err := w.WaitAcked(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		calm()
		result, err := w.Result()
		if err != nil {
			t.Fatal(err)
		}
		measured = append(measured,
			time.Duration(result.Since(at).Longest().Seconds*float64(time.Second)))
	}
	if _, err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A cluster can be healthy again before the logs of its hosts tell so.
	var account incident.Account
	await(t, time.Minute, "every incident to be over", func() (bool, string) {
		account = s.why(t, since)
		open := slices.ContainsFunc(account.Incidents,
			func(in incident.Incident) bool { return len(in.Missing) > 0 })
		return !open, fmt.Sprintf("%+v", account.Incidents)
	})
	var got []blame
	for i, in := range account.Incidents {
		t.Logf("%s\nmeasured: %s", in.Headline,
			slices.Concat(measured, make([]time.Duration, 99))[i].Round(10*time.Millisecond))
		got = append(got, blame{in.Class, in.Cause.Kind, in.Cause.Host, in.OldLeader, in.NewLeader})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s\n%s", diff,
			s.cli(t, "why", "--since", since.UTC().Format(time.RFC3339Nano), "--all",
				"--evidence").stdout)
	}
	for i, in := range account.Incidents {
		told := time.Duration(0)
		for _, gap := range in.Gaps { // the writer's is the longest one, too
			told = max(told, time.Duration(gap.Seconds*float64(time.Second)))
		}
		if told < measured[i]-whyMayBeLess || told > measured[i]+whyMayBeMore {
			t.Errorf("%s: the writer measured %s", in.Headline, measured[i])
		}
		if in.RedundantSeconds < in.WithoutWritesSeconds || len(in.Missing) > 0 {
			t.Errorf("%s: redundant after %.1f s, missing %v", in.Headline, in.RedundantSeconds,
				in.Missing)
		}
	}
	testWhyText(t, s)
}

// why runs the verb for scripts.
func (s site) why(t *testing.T, since time.Time) incident.Account {
	t.Helper()
	got := s.cli(t, "why", "--since", since.UTC().Format(time.RFC3339Nano), "--output", "json")
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	var account incident.Account
	if err := json.Unmarshal([]byte(got.stdout), &account); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d lines explained in %s", account.Lines, got.took.Round(10*time.Millisecond))
	return account
}

// testWhyText looks at what people read: now that all is calm, nothing has happened; a host that is
// off is not kept quiet.
func testWhyText(t *testing.T, s site) {
	if got := s.cli(t, "why", "--since", "1s"); got.code != 0 ||
		!strings.Contains(got.stdout, "nothing happened since") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if err := s.Kill(t.Context(), "haproxy-03"); err != nil {
		t.Fatal(err)
	}
	got := s.cli(t, "why", "--since", "10m")
	if got.code != 0 || !strings.Contains(got.stderr,
		"the journal of haproxy-03 could not be read") ||
		!strings.Contains(got.stdout, "ran switchover") {
		t.Errorf("without haproxy-03: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func whySwitchover(t *testing.T, s site) blame {
	leader, other := s.leader(t)
	s.verb(t, nil, "switchover", "--to", other)
	return blame{incident.Planned, incident.Operated, "", s.hostOf(t, leader), s.hostOf(t, other)}
}

func whyPostgresKilled(t *testing.T, s site) blame {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	s.mustInHost(t, host, "kill -KILL $(head -n 1 /var/lib/postgresql/data/postmaster.pid)")
	await(t, time.Minute, "a primary", func() (bool, string) {
		return s.writable(t) != "", "none"
	})
	s.awaitHealthy(t) // on a slow machine it starts in its place, and another one takes over then
	after := ""
	if now, _ := s.leader(t); now != leader {
		after = s.hostOf(t, now)
	}
	return blame{incident.Failure, incident.PostmasterDied, host, host, after}
}

func whyBalancerPower(t *testing.T, s site) blame {
	leader, _ := s.leader(t)
	holder := s.carrier(t)
	if err := s.Kill(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "another balancer with the address", func() (bool, string) {
		now := s.carrier(t)
		return now != "" && now != holder, now
	})
	if err := s.StartHost(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	return blame{incident.Failure, incident.PowerLost, holder, s.hostOf(t, leader), ""}
}

func whyLeaderPower(t *testing.T, s site) blame {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	if err := s.Kill(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	after := s.awaitOther(t, host)
	if err := s.StartHost(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	return blame{incident.Failure, incident.PowerLost, host, host, after}
}

func whyLeaderCable(t *testing.T, s site) blame {
	leader, _ := s.leader(t)
	host := s.hostOf(t, leader)
	if err := s.Cut(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	after := s.awaitOther(t, host)
	if err := s.Heal(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	return blame{incident.Failure, incident.NetworkCut, host, host, after}
}

// awaitOther waits until a host other than this one takes writes, and returns it.
func (s site) awaitOther(t *testing.T, host string) (after string) {
	t.Helper()
	await(t, time.Minute, "another primary than "+host, func() (bool, string) {
		after = s.writable(t, host)
		return after != "", fmt.Sprintf("none but %s", host)
	})
	return after
}

// writable is the host whose PostgreSQL takes writes, but none of these; "" while there is none.
func (s site) writable(t *testing.T, but ...string) string {
	t.Helper()
	for _, h := range s.databases() {
		if !h.Running || slices.Contains(but, h.Name) {
			continue
		}
		if out, _ := s.inHost(t, h.Name,
			"cd / && runuser -u postgres -- psql -XAtc 'SELECT pg_is_in_recovery()'"); out == "f" {
			return h.Name
		}
	}
	return ""
}

// carrier is the balancer with the virtual IP; "" while there is none.
func (s site) carrier(t *testing.T) string {
	t.Helper()
	for _, h := range s.Hosts() {
		if !h.Running || h.Role != lab.RoleBalancer {
			continue
		}
		if out, _ := s.inHost(t, h.Name, "ip -o address show to "+
			s.spec(t).VIP.Address); out != "" {
			return h.Name
		}
	}
	return ""
}

// dropAll has a host drop what comes in, or what goes out, over its cable; the function that it
// returns ends that.
func (s site) dropAll(t *testing.T, host, direction string) (heal func()) {
	t.Helper()
	match := map[string]string{"input": "iifname", "output": "oifname"}[direction]
	s.mustInHost(t, host, "nft add table inet oneway && nft 'add chain inet oneway c { type filter "+
		"hook "+direction+" priority 0; }' && nft add rule inet oneway c "+match+" enp0s3 drop")
	return func() { s.mustInHost(t, host, "nft delete table inet oneway") }
}

// whyLeaderOneWay: nothing comes in at the leader's host (input) and what it sends arrives, or
// nothing that it sends arrives (output) and it hears everybody.
func whyLeaderOneWay(direction string) func(*testing.T, site) blame {
	return func(t *testing.T, s site) blame {
		leader, _ := s.leader(t)
		host := s.hostOf(t, leader)
		heal := s.dropAll(t, host, direction)
		after := s.awaitOther(t, host)
		heal()
		return blame{incident.Failure, incident.NetworkCut, host, host, after}
	}
}
