package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/operate"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/recovery"
)

// FailoverOptions say who takes over from a leader that is gone, and what may be lost.
type FailoverOptions = operate.FailoverOptions

// Failover makes a replica the leader of a cluster whose leader is gone, and returns once it takes
// writes through the virtual IP. See patroni.Failover for what is refused and how much may be lost.
func (c *Cluster) Failover(ctx context.Context,
	opts FailoverOptions) (patroni.FailoverResult, error) {
	return operate.Failover(ctx, c.site, opts)
}

// PauseOptions are those of Pause and Resume.
type PauseOptions = operate.PauseOptions

// Pause takes the cluster out of Patroni's hands until Resume: nobody is promoted, and a PostgreSQL
// that stops stays stopped. See patroni.Pause.
func (c *Cluster) Pause(ctx context.Context, opts PauseOptions) (patroni.PauseResult, error) {
	return operate.Pause(ctx, c.site, opts)
}

// Resume puts the cluster back into Patroni's hands. See patroni.Resume.
func (c *Cluster) Resume(ctx context.Context, opts PauseOptions) (patroni.PauseResult, error) {
	return operate.Resume(ctx, c.site, opts)
}

// ReloadOptions say who reloads.
type ReloadOptions = operate.ReloadOptions

// Reload makes members read their configuration files again. PostgreSQL is not restarted. See
// patroni.Reload. What PostgreSQL then refuses of its files is an error that names file and line.
func (c *Cluster) Reload(ctx context.Context, opts ReloadOptions) (patroni.ReloadResult, error) {
	return operate.Reload(ctx, c.site, opts)
}

// ReinitializeOptions say which member is copied again.
type ReinitializeOptions = operate.ReinitializeOptions

// ReinitializeResult is what Reinitialize did.
type ReinitializeResult = operate.ReinitializeResult

// Reinitialize deletes the data of a replica, makes it again, of a member or of a backup, and waits
// until it streams. See operate.Reinitialize for refusals and errors. There is no time limit but
// ctx's and patroni's 12 hours.
func (c *Cluster) Reinitialize(ctx context.Context,
	opts ReinitializeOptions) (ReinitializeResult, error) {
	return operate.Reinitialize(ctx, c.site, opts)
}

// RestartOptions say which PostgreSQL servers are restarted, and how.
type RestartOptions = operate.RestartOptions

// Restart restarts PostgreSQL on the chosen members, one at a time, in patroni.Restart's order, and
// stops at the first that does not come back. If the leader is among them it is checked first what
// would be cut short, as Switchover does, and a checkpoint is written. See patroni.Restart for
// refusals and errors.
func (c *Cluster) Restart(ctx context.Context, opts RestartOptions) (patroni.RestartResult, error) {
	return operate.Restart(ctx, c.site, opts)
}

// CancelRestart takes the scheduled restart of a member, or its host, off the schedule and returns
// it. patroni.ErrNothingScheduled if there is none.
func (c *Cluster) CancelRestart(ctx context.Context, op Operation,
	member string) (patroni.ScheduledRestart, error) {
	return operate.CancelRestart(ctx, c.site, op, member)
}

// SwitchoverOptions say where the leadership goes, and when.
type SwitchoverOptions = operate.SwitchoverOptions

// SwitchoverResult is what a switchover did.
type SwitchoverResult = operate.SwitchoverResult

// Switchover moves the leadership to a replica without losing a committed transaction, and returns
// once the new leader takes writes through the virtual IP and the former one streams from it.
// Sessions to the former leader are closed. Members that do not stream in time are reported by a
// warning: what was asked for is done.
func (c *Cluster) Switchover(ctx context.Context,
	opts SwitchoverOptions) (SwitchoverResult, error) {
	return operate.Switchover(ctx, c.site, opts)
}

// CancelSwitchover takes a scheduled switchover off the schedule and returns it.
// patroni.ErrNothingScheduled if there is none.
func (c *Cluster) CancelSwitchover(ctx context.Context,
	op Operation) (patroni.ScheduledSwitchover, error) {
	return operate.CancelSwitchover(ctx, c.site, op)
}

// SynchronousOptions say which commits wait for replicas.
type SynchronousOptions = operate.SynchronousOptions

// SynchronousResult is what SetSynchronous did, with the proof of it.
type SynchronousResult = operate.SynchronousResult

// SynchronousReplica is one line of the leader's pg_stat_replication.
type SynchronousReplica = operate.SynchronousReplica

// DescribeSynchronous says in words what a mode promises and what it costs.
func DescribeSynchronous(mode patroni.SynchronousMode) (promise string, cost string) {
	return operate.DescribeSynchronous(mode)
}

// SetSynchronous says which commits wait for replicas, waits until it holds, and proves it: the
// leader's pg_stat_replication shows the replicas, and a transaction commits through the address
// that applications use. What is refused, and what is put back when it fails, is as for
// patroni.SetSynchronous. The mode lives in the DCS until an apply of a specification that says
// otherwise: then a note says so.
func (c *Cluster) SetSynchronous(ctx context.Context,
	opts SynchronousOptions) (SynchronousResult, error) {
	return operate.SetSynchronous(ctx, c.site, opts)
}

// MoveAddressOptions name the balancer that gets the virtual IP.
type MoveAddressOptions = operate.MoveAddressOptions

// MoveAddressResult is what MoveAddress did.
type MoveAddressResult = operate.MoveAddressResult

// MoveAddress gives the virtual IP to a balancer and returns when it alone holds it. Sessions
// through the former holder are cut. See vip.Move for what is refused.
func (c *Cluster) MoveAddress(ctx context.Context,
	opts MoveAddressOptions) (MoveAddressResult, error) {
	return operate.MoveAddress(ctx, c.site, opts)
}

