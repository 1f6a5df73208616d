package etcd

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestClusterIsSeenAndLed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	leader, err := Leader(t.Context(), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	next := "m1"
	if leader == next {
		next = "m2"
	}
	for range 2 { // the second time nothing is to be done
		if err := MoveLeader(t.Context(), c.Options, next); err != nil {
			t.Fatal(err)
		}
		if leader, err = Leader(t.Context(), c.Options); err != nil || leader != next {
			t.Fatalf("%s leads after moving to %s, %v", leader, next, err)
		}
	}
	members, err := Status(t.Context(), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Err != "" || m.ID == "" || !strings.HasPrefix(m.Version, "3.") || m.DBSize == 0 ||
			m.RaftTerm == 0 || m.Learner || len(m.Errors) > 0 {
			t.Errorf("status %+v", m)
		}
		if m.Leader != (m.Name == next) {
			t.Errorf("%s leads: %v", m.Name, m.Leader)
		}
	}
	if err := MoveLeader(t.Context(), c.Options, "m9"); err == nil {
		t.Error("leadership was moved to a member that does not exist")
	}
}

func TestDeadMemberAndBrokenHost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	// The way to m1's host is broken, but etcd on it is well: it is asked through another host.
	c.Members[0].Target = &remote.Target{
		Host: c.Members[0].Target.Host, Executor: remote.Broken("pg1", remote.ErrUnreachable),
	}
	c.healthy(c.all()...)
	c.kill(2)
	if err := MoveLeader(t.Context(), c.Options, "m3"); !errors.Is(err, ErrUnhealthy) &&
		!errors.Is(err, ErrNoLeader) {
		t.Errorf("leadership to a dead member: %v", err)
	}
	c.healthy(0, 1)
	began := time.Now()
	health, err := Health(t.Context(), c.Options)
	if err != nil {
		t.Fatal(err)
	}
	if health[2].Healthy || !strings.Contains(health[2].Err, "connection refused") {
		t.Errorf("health of a dead member: %+v", health[2])
	}
	if took := time.Since(began); took > callTimeout {
		t.Errorf("a refused connection held health up for %s", took)
	}
	c.kill(1)
	if health, err = Health(t.Context(), c.Options); err != nil || health[0].Healthy {
		t.Errorf("health without a quorum: %+v, %v", health[0], err)
	}
}

func TestStrangersStayOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	other, err := pki.NewCA("another")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"a client of another CA": func(o *Options) {
			o.Client = issue(t, other, "stranger", "", pki.ClientUsage)
		},
		"a server as client":     func(o *Options) { o.Client = o.Members[0].Server },
		"a server of another CA": func(o *Options) { o.CA = other.CertPEM() },
	} {
		o := c.Options
		change(&o)
		health, err := Health(t.Context(), o)
		if err != nil || health[0].Healthy {
			t.Errorf("%s: %+v, %v", name, health, err)
		}
		if strings.Contains(health[0].Err, "deadline") {
			t.Errorf("%s: the reason is lost: %s", name, health[0].Err)
		}
	}
}

// TestGateway holds what Member.Gateway says.
func TestGateway(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*testing.T, *Member)
		works  bool
	}{
		"own certificate": {func(*testing.T, *Member) {}, true},
		"server only":     {func(_ *testing.T, m *Member) { m.Gateway = pki.KeyPair{} }, false},
		"server with usages": {func(t *testing.T, m *Member) {
			m.Server, m.Gateway = m.Peer, pki.KeyPair{}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1)
			tt.change(t, &c.Members[0])
			if err := c.Validate(); (err == nil) != tt.works {
				t.Errorf("Validate: %v", err)
			}
			c.up() // in every case: gRPC clients notice nothing
			config, err := c.tlsConfig(c.Client)
			if err != nil {
				t.Fatal(err)
			}
			client := http.Client{Transport: &http.Transport{TLSClientConfig: config},
				Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
				c.clientURL(c.Members[0])+"/v3/kv/range", strings.NewReader(`{"key":"Zm9v"}`))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if (res.StatusCode == http.StatusOK) != tt.works {
				t.Errorf("%s %s", res.Status, body)
			}
			t.Logf("%s %s", res.Status, body)
		})
	}
}

