package model

// Rules is the protocol, with its guards. A true field takes one of them out: the explorer must
// then find what goes wrong, or it would not find it either if the agent forgot that guard.
type Rules struct {
	// FenceFewer fences as many voters as keep L from completing a commit, and not all of them.
	FenceFewer bool
	// DeleteUnchecked takes the key away because the fences were there when the agent looked.
	DeleteUnchecked bool
	// IgnoreSync does not compare the revision of /sync: the voters are those that the agent knows.
	IgnoreSync bool
	// LeaveSync does not write /sync when it takes the key away.
	LeaveSync bool
	// LiftUnasked takes a fence back without a transaction.
	LiftUnasked bool
	// LiftStopped takes a fence away because PostgreSQL does not receive WAL.
	LiftStopped bool
	// KeepReceiver leaves the connection that WAL comes on as it is.
	KeepReceiver bool
	// TellFirst tells of a fence before it is there.
	TellFirst bool
	// TellUnguarded lets a message arrive that was given up long ago.
	TellUnguarded bool
	// TimerShort removes a fence by time as soon as its entry in etcd has ended.
	TimerShort bool
	// ForgetAtBoot lets a fence go when its host boots.
	ForgetAtBoot bool
	// IgnorePause takes the key away while the cluster is paused.
	IgnorePause bool
}

// AgentSteps are the names of the agents' own steps, which steps.py has, too.
func AgentSteps() []string {
	return []string{"Suspect", "Fence", "Sever", "Tell", "Delete", "Withdraw", "Lift", "Timer"}
}

// Cluster is what is explored.
type Cluster struct {
	// Members is how many there are, L among them: 3 to 5.
	Members int
	// Sync is how many acknowledgements a commit waits for.
	Sync int
	// Voters is how many members /sync names; 0 means all but L.
	Voters int
	// Apart says that L may reach etcd whatever the members' hosts fence: etcd runs on hosts of its
	// own, or one of its members is a witness elsewhere. Otherwise L reaches it only through the
	// hosts that have not fenced it.
	Apart bool
	// Writes is how often L may change /sync, Regains how often it may get its key back.
	Writes, Regains int
	// Pause lets somebody pause the cluster.
	Pause bool
}

func (c Cluster) start() state {
	s := state{n: uint8(c.Members - 1), key: leader, sync: uint8(c.Sync), primary: true, leads: true,
		fresh: true, writes: uint8(c.Writes), regains: uint8(c.Regains), mayStop: c.Pause}
	voters := c.Voters
	if voters == 0 {
		voters = c.Members - 1
	}
	s.quorum = uint8(voters - c.Sync)
	for i := range s.members[:s.n] {
		s.members[i] = receives
		if i < voters {
			s.members[i] |= voter | awaited
		}
	}
	return s
}
