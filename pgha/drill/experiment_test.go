package drill

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	agents "github.com/pgha/toolkit/internal/failover"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// The cluster of an experiment: pg1 leads, pg2 leads etcd, lb1 has the address.
const pg1, pg2, pg3, lb1, lb2 = "postgres-01", "postgres-02", "postgres-03", "haproxy-01",
	"haproxy-02"

var errDead = errors.New("connection lost")

// rig is a cluster of hosts that do nothing and remember what they were told; it is its own lab.
type rig struct {
	mu   sync.Mutex
	told []string // host and what it was told
	dead map[string]bool
}

func (r *rig) tell(host, what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dead[host] {
		return errDead
	}
	r.told = append(r.told, host+" "+what)
	return nil
}

// deeds returns what was told, in the order of the hosts' names, and forgets it.
func (r *rig) deeds() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	deeds := r.told
	r.told = nil
	slices.Sort(deeds)
	return deeds
}

func (r *rig) Kill(_ context.Context, host string) error      { return r.tell(host, "power off") }
func (r *rig) StartHost(_ context.Context, host string) error { return r.tell(host, "power on") }

// idle is the Executor of one host.
type idle struct {
	host string
	rig  *rig
}

// Run remembers a fault by the name of its unit, and any other script by its text.
func (h idle) Run(ctx context.Context, cmd remote.Cmd) (remote.Result, error) {
	if err := ctx.Err(); err != nil {
		return remote.Result{}, err
	}
	what := cmd.Script
	switch cmd.Script {
	case breakScript:
		what = "break " + strings.TrimPrefix(cmd.Argv[0], unitPrefix)
		if slices.Contains([]string{"cut", "oneway", "standstill"},
			strings.TrimPrefix(cmd.Argv[0], unitPrefix)) {
			what += " " + strings.Join(cmd.Argv[4:], " ")
		}
	case mendScript:
		what = "mend " + strings.TrimPrefix(cmd.Argv[0], unitPrefix)
	}
	return remote.Result{}, h.rig.tell(h.host, what)
}

func (h idle) Put(context.Context, io.Reader, remote.FileMeta) (bool, error) { return true, nil }
func (h idle) Get(context.Context, string) (io.ReadCloser, error) {
	return nil, fs.ErrNotExist
}
func (h idle) Close() error   { return nil }
func (h idle) String() string { return h.host }

