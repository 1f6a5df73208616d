package etcd

import (
	"errors"

	"github.com/pgha/toolkit/pgha/remote"
)

// Reasons a caller may want to decide on, found with errors.Is.
var (
	// ErrNoLeader: the members answer but have elected nobody.
	ErrNoLeader = errors.New("etcd has no leader")
	// ErrUnhealthy: a member does not take part.
	ErrUnhealthy = errors.New("etcd is unhealthy")
	// ErrNoSpace: the database has reached its quota. There is a quorum, which takes no writes; see Alarm.
	ErrNoSpace = errors.New("etcd takes no writes: its database has reached its quota (alarm NOSPACE)")
	// ErrQuorumLost: so many members lost their data that the rest is no majority and cannot take them back.
	ErrQuorumLost = errors.New("etcd has lost its quorum")
	// ErrLocked and ErrLockLost are remote's: a caller who takes either kind of lock looks for one error. See Lock.
	ErrLocked, ErrLockLost = remote.ErrLocked, remote.ErrLockLost
)