// MendOptions say what Mend runs.
type MendOptions = power.MendOptions

// MendStep is one command on one host.
type MendStep = power.MendStep

// Mend runs commands on hosts as one operation: under the lock, which does without etcd, and in the
// trail of operations. It is for repairs that no other verb makes, such as starting a unit that
// somebody has stopped. A dry run reports every command as planned and runs none. What the commands
// change, and whether they can be repeated, is the caller's business. A host without a connection
// is an error before anything is run; ErrLocked when somebody else changes the cluster.
func (c *Cluster) Mend(ctx context.Context, opts MendOptions) error {
	return power.Mend(ctx, c.site, opts)
}

// RollingRebootOptions say which hosts are rebooted. The zero value reboots all.
type RollingRebootOptions = power.RollingRebootOptions

// RollingRebootResult is what RollingReboot did.
type RollingRebootResult = power.RollingRebootResult

// RebootedHost is one host that came back.
type RebootedHost = power.RebootedHost

// RollingReboot reboots hosts one at a time: the balancers, the one with the address last; the
// replicas; then the leader's host, after a switchover to a member whose host was rebooted already.
// So each host is rebooted once and writes stop once, for the switchover.
func (c *Cluster) RollingReboot(ctx context.Context,
	opts RollingRebootOptions) (RollingRebootResult, error) {
	return power.RollingReboot(ctx, c.site, opts)
}

// ResetOptions say how Reset works. There is nothing to choose: the caller has decided.
type ResetOptions = power.ResetOptions

// ResetResult is what Reset did.
type ResetResult = power.ResetResult

// EmptiedDirectory is a data directory whose contents are gone.
type EmptiedDirectory = power.EmptiedDirectory

// Reset deletes all databases and the state in etcd, on all database hosts, and forms the cluster
// again: with the same certificates, passwords and configuration, but nothing else. It returns once
// an application can write through the virtual IP to the new, empty database. Nothing brings the
// old one back but a backup. Settings that were changed in Patroni's dynamic configuration fall
// back to the specification's.
func (c *Cluster) Reset(ctx context.Context, opts ResetOptions) (ResetResult, error) {
	return power.Reset(ctx, c.site, opts)
}

// DestroyOptions say how Destroy works. There is nothing to choose: the caller has decided.
type DestroyOptions = power.DestroyOptions

// DestroyResult is what Destroy did.
type DestroyResult = power.DestroyResult

// Destroy deletes all databases and takes from the hosts what Apply has put there, but for packages
// and accounts. Nothing brings the databases back but a backup.
func (c *Cluster) Destroy(ctx context.Context, opts DestroyOptions) (DestroyResult, error) {
	return power.Destroy(ctx, c.site, opts)
}

// UnmanageOptions say how Unmanage works.
type UnmanageOptions = power.UnmanageOptions

// UnmanageResult is what Unmanage left.
type UnmanageResult = power.UnmanageResult

// Unmanage takes Patroni, etcd, HAProxy and keepalived out of service and leaves plain PostgreSQL:
// a primary and standbys that stream from it. The data stays; the virtual IP goes.
func (c *Cluster) Unmanage(ctx context.Context, opts UnmanageOptions) (UnmanageResult, error) {
	return power.Unmanage(ctx, c.site, opts)
}

// RecoverOptions name the member that the cluster continues from.
type RecoverOptions = recovery.FromOptions

// RecoverResult is what Recover did.
type RecoverResult = recovery.FromResult

// Recover makes the cluster go on from one member after a majority of the database hosts was lost
// for good, etcd and PostgreSQL alike, and returns once an application can write again. It refuses
// while a majority lives, and when another member that answers has more. The hosts that are given
// up must never start again with their old disks; an Apply brings in those that replace them.
func (c *Cluster) Recover(ctx context.Context, opts RecoverOptions) (RecoverResult, error) {
	return recovery.FromMember(ctx, c.site, opts)
}

// TakeOverOptions say how TakeOver works. There is nothing to choose.
type TakeOverOptions = recovery.TakeOverOptions

// TakeOverResult is what TakeOver did.
type TakeOverResult = recovery.TakeOverResult

// TakeOver makes a new state directory for a cluster whose own is lost: with new authorities that
// replace the former ones step by step on the hosts that run, and the passwords that these have.
// PostgreSQL's data and roles stay, and nobody loses a session. It refuses while the directory is
// there. Connect without Existing.
func (c *Cluster) TakeOver(ctx context.Context, opts TakeOverOptions) (TakeOverResult, error) {
	return recovery.TakeOver(ctx, c.site, opts)
}

// StartOptions say what Start starts. The zero value starts the whole cluster.
type StartOptions = power.StartOptions

// StartResult is what Start did.
type StartResult = power.StartResult

// Start starts the cluster's services on all hosts or on some, and returns once they do their part:
// members stream and balancers send sessions to them, and an application can write through the
// virtual IP if a balancer is there for it. What runs already is left alone, so Start is safe to
// repeat and finishes what was interrupted.
func (c *Cluster) Start(ctx context.Context, opts StartOptions) (StartResult, error) {
	return power.Start(ctx, c.site, opts)
}

// StopOptions say what Stop stops. The zero value stops the whole cluster.
type StopOptions = power.StopOptions

// StopResult is what Stop did.
type StopResult = power.StopResult

// Stop stops the cluster's services on all hosts or on some. It does not disable them: a reboot
// starts them again, as Start does. What is stopped already is left alone, so Stop is safe to
// repeat and finishes what was interrupted.
func (c *Cluster) Stop(ctx context.Context, opts StopOptions) (StopResult, error) {
	return power.Stop(ctx, c.site, opts)
}
