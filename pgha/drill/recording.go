package drill

import (
	"time"

	"github.com/pgha/toolkit/pgha/probe"
)

// Recording is what was seen during one run of one scenario: the raw material, nothing worked out
// yet. All times are of the clock of the machine that ran the drill. It holds no secret.
type Recording struct {
	// Scenario is its name, Run its number from 1 on.
	Scenario string `json:"scenario"`
	Run      int    `json:"run"`
	// Began and Ended frame the run: from before the first write until the last comparison.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	// Fault is what was done to the cluster, and when.
	Fault Fault `json:"fault"`
	// Expect is what must hold in this scenario.
	Expect Expect `json:"expect"`
	// Members and Balancers are the hosts' names, in the order of the specification.
	Members   []string `json:"members"`
	Balancers []string `json:"balancers"`
	// Writes went through the virtual IP to the port that takes writes.
	Writes probe.Result `json:"writes"`
	// Reads went through the virtual IP to the port of the replicas, at the same rate.
	Reads []Read `json:"reads,omitempty"`
	// States are the answers of every member that was asked directly, ten times a second, in the
	// order of time.
	States []MemberState `json:"states"`
	// Leadership has who held the leader key, who led etcd and who held the address: one entry for
	// each change.
	Leadership []Leadership `json:"leadership"`
	// Wait is somebody who waited for a host that was gone; nil in scenarios that are not about it.
	Wait *Wait `json:"wait,omitempty"`
	// Held are the rows of this run that each member has at the end. A member that could not be
	// asked is missing.
	Held map[string][]int64 `json:"held"`
	// Redundant is when every member streamed again, on one timeline, and the address had one
	// holder. Zero: never within the bound.
	Redundant time.Time `json:"redundant,omitzero"`
}

// Fault is what a scenario did.
type Fault struct {
	// Text is for people: "power of postgres-01 cut".
	Text string `json:"text"`
	// Hosts that it struck.
	Hosts []string `json:"hosts"`
	// At is when the first act that can be felt began; Done when the last act of making it had
	// returned.
	At   time.Time `json:"at"`
	Done time.Time `json:"done"`
	// Mended is when what was broken was given back: the power, the cable, the process. Zero where
	// nothing has to be.
	Mended time.Time `json:"mended,omitzero"`
}

// Read is one read through the port of the replicas.
type Read struct {
	At   time.Time `json:"at"`
	Done time.Time `json:"done"`
	// Member that answered, "" when none did.
	Member string `json:"member,omitempty"`
	// Seq is the newest row of this run that it saw.
	Seq   int64  `json:"seq,omitempty"`
	Error string `json:"error,omitempty"`
}

// Role is what a member said of itself.
type Role string

// The roles.
const (
	// Writable: PostgreSQL takes writes. Where two members are out of recovery at once it has just
	// acknowledged one of the drill's own.
	Writable Role = "writable"
	// Blocked: PostgreSQL is out of recovery, and its commits wait for a synchronous replica that
	// is not there; where two members are out of recovery it did not acknowledge a write of the
	// drill's own within the bound.
	Blocked Role = "blocked"
	// ReadOnly: PostgreSQL answers and is in recovery.
	ReadOnly Role = "read_only"
	// Down: nothing answered within the bound, or PostgreSQL is starting or stopping.
	Down Role = "down"
)

// MemberState is one answer of one member.
type MemberState struct {
	Member string `json:"member"`
	// Asked and Answered: the role was true at some moment between the two.
	Asked    time.Time `json:"asked"`
	Answered time.Time `json:"answered"`
	Role     Role      `json:"role"`
	// Timeline is PostgreSQL's, 0 when it did not say.
	Timeline int `json:"timeline,omitempty"`
	// Started is when PostgreSQL's postmaster was started, by the host's clock; zero when it did
	// not say. While it stays the same a member that was out of recovery has been so all the time.
	Started time.Time `json:"started,omitzero"`
	Error   string    `json:"error,omitempty"`
}

// Leadership is who led from At on, until the next entry.
type Leadership struct {
	At time.Time `json:"at"`
	// Patroni is the member that holds the leader key in etcd; "" while nobody does.
	Patroni string `json:"patroni"`
	// Etcd is the host whose member leads etcd; "" while none does or no member answers.
	Etcd string `json:"etcd"`
	// Address are the balancers that carry the virtual IP; more than one is an error of its own.
	Address []string `json:"address"`
}
