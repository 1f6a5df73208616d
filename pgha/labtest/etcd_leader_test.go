package labtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/lab"
)

// testEtcdLeader wants etcd's leadership to leave the primary's host by itself, whatever made it
// the primary's host. The switchovers are Patroni's own, so that pgha has no part in them.
func testEtcdLeader(t *testing.T, s site) {
	s.awaitHealthy(t)
	hosts := s.databases()
	here := hosts[0]
	for _, to := range []lab.Host{other(t, hosts, s.primary(t, here)), s.primary(t, here)} {
		t.Run("switchover to "+to.Name, func(t *testing.T) {
			from := s.primary(t, here)
			s.moveEtcdLeader(t, here, to)
			s.mustInHost(t, here.Name,
				fmt.Sprintf("patronictl -c /etc/patroni/config.yml switchover --force --leader "+
					"%s --candidate %s",
					from.Member, to.Member))
			s.awaitApart(t, here, to)
			s.awaitHealthy(t)
		})
	}
	t.Run("failover", func(t *testing.T) { testEtcdLeaderAfterFailover(t, s) })
	t.Run("replica comes back", func(t *testing.T) { testEtcdLeaderAfterReturn(t, s) })
}

// testEtcdLeaderAfterFailover takes the power of a host that leads both. Only the host that then
// leads etcd may become the primary's, so that there is something to move.
func testEtcdLeaderAfterFailover(t *testing.T, s site) {
	hosts := s.databases()
	lost := s.primary(t, hosts[0])
	s.moveEtcdLeader(t, lost, lost)
	if err := s.Kill(t.Context(), lost.Name); err != nil {
		t.Fatal(err)
	}
	left := without(hosts, lost)
	var next lab.Host
	await(t, 10*time.Second, "etcd to elect", func() (bool, string) {
		now := s.leaders(t, left[0])
		next = now.etcd
		return next.Name != "" && next.Name != lost.Name, now.String()
	})
	third := other(t, left, next)
	s.mustInHost(t, third.Name, "systemctl stop patroni")
	await(t, healthyWithin, next.Name+" to be the primary's host", func() (bool, string) {
		now := s.leaders(t, next)
		return now.primary.Name == next.Name, now.String()
	})
	s.awaitApart(t, next, next)
	s.mustInHost(t, third.Name, "systemctl start patroni")
	if err := s.StartHost(t.Context(), lost.Name); err != nil {
		t.Fatal(err)
	}
	s.awaitHealthy(t)
}

// testEtcdLeaderAfterReturn takes the power of a replica's host. Meanwhile etcd may well be led
// from the primary's host; when the replica is back it need not be any more.
func testEtcdLeaderAfterReturn(t *testing.T, s site) {
	hosts := s.databases()
	primary := s.primary(t, hosts[0])
	replica := other(t, hosts, primary)
	if err := s.Kill(t.Context(), replica.Name); err != nil {
		t.Fatal(err)
	}
	s.moveEtcdLeader(t, primary, primary)
	if err := s.StartHost(t.Context(), replica.Name); err != nil {
		t.Fatal(err)
	}
	await(t, healthyWithin, "etcd's leader to leave "+primary.Name, func() (bool, string) {
		now := s.leaders(t, primary)
		return now.apart(primary), now.String()
	})
	s.awaitHealthy(t)
}

// leaders are the hosts of PostgreSQL's primary and of etcd's leader; without a name if there is
// none.
type leaders struct{ primary, etcd lab.Host }

func (l leaders) String() string {
	return fmt.Sprintf("the primary's host is %q, etcd's leader's %q", l.primary.Name, l.etcd.Name)
}

// apart says that the primary is on host, and etcd's leader somewhere else.
func (l leaders) apart(host lab.Host) bool {
	return l.primary.Name == host.Name && l.etcd.Name != "" && l.etcd.Name != host.Name
}

// etcdctl runs etcdctl on a host with Patroni's certificate. Members that do not answer are no
// failure.
func (s site) etcdctl(t *testing.T, on lab.Host, endpoints []lab.Host, args string) string {
	t.Helper()
	urls := make([]string, len(endpoints))
	for i, h := range endpoints {
		urls[i] = "https://" + h.Address + ":2379"
	}
	const certs = "/etc/patroni/certs/etcd-"
	out, _ := s.inHost(t, on.Name,
		fmt.Sprintf(
			"etcdctl --command-timeout=2s --cacert %sca.crt --cert %sclient.crt --key "+
				"%sclient.key --endpoints %s %s 2>/dev/null",
			certs, certs, certs, strings.Join(urls, ","), args))
	return out
}

// leaders asks from inside a host that has power.
func (s site) leaders(t *testing.T, on lab.Host) leaders {
	t.Helper()
	var now leaders
	var answers []struct {
		Endpoint string
		Status   struct {
			Leader uint64 `json:"leader"`
			Header struct {
				ID uint64 `json:"member_id"`
			} `json:"header"`
		}
	}
	// Without an answer from any member there is nothing to read, and no leader.
	_ = json.Unmarshal([]byte(s.etcdctl(t, on, s.databases(), "endpoint status -w json")), &answers)
	holder := s.etcdctl(t, on, []lab.Host{on}, "get --print-value-only /service/"+s.spec(t).Cluster+
		"/leader")
	for _, h := range s.databases() {
		if h.Member == holder {
			now.primary = h
		}
		for _, a := range answers {
			if a.Status.Leader == a.Status.Header.ID && strings.Contains(a.Endpoint, h.Address) {
				now.etcd = h
			}
		}
	}
	return now
}

func (s site) primary(t *testing.T, on lab.Host) lab.Host {
	t.Helper()
	now := s.leaders(t, on)
	if now.primary.Name == "" {
		t.Fatal(now)
	}
	return now.primary
}

// moveEtcdLeader makes etcd's member on the host to the leader, by hand.
func (s site) moveEtcdLeader(t *testing.T, on, to lab.Host) {
	t.Helper()
	await(t, 15*time.Second, "etcd to be led from "+to.Name, func() (bool, string) {
		now := s.leaders(t, on)
		if now.etcd.Name == "" || now.etcd.Name == to.Name {
			return now.etcd.Name == to.Name, now.String()
		}
		for line := range strings.Lines(s.etcdctl(t, on, []lab.Host{on}, "member list")) {
			if fields := strings.Split(line, ", "); len(fields) > 2 && fields[2] == to.Member {
				s.etcdctl(t, on, []lab.Host{now.etcd}, "move-leader "+fields[0])
			}
		}
		return false, now.String()
	})
}

// awaitApart waits until the primary is on host and etcd's leader is not.
func (s site) awaitApart(t *testing.T, on, host lab.Host) {
	t.Helper()
	start := time.Now()
	await(t, 5*time.Second, "etcd's leader to leave "+host.Name, func() (bool, string) {
		now := s.leaders(t, on)
		return now.apart(host), now.String()
	})
	t.Logf("%s is the primary's host, and etcd is led from elsewhere after %s", host.Name,
		time.Since(start).Round(10*time.Millisecond))
}

// other is the first of the hosts that is not this one.
func other(t *testing.T, hosts []lab.Host, host lab.Host) lab.Host {
	t.Helper()
	left := without(hosts, host)
	if len(left) == 0 {
		t.Fatalf("no host but %s", host.Name)
	}
	return left[0]
}

func without(hosts []lab.Host, host lab.Host) []lab.Host {
	return slices.DeleteFunc(slices.Clone(hosts), func(h lab.Host) bool {
		return h.Name == host.Name
	})
}