// TestMemberWithoutItsData shows why the unit does not start a member whose data is gone, and what
// helps.
func TestMemberWithoutItsData(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	lost := c.Members[2]
	c.kill(2)
	if err := os.RemoveAll(c.dataDir(2)); err != nil {
		t.Fatal(err)
	}
	peers, err := c.peersKnown(t.Context(), []int{0, 1})
	if err != nil || standingOf(peers, c.peerURL(lost)) != voter {
		t.Fatalf("standing %v, %v", standingOf(peers, c.peerURL(lost)), err)
	}
	// "new" is refused by etcd itself.
	c.start("new", 2)
	_ = c.processes[2].Wait()
	if !strings.Contains(c.log(2), "has already been bootstrapped") {
		t.Errorf("etcd says: %s", lastLines(c.log(2), 3))
	}
	if err := os.RemoveAll(c.dataDir(2)); err != nil {
		t.Fatal(err)
	}
	c.healthy(0, 1)
	if err := c.readmit(t.Context(), c.Members[0], lost); err != nil {
		t.Fatal(err)
	}
	if peers, err = c.peersKnown(t.Context(), []int{0, 1}); err != nil ||
		standingOf(peers, c.peerURL(lost)) != added {
		t.Fatalf("standing %v, %v", standingOf(peers, c.peerURL(lost)), err)
	}
	c.start("existing", 2)
	if err := c.promote(t.Context(), c.all()...); err != nil {
		t.Fatal(err)
	}
	c.healthy(c.all()...)
	if err := c.promote(t.Context(), c.all()...); err != nil {
		t.Errorf("again: %v", err)
	}
}

// TestUnformedClusterIsRecognized: a member that waits for its first quorum answers its peers, and
// knows that nobody has taken part.
func TestUnformedClusterIsRecognized(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start("new", 0)
	peers, err := c.peersKnown(t.Context(), []int{0})
	if err != nil {
		t.Fatal(err)
	}
	if len(peers) != 3 {
		t.Errorf("%d peers", len(peers))
	}
	for _, p := range peers {
		if len(p.ClientURLs) > 0 {
			t.Errorf("%v has taken part", p)
		}
	}
	c.start("new", 1, 2)
	c.healthy(c.all()...)
}

// TestIdentity: the cluster tells its identifier and a value. One that is formed again by the same
// members with the same token has the same identifier, and none of the values.
func TestIdentity(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	if _, _, err := Identity(t.Context(), c.Options, "/k", true); !errors.Is(err, ErrUnhealthy) {
		t.Errorf("before there is one: %v", err)
	}
	c.up()
	if err := Keep(t.Context(), c.Options, "/k", "v"); err != nil {
		t.Fatal(err)
	}
	first, value, err := Identity(t.Context(), c.Options, "/k", true)
	if err != nil || first == "" || first == "0" || value != "v" {
		t.Fatalf("%q, %q, %v", first, value, err)
	}
	c.kill(0)
	if err := os.RemoveAll(c.dataDir(0)); err != nil {
		t.Fatal(err)
	}
	c.up()
	again, value, err := Identity(t.Context(), c.Options, "/k", true)
	if err != nil || again != first || value != "" {
		t.Errorf("formed anew: %q in place of %q, %q, %v", again, first, value, err)
	}
}

// TestIdentityWithoutQuorum: one member of three tells it by itself, and at once.
func TestIdentityWithoutQuorum(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	cluster, _, err := Identity(t.Context(), c.Options, "/k", true)
	if err != nil {
		t.Fatal(err)
	}
	c.kill(1)
	c.kill(2)
	alone, _, err := Identity(t.Context(), c.Options, "/k", false)
	if err != nil || alone != cluster {
		t.Errorf("one of three: %q, %v", alone, err)
	}
	if _, _, err := Identity(t.Context(), c.Options, "/k", true); !errors.Is(err, ErrUnhealthy) {
		t.Errorf("as a quorum: %v", err)
	}
}