// newExperiment returns an experiment on a rig.
func newExperiment(t *testing.T) (*experiment, *rig) {
	t.Helper()
	sp := spec.New()
	sp.Cluster, sp.StateDir, sp.VIP = "demo", filepath.Join(t.TempDir(), "state"),
		&spec.VIP{Address: "192.168.0.210"}
	for i, name := range []string{lb1, lb2, pg1, pg2, pg3} {
		h := spec.Host{Name: name, Address: "192.168.0." + strconv.Itoa(201+i),
			Role: spec.RoleBalancer}
		if number, ok := strings.CutPrefix(name, "postgres-"); ok {
			h.Role, h.Member = spec.RoleDatabase, "postgresql-"+number
		}
		sp.Hosts = append(sp.Hosts, h)
	}
	r := &rig{dead: map[string]bool{}}
	cluster, err := pgha.Connect(t.Context(), sp, pgha.ConnectOptions{
		Executor: func(_ context.Context, h spec.Host) (remote.Executor, error) {
			return idle{h.Name, r}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	r.deeds()
	return &experiment{cluster: cluster, say: func(string) {}, leader: pg1, etcdLeader: pg2,
		holder:   lb1,
		replicas: []string{pg2, pg3}, balancers: []string{lb1, lb2}}, r
}

// TestFaultsStrikeTheirHosts: each fault strikes the hosts that it is about and no other, says so,
// and is given back where it was made.
func TestFaultsStrikeTheirHosts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause      func(context.Context, *experiment) error
		lab        bool
		struck     []string // as the recording has it
		made, back []string
	}{
		"PostgreSQL killed": {killPostgres, false, []string{pg1},
			[]string{pg1 + ` kill -KILL "$(head -n 1 "$1/postmaster.pid")"`}, nil},
		"Patroni killed": {killPatroni, false, []string{pg1},
			[]string{pg1 + " systemctl kill --signal=KILL --kill-whom=main patroni"}, nil},
		"Patroni frozen": {freezePatroni, false, []string{pg1},
			[]string{pg1 + " break freeze-patroni"}, []string{pg1 + " mend freeze-patroni"}},
		"the leader's power": {leaderPower, true, []string{pg1},
			[]string{pg1 + " power off"}, []string{pg1 + " power on"}},
		"the leader is cut from the others, not from itself": {partition, false, []string{pg1},
			[]string{pg1 + " break cut 192.168.0.204 192.168.0.205"}, []string{pg1 + " mend cut"}},
		"a replica, which does not lead etcd": {loseReplica, false, []string{pg3},
			[]string{pg3 + " break patroni"}, []string{pg3 + " mend patroni"}},
		"a replica of a lab": {loseReplica, true, []string{pg3},
			[]string{pg3 + " power off"}, []string{pg3 + " power on"}},
		"both replicas": {loseReplicas, false, []string{pg2, pg3},
			[]string{pg2 + " break patroni", pg3 + " break patroni"},
			[]string{pg2 + " mend patroni", pg3 + " mend patroni"}},
		"etcd's leader": {loseEtcdLeader, false, []string{pg2},
			[]string{pg2 + " break etcd"}, []string{pg2 + " mend etcd"}},
		"etcd's quorum, not the leader's member": {loseQuorum, false, []string{pg2, pg3},
			[]string{pg2 + " break etcd", pg3 + " break etcd"},
			[]string{pg2 + " mend etcd", pg3 + " mend etcd"}},
		"the power of the holder": {balancerPower, true, []string{lb1},
			[]string{lb1 + " power off"}, []string{lb1 + " power on"}},
		"HAProxy of the holder": {killHAProxy, false, []string{lb1},
			[]string{lb1 + " systemctl kill --signal=KILL haproxy"}, nil},
		"the poolers of the holder": {killPooler, false, []string{lb1},
			[]string{lb1 + " systemctl kill --signal=KILL pgha-pooler-write.service " +
				"pgha-pooler-read.service"}, nil},
		"the pooler of the holder hangs": {freezePooler, false, []string{lb1},
			[]string{lb1 + " break freeze-pgha-pooler-write"},
			[]string{lb1 + " mend freeze-pgha-pooler-write"}},
		"keepalived of the holder": {stopKeepalived, false, []string{lb1},
			[]string{lb1 + " break keepalived"}, []string{lb1 + " mend keepalived"}},
		"VRRP of the holder": {blockVRRP, false, []string{lb1},
			[]string{lb1 + " break vrrp"}, []string{lb1 + " mend vrrp"}},
		"the leader is cut from everybody": {isolate, false, []string{pg1},
			[]string{pg1 + " break cut 192.168.0.201 192.168.0.202 192.168.0.204 192.168.0.205"},
			[]string{pg1 + " mend cut"}},
		"the leader is deaf": {deafen, false, []string{pg1},
			[]string{pg1 + " break oneway in 192.168.0.204 192.168.0.205"},
			[]string{pg1 + " mend oneway"}},
		"the leader is mute": {silence, false, []string{pg1},
			[]string{pg1 + " break oneway out 192.168.0.204 192.168.0.205"},
			[]string{pg1 + " mend oneway"}},
		"the leader stands still": {freezeLeader, false, []string{pg1},
			[]string{pg1 + " break standstill 192.168.0.201 192.168.0.202 192.168.0.204 " +
				"192.168.0.205"}, []string{pg1 + " mend standstill"}},
		"the leader and a replica": {leaderAndReplicaPower, true, []string{pg1, pg2},
			[]string{pg1 + " power off", pg2 + " power off"},
			[]string{pg1 + " power on", pg2 + " power on"}},
		"the leader, without agents": {stopAgents, true, []string{pg1},
			[]string{pg1 + " power off", pg2 + " break pgha-failover",
				pg3 + " break pgha-failover"},
			[]string{pg1 + " power on", pg2 + " mend pgha-failover",
				pg3 + " mend pgha-failover"}},
		"a lossy network": {lossyNetwork, false, []string{pg1, pg2, pg3},
			[]string{pg1 + " break lossy", pg2 + " break lossy", pg3 + " break lossy"},
			[]string{pg1 + " mend lossy", pg2 + " mend lossy", pg3 + " mend lossy"}},
		"a slow network": {slowNetwork, false, []string{pg1, pg2, pg3},
			[]string{pg1 + " break slow", pg1 + " tc qdisc add dev lo root netem delay 0ms && tc " +
				"qdisc del dev lo root",
				pg2 + " break slow", pg3 + " break slow"},
			[]string{pg1 + " mend slow", pg2 + " mend slow", pg3 + " mend slow"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r := newExperiment(t)
			if c.lab {
				s.lab = r
			}
			if err := c.cause(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.made, r.deeds()); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.struck, s.fault.Hosts); diff != "" || s.fault.At.IsZero() {
				t.Errorf("at %s, struck (-want +got):\n%s", s.fault.At, diff)
			}
			if err := s.faults.mend(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.back, r.deeds()); diff != "" {
				t.Errorf("given back (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAgentsAreStruck: an agent is struck on one replica, at a step that agents have, before the
// leader's host loses its power.
func TestAgentsAreStruck(t *testing.T) {
	t.Parallel()
	for signal, cause := range map[string]func(context.Context, *experiment) error{
		"KILL": killAgent, "STOP": freezeAgent} {
		s, r := newExperiment(t)
		s.lab = r
		if err := cause(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if deeds := r.deeds(); len(deeds) != 2 || deeds[0] != pg1+" power off" ||
			!strings.HasSuffix(deeds[1], " break agent") || strings.HasPrefix(deeds[1], pg1) {
			t.Errorf("%s: %v", signal, deeds)
		}
		if len(s.fault.Hosts) != 2 || s.fault.At.IsZero() {
			t.Errorf("%s: %+v", signal, s.fault)
		}
	}
	for _, words := range agentSteps {
		if !strings.Contains(string(agents.Agent()), words) {
			t.Errorf("no agent says %q", words)
		}
	}
}

// TestInterrupted: what was broken until a fault failed, or until the drill was interrupted, is
// given back; and it is given back once.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s, r := newExperiment(t)
	r.dead[pg3] = true
	if err := loseReplicas(t.Context(), s); !errors.Is(err, errDead) {
		t.Fatalf("a host is dead, and the fault says %v", err)
	}
	r.dead[pg3] = false // it may be broken all the same: its answer was lost
	r.deeds()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := loseEtcdLeader(ended, s); !errors.Is(err, context.Canceled) {
		t.Fatalf("the drill has ended, and the fault says %v", err)
	}
	if err := s.faults.mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{pg2 + " mend etcd", pg2 + " mend patroni", pg3 + " mend patroni"}
	if diff := cmp.Diff(want, r.deeds()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.faults.mend(t.Context()); err != nil || len(r.deeds()) > 0 {
		t.Errorf("it was given back twice: %v", err)
	}
}

// TestMendGoesOn: what cannot be given back does not keep the rest, and the last is given back
// first.
func TestMendGoesOn(t *testing.T) {
	t.Parallel()
	var order []int
	var u undone
	for i := range 3 {
		u = append(u, func(context.Context) error {
			order = append(order, i)
			if i == 1 {
				return errDead
			}
			return nil
		})
	}
	if err := u.mend(t.Context()); !errors.Is(err, errDead) || len(u) > 0 {
		t.Errorf("%v, and %d are left", err, len(u))
	}
	if want := []int{2, 1, 0}; !slices.Equal(order, want) {
		t.Errorf("%v, want %v", order, want)
	}
}

// TestNothingToLose: a scenario that finds nobody to strike refuses, and touches nothing.
func TestNothingToLose(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]func(context.Context,
		*experiment) error{"replica": loseReplica, "disk": smallDisk} {
		s, r := newExperiment(t)
		s.replicas = nil
		if err := cause(t.Context(), s); !errors.Is(err, pgha.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if deeds := r.deeds(); len(deeds) > 0 || len(s.faults) > 0 {
			t.Errorf("%s: it did %v", name, deeds)
		}
	}
}

// TestStageNeedsItsCast: a scenario does not begin while nobody leads, or while nobody, or two,
// have the address.
func TestStageNeedsItsCast(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*pgha.Status)
		fails  bool
	}{
		"whole":                  {func(*pgha.Status) {}, false},
		"nobody leads":           {func(s *pgha.Status) { s.Members[0].Role = "replica" }, true},
		"nobody leads etcd":      {func(s *pgha.Status) { s.Etcd[0].Leader = false }, true},
		"a stranger leads etcd":  {func(s *pgha.Status) { s.Etcd[0].Name = "old" }, true},
		"nobody has the address": {func(s *pgha.Status) { s.VIP.Holders = nil }, true},
		"two have the address": {func(s *pgha.Status) {
			s.VIP.Holders = []string{lb1, lb2}
		}, true},
		"there is no virtual IP": {func(s *pgha.Status) { s.VIP = nil }, true},
	} {
		s, _ := newExperiment(t)
		status := pgha.Status{
			Members: []pgha.MemberStatus{
				{Name: "postgresql-01", Host: pg1, Role: "leader"},
				{Name: "postgresql-02", Host: pg2, Role: "replica"},
			},
			Etcd: []pgha.EtcdStatus{{Name: "postgresql-02", Leader: true}, {Name: "postgresql-01"}},
			VIP:  &pgha.VIPStatus{Holders: []string{lb2}},
		}
		c.change(&status)
		if err := s.set(status); (err != nil) != c.fails {
			t.Errorf("%s: %v", name, err)
		}
		if !c.fails && (s.leader != pg1 || s.etcdLeader != pg2 || s.holder != lb2 ||
			!slices.Equal(s.replicas, []string{pg2})) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
