package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/advisor/measure"
	"github.com/pgha/toolkit/pgha/journal"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/status"
)

const (
	LogPatroni    = journal.LogPatroni
	LogPostgreSQL = journal.LogPostgreSQL
	LogEtcd       = journal.LogEtcd
	LogHAProxy    = journal.LogHAProxy
	LogKeepalived = journal.LogKeepalived
	// LogSystem is the host under them: the kernel, boots and shutdowns, network links, sudo, and
	// pgha's watcher.
	LogSystem = journal.LogSystem
	// LogAll is all of them but LogSystem.
	LogAll = journal.LogAll
)

var (
	// ErrUnknownComponent is what errors.Is finds where a log was asked for that no host keeps.
	ErrUnknownComponent = journal.ErrUnknownComponent
)

// LogComponent is the part of the cluster whose log is read.
type LogComponent = journal.LogComponent

// LogComponents returns all components, in the order in which a reader looks for them.
func LogComponents() []LogComponent { return journal.LogComponents() }

// LogsOptions say which lines Logs reads. Component has no default.
type LogsOptions = journal.LogsOptions

// LogEntry is one line of a host's journal.
type LogEntry = journal.LogEntry

// Logs reads the journals of the right units on the right hosts, merges them by time and hands them
// to yield one by one; an error of yield ends it and is returned. It holds no more in memory than
// one line of each host, or opts.Lines of each. When following, lines of different hosts are put in
// order as far as they arrive within a quarter of a second.
func (c *Cluster) Logs(ctx context.Context, opts LogsOptions, yield func(LogEntry) error) error {
	return journal.Logs(ctx, c.site, opts, yield)
}

// AdviseOptions say how Advise works. The zero value measures everything.
type AdviseOptions = measure.AdviseOptions

// Advice is what a cluster would survive, and what does not go together. Its JSON form is stable:
// fields are added, never renamed.
type Advice = measure.Advice

// AdviseSpec looks at a specification alone and contacts no host: what a healthy cluster of it
// would survive, and what in it does not go together. Pure computation.
func AdviseSpec(sp *Spec) Advice { return measure.AdviseSpec(sp) }

// Advise measures the hosts and says what the loss of each of them, of a balancer and of etcd's
// quorum would do to the cluster as it is at this moment, and which settings contradict each other
// or what was measured.
func (c *Cluster) Advise(ctx context.Context, opts AdviseOptions) (Advice, error) {
	return measure.Advise(ctx, c.site, opts)
}

// AwaitHealthy looks until Status.Healthy holds, and returns that status. The ctx bounds the wait:
// when it ends first the error matches patroni.ErrTimeout and says what was not healthy at the last
// look. Changes nothing.
func (c *Cluster) AwaitHealthy(ctx context.Context) (Status, error) {
	return status.AwaitHealthy(ctx, c.site)
}

// History returns the cluster's changes of timeline, the oldest first: every promotion, with
// PostgreSQL's reason, the time and the member that became leader. A new cluster has none. Changes
// nothing. See patroni.History for its errors.
func (c *Cluster) History(ctx context.Context) ([]patroni.HistoryEntry, error) {
	return status.History(ctx, c.site)
}

// Leaders is who leads at one moment.
type Leaders = status.Leaders

// WatchLeaders calls changed with every change of Patroni's leader key and of etcd's leader, first
// with what is found. It returns when ctx ends, with ctx's error. The key is watched on every
// member at the same time, so that a change is heard at once and the loss of a host loses nothing;
// etcd's leader is asked for four times a second. changed is called by one goroutine at a time and
// must not block. Changes nothing.
func (c *Cluster) WatchLeaders(ctx context.Context, changed func(Leaders)) error {
	return status.WatchLeaders(ctx, c.site, changed)
}

// MoveEtcdLeader hands etcd's leadership to the member of that name, or of that host, and returns
// once it leads. Applications notice nothing. See etcd.MoveLeader for its errors.
func (c *Cluster) MoveEtcdLeader(ctx context.Context, member string) error {
	return status.MoveEtcdLeader(ctx, c.site, member)
}

// Status is the cluster at one moment. Its JSON form is stable: fields are added, never renamed.
type Status = status.Status

// MemberStatus is one PostgreSQL with its Patroni.
type MemberStatus = status.MemberStatus

// OperationStatus is an operation that is going on: who does what since when.
type OperationStatus = status.OperationStatus

// ScheduledSwitchover is a switchover that waits for its time.
type ScheduledSwitchover = status.ScheduledSwitchover

// StrandedMember is a member that does not come back by itself, with what to do about it.
type StrandedMember = status.StrandedMember

// FenceStatus is a host that has fenced a leader that was lost.
type FenceStatus = status.FenceStatus

// InterruptedOperation is one of which nobody has said how it ended.
type InterruptedOperation = status.Interrupted

// StateStatus is where the cluster's keys and passwords are kept.
type StateStatus = status.StateStatus

// EtcdStatus is one etcd member.
type EtcdStatus = status.EtcdStatus

// PoolerStatus is one PgBouncer.
type PoolerStatus = status.PoolerStatus

// BalancerStatus is one HAProxy.
type BalancerStatus = status.BalancerStatus

// VIPStatus says who holds the virtual IP; healthy clusters have exactly one holder.
type VIPStatus = status.VIPStatus

// ServiceStatus is what systemd says of one of the cluster's units on a host.
type ServiceStatus = status.ServiceStatus

// DiskStatus is the file system below a folder that PostgreSQL or etcd grows in.
type DiskStatus = status.DiskStatus

// CertificateStatus is one certificate: as it lies on its host, or in the state directory.
type CertificateStatus = status.CertificateStatus

// Status asks all components at the same time. What does not answer is reported in the Status
// rather than as an error, so the status of a half-dead cluster is still a status. A ctx that ends
// while they are asked is an error.
func (c *Cluster) Status(ctx context.Context) (Status, error) { return status.Look(ctx, c.site) }

// Finding is something that Preflight has to say about a host.
type Finding = preflight.Finding

// Timing is how long one kind of fault lasts, and what it is the sum of.
type Timing = advisor.Timing

// TimingPart is one summand of a Timing.
type TimingPart = advisor.TimingPart

// Timings adds up how long each kind of fault lasts with these settings. It contacts no host.
func Timings(sp *Spec) []Timing { return advisor.Timings(sp) }
