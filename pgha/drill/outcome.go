package drill

import "time"

// Outcome is the result of a Recording.
type Outcome struct {
	Scenario string `json:"scenario"`
	Run      int    `json:"run"`
	Fault    Fault  `json:"fault"`
	// Gap is the longest time without an acknowledged write since the fault.
	GapStart   time.Time `json:"gap_start,omitzero"`
	GapEnd     time.Time `json:"gap_end,omitzero"`
	GapSeconds float64   `json:"gap_seconds"`
	// LongestCallSeconds is the longest that the writer's caller waited since the fault: for a row,
	// and the connection that it needed, or for the error.
	LongestCallSeconds float64 `json:"longest_call_seconds"`
	// Phases split the gap, in order and without holes between them; none where writes did not
	// stop.
	Phases []Phase `json:"phases"`
	// WaitSeconds is how long somebody waited for a host that was gone (Recording.Wait); negative
	// when he still did at the end, 0 in scenarios that are not about it.
	WaitSeconds float64 `json:"wait_seconds,omitempty"`
	// ReadGapSeconds is the longest time without a read that was answered.
	ReadGapSeconds float64 `json:"read_gap_seconds"`
	// Acknowledged and Failed rows, rows Lost though acknowledged (on the leader at the end), rows
	// whose fate was Unknown to the writer, and how many of those Arrived.
	Acknowledged int `json:"acknowledged"`
	Failed       int `json:"failed"`
	Lost         int `json:"lost"`
	Unknown      int `json:"unknown"`
	Arrived      int `json:"arrived"`
	// Missing are acknowledged rows that a member other than the leader does not have at the end,
	// by member.
	Missing map[string]int `json:"missing,omitempty"`
	// DoubleWriters are the times at which two members said that they take writes. There must be
	// none.
	DoubleWriters []Span `json:"double_writers,omitempty"`
	// DoubleHolders are the times at which two balancers carried the virtual IP.
	DoubleHolders []Span `json:"double_holders,omitempty"`
	// RedundantSeconds is from the fault until full redundancy was back; negative when it was not.
	RedundantSeconds float64 `json:"redundant_seconds"`
	// FromLeader and ToLeader are the members that led before the fault and at the end.
	FromLeader string `json:"from_leader"`
	ToLeader   string `json:"to_leader"`
	// Verdict holds it against the promise.
	Verdict Verdict `json:"verdict"`
}

// Phase is one part of a time without writes.
type Phase struct {
	Name    PhaseName `json:"name"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Seconds float64   `json:"seconds"`
}

// PhaseName says what a cluster was busy with.
type PhaseName string

// The phases, in their order. A fault that changes no leader has only some of them.
const (
	// Detection: from the fault until the leader key was given up or ran out, or PostgreSQL was
	// being started again.
	Detection PhaseName = "detection"
	// Election: until another member held the key.
	Election PhaseName = "election"
	// Promotion: until that member took writes.
	Promotion PhaseName = "promotion"
	// Routing: until a session opened through the virtual IP led to it.
	Routing PhaseName = "routing"
	// Reconnect: until the first row was acknowledged.
	Reconnect PhaseName = "reconnect"
)

// PhaseNames returns all phases in their order.
func PhaseNames() []PhaseName {
	return []PhaseName{Detection, Election, Promotion, Routing, Reconnect}
}

// Span is a time from Start to End, as the observations bound it.
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Who was concerned.
	Names []string `json:"names"`
}

// Verdict is the outcome held against the promise in the specification (slo).
type Verdict struct {
	Kept bool `json:"kept"`
	// Broken are the promises that were not kept, each in words with both figures.
	Broken []string `json:"broken,omitempty"`
}

// Result is a whole drill: every run of every scenario, and on what.
type Result struct {
	Cluster string `json:"cluster"`
	// Specification is the specification without its secrets, as YAML.
	Specification string `json:"specification"`
	// Versions by component: postgresql, patroni, etcd, haproxy, keepalived, pgha.
	Versions map[string]string `json:"versions"`
	// Settings that decide the figures: ttl, loop_wait, retry_timeout, synchronous mode, rate,
	// client, ...
	Settings map[string]string `json:"settings"`
	Promise  Promise           `json:"promise"`
	Runs     []RunResult       `json:"runs"`
}

// RunResult is one run of one scenario.
type RunResult struct {
	Outcome   Outcome   `json:"outcome"`
	Recording Recording `json:"recording"`
	// Error says why the run could not be brought to its end; Outcome then has what is known.
	Error string `json:"error,omitempty"`
}

// Promise is what the specification promises (slo), in seconds and rows.
type Promise struct {
	FailoverSeconds   float64 `json:"failover_seconds"`
	SwitchoverSeconds float64 `json:"switchover_seconds"`
	LostRows          int     `json:"lost_rows"`
}
