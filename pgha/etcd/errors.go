package etcd

import (
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrNoLeader: the members answer but have elected nobody.
	ErrNoLeader = errs.New(errs.Unhealthy, "etcd has no leader")
	// ErrUnhealthy: a member does not take part.
	ErrUnhealthy = errs.New(errs.Unhealthy, "etcd is unhealthy")
	// ErrNoSpace: the database has reached its quota. There is a quorum, which takes no writes; see
	// Alarm.
	ErrNoSpace = errs.New(errs.Refused, "etcd takes no writes: its database has reached its "+
		"quota (alarm NOSPACE)")
	// ErrQuorumLost: so many members lost their data that the rest is no majority and cannot take
	// them back.
	ErrQuorumLost = errs.New(errs.Unhealthy, "etcd has lost its quorum")
	// ErrLocked and ErrLockLost are remote's: a caller who takes either kind of lock looks for one
	// error. See Lock.
	ErrLocked, ErrLockLost = remote.ErrLocked, remote.ErrLockLost
)
