package status

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/vip"
)

// Leader is the member that holds the leader lock, or "".
func (s Status) Leader() string {
	for _, m := range s.Members {
		if patroni.Role(m.Role).Leads() {
			return m.Name
		}
	}
	return ""
}

// Status is the cluster at one moment. Its JSON form is stable: fields are added, never renamed.
type Status struct {
	Cluster string    `json:"cluster"`
	Time    time.Time `json:"time"`
	// Paused means that Patroni promotes nobody by itself.
	Paused       bool                `json:"paused"`
	Members      []MemberStatus      `json:"members"`
	Etcd         []EtcdStatus        `json:"etcd"`
	Balancers    []BalancerStatus    `json:"balancers"`
	VIP          *VIPStatus          `json:"vip,omitempty"`
	Certificates []CertificateStatus `json:"certificates"`
	// Operation is what somebody is doing to the cluster at this moment.
	Operation *OperationStatus `json:"operation,omitempty"`
	// ScheduledSwitchover is one that waits for its time.
	ScheduledSwitchover *ScheduledSwitchover `json:"scheduled_switchover,omitempty"`
	// Stranded members do not come back by themselves.
	Stranded []StrandedMember `json:"stranded,omitempty"`
	// UnfinishedReset reports a reset that was begun and not finished.
	UnfinishedReset string `json:"unfinished_reset,omitempty"`
	// Unreachable holds hosts without a connection, with the reason.
	Unreachable map[string]string `json:"unreachable,omitempty"`
	// Errors holds parts of the status that could not be had, with the reason.
	Errors map[string]string `json:"errors,omitempty"`
}

// MemberStatus is one PostgreSQL with its Patroni.
type MemberStatus struct {
	Name string `json:"name"`
	Host string `json:"host"`
	// Role is leader, replica, sync_standby, quorum_standby, standby_leader, or "" when Patroni
	// does not know the member.
	Role string `json:"role"`
	// State as Patroni gives it: running, streaming, starting, stopped, ...
	State    string `json:"state"`
	Timeline int64  `json:"timeline"`
	// LagBytes is WAL that the replica has not received; null for the leader and when unknown.
	LagBytes       *int64 `json:"lag_bytes"`
	PendingRestart bool   `json:"pending_restart"`
	// PendingReason names the settings that wait for the restart.
	PendingReason []string `json:"pending_restart_reason,omitempty"`
	// ScheduledRestart is the time of a planned restart as Patroni gives it.
	ScheduledRestart string `json:"scheduled_restart,omitempty"`
	// Endpoints are the HTTP status codes of Patroni's health endpoints; 0 when one did not answer.
	Endpoints map[string]int `json:"endpoints"`
	// Healthy: the leader, or a replica that streams on the leader's timeline; one tagged nostream
	// replays the archive instead.
	Healthy bool `json:"healthy"`
}

// OperationStatus is an operation that is going on: who does what since when.
type OperationStatus struct {
	Holder  string    `json:"holder"`
	Purpose string    `json:"purpose"`
	Since   time.Time `json:"since"`
}

// ScheduledSwitchover is a switchover that waits for its time.
type ScheduledSwitchover struct {
	At   time.Time `json:"at"`
	From string    `json:"from"`
	// To is "" when Patroni will choose.
	To string `json:"to,omitempty"`
}

// StrandedMember is a member that does not come back by itself, with what to do about it.
type StrandedMember struct {
	Member string `json:"member"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

// EtcdStatus is one etcd member.
type EtcdStatus struct {
	Name    string `json:"name"`
	Healthy bool   `json:"healthy"`
	Leader  bool   `json:"leader"`
	Version string `json:"version"`
	DBSize  int64  `json:"db_size_bytes"`
	// Alarm is what keeps etcd from taking writes: "NOSPACE" or "CORRUPT".
	Alarm string `json:"alarm,omitempty"`
	// Error is why the member is not healthy: no answer, no leader, the alarm.
	Error string `json:"error,omitempty"`
}

// BalancerStatus is one HAProxy.
type BalancerStatus struct {
	Host    string `json:"host"`
	Version string `json:"version"`
	// Primary and Replicas are the members to which it sends writes and reads now.
	Primary  []string `json:"primary"`
	Replicas []string `json:"replicas"`
	// HoldsVIP: this balancer answers for the virtual IP.
	HoldsVIP bool   `json:"holds_vip"`
	Error    string `json:"error,omitempty"`
}

// VIPStatus says who holds the virtual IP; healthy clusters have exactly one holder.
type VIPStatus struct {
	Address string   `json:"address"`
	Holders []string `json:"holders"`
}

// CertificateStatus is the certificate that ends first of one kind on one host.
type CertificateStatus struct {
	Name     string    `json:"name"`
	NotAfter time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"`
}

// endpoints are the REST endpoints that Status tries.
var endpoints = []string{"/primary", "/replica", "/health"}

// Healthy tells whether everything is as it should be; Problems says what is not.
func (s Status) Healthy() bool { return len(s.Problems()) == 0 }

// Look asks all components at the same time. What does not answer is reported in the Status rather
// than as an error, so the status of a half-dead cluster is still a status. A ctx that ends while
// they are asked is an error.
func Look(ctx context.Context, c *site.Site) (Status, error) {
	s := Status{Cluster: c.Spec.Cluster, Time: time.Now(), Unreachable: map[string]string{},
		Errors: map[string]string{}}
	for host, err := range c.Unreachable {
		s.Unreachable[host] = err.Error()
	}
	var err error
	if s.Certificates, err = certificateStatus(c, s.Time); err != nil {
		return s, err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	part := func(name string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				s.Errors[name] = err.Error()
			}
		})
	}
	var holdings []vip.Holding
	part("patroni", func() error { return memberStatus(ctx, c, &s) })
	part("etcd", func() error { return etcdStatus(ctx, c, &s) })
	part("haproxy", func() error { return balancerStatus(ctx, c, &s) })
	part("lock", func() error { return operationStatus(ctx, c, &s) })
	part("reset", func() error { return resetStatus(ctx, c, &s) })
	part("keepalived", func() (err error) { holdings, err = c.Holdings(ctx); return err })
	wg.Wait()
	if c.Spec.VIP != nil {
		s.VIP = &VIPStatus{Address: c.Spec.VIP.Address, Holders: []string{}}
	}
	for _, h := range holdings {
		if h.Holds && s.VIP != nil {
			s.VIP.Holders = append(s.VIP.Holders, h.Host)
		}
		for i := range s.Balancers {
			if s.Balancers[i].Host == h.Host {
				s.Balancers[i].HoldsVIP = h.Holds
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return s, fmt.Errorf("look at the cluster: %w", err)
	}
	return s, nil
}

func memberStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.PatroniOptions()
	if err != nil {
		return err
	}
	client := patroni.NewClient(opts)
	state, stateErr := client.Cluster(ctx)
	s.Paused = state.Paused
	if at := state.ScheduledSwitchover; at != nil {
		s.ScheduledSwitchover = &ScheduledSwitchover{At: at.At, From: at.From, To: at.To}
	}
	for _, m := range patroni.Stranded(state) {
		s.Stranded = append(s.Stranded, StrandedMember{Member: m.Name, Reason: m.Reason,
			Remedy: m.Hint})
	}
	members := make([]MemberStatus, len(opts.Members))
	var wg sync.WaitGroup
	for i, m := range opts.Members {
		ms := &members[i]
		ms.Name, ms.Host, ms.Endpoints = m.Name, m.Target.Name, map[string]int{}
		if seen, ok := state.Member(m.Name); ok {
			ms.Role, ms.State, ms.Timeline = string(seen.Role), seen.State, seen.Timeline
			ms.LagBytes, ms.Healthy = seen.LagBytes, state.Healthy(m.Name)
			ms.PendingRestart, ms.PendingReason, ms.ScheduledRestart = seen.PendingRestart,
				seen.PendingReason, seen.ScheduledRestart
		}
		wg.Go(func() {
			for _, path := range endpoints {
				code, err := client.Endpoint(ctx, m.Name, path)
				if err != nil {
					code = 0
				}
				ms.Endpoints[path] = code
			}
		})
	}
	wg.Wait()
	s.Members = members
	return stateErr
}

func etcdStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	members, err := etcd.Status(ctx, opts)
	for _, m := range members {
		s.Etcd = append(s.Etcd, EtcdStatus{Name: m.Name, Healthy: m.Err == "" && len(m.Errors) == 0,
			Leader: m.Leader, Version: m.Version, DBSize: m.DBSize, Alarm: m.Alarm,
			Error: cmp.Or(m.Err, strings.Join(m.Errors, ", "))})
	}
	return err
}

// operationStatus reports the lock in etcd. That etcd does not answer is reported by its own part.
func operationStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.EtcdOptions()
	if err != nil {
		return err
	}
	holder, taken, err := etcd.LockHolder(ctx, opts, c.LockKey())
	if err == nil && taken {
		s.Operation = &OperationStatus{Holder: holder.Name, Purpose: holder.Purpose,
			Since: holder.Since}
	}
	return nil
}

func balancerStatus(ctx context.Context, c *site.Site, s *Status) error {
	opts, err := c.BalancerOptions()
	if err != nil || len(opts.Balancers) == 0 {
		return err
	}
	states, err := lb.State(ctx, opts)
	for _, b := range states {
		bs := BalancerStatus{Host: b.Host, Version: b.Version}
		if b.Err != nil {
			bs.Error = b.Err.Error()
		}
		bs.Primary, bs.Replicas = Serving(b)
		s.Balancers = append(s.Balancers, bs)
	}
	return err
}

// Serving lists the members to which a balancer sends writes and reads. A primary that only stands
// in for missing replicas is none of them.
func Serving(b lb.BalancerState) (primary, replicas []string) {
	primary, replicas = []string{}, []string{}
	for _, s := range b.Servers {
		switch {
		case !s.Up() || s.Backup:
		case s.Proxy == lb.WriteProxy:
			primary = append(primary, s.Name)
		default:
			replicas = append(replicas, s.Name)
		}
	}
	return primary, replicas
}

// certificateStatus lists the CAs and every host's certificates, as the operator has them.
func certificateStatus(c *site.Site, now time.Time) ([]CertificateStatus, error) {
	var all []CertificateStatus
	add := func(name string, pem []byte) error {
		info, err := pki.Inspect(pem)
		if err == nil {
			all = append(all, CertificateStatus{Name: name, NotAfter: info.NotAfter,
				DaysLeft: info.DaysLeft(now)})
		}
		return err
	}
	cr := c.Credentials()
	type held struct {
		name string
		pem  []byte
	}
	named := []held{
		{"etcd CA", cr.EtcdCA}, {"patroni CA", cr.PatroniCA}, {"postgres CA", cr.PostgresCA},
		{"operator to etcd", cr.EtcdOperator.Cert},
		{"operator to patroni", cr.PatroniOperator.Cert},
	}
	for _, h := range c.Spec.Databases() {
		for _, at := range layout.Certificates() {
			named = append(named, held{h.Name + " " + at.Label(), cr.Hosts[h.Name][at.Name].Cert})
		}
	}
	for _, n := range named {
		if err := add(n.name, n.pem); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Balances tells whether the HAProxy of that host works.
func (s Status) Balances(host string) bool {
	return slices.ContainsFunc(s.Balancers, func(b BalancerStatus) bool {
		return b.Host == host &&
			b.Error == ""
	})
}
