package incident

import "time"

// Account is what happened to a cluster in a span of time.
type Account struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Incidents are in the order in which they began.
	Incidents []Incident `json:"incidents"`
	// Lines is how many lines were read.
	Lines int `json:"lines"`
	// Clocks are the hosts' offsets that times were corrected by.
	Clocks []Clock `json:"clocks,omitempty"`
	// Notes say what the account does not know: hosts that could not be read, events that were too
	// many.
	Notes []string `json:"notes,omitempty"`
}

// Clock is how far a host's clock is from that of the machine which ran Explain.
type Clock struct {
	Host string `json:"host"`
	// OffsetSeconds is added by the host; ErrorSeconds, half a round trip, is how wrong that may
	// be. Smaller offsets than their error are not corrected.
	OffsetSeconds float64 `json:"offset_seconds"`
	ErrorSeconds  float64 `json:"error_seconds"`
}

// Class is what sort of incident something is.
type Class string

// The classes.
const (
	// Failure: something broke, and writes or redundancy suffered.
	Failure Class = "failure"
	// Planned: an operator did it, with pgha or through Patroni.
	Planned Class = "planned"
	// Disturbance: something was noted that neither stopped writes nor took redundancy away.
	Disturbance Class = "disturbance"
)

// Incident is one coherent piece of what happened.
type Incident struct {
	Class Class     `json:"class"`
	Began time.Time `json:"began"`
	// Ended is when the last part was back; zero while something still is not.
	Ended time.Time `json:"ended,omitzero"`
	// Times is how often it happened in a row, where something broke again as soon as it was back;
	// else 0.
	Times int `json:"times,omitempty"`
	// Headline is one sentence without the time.
	Headline string `json:"headline"`
	Cause    Cause  `json:"cause"`
	// OldLeader and NewLeader are hosts; equal, or NewLeader empty, where nobody took over.
	OldLeader string `json:"old_leader,omitempty"`
	NewLeader string `json:"new_leader,omitempty"`
	// Lock says how the leader key was lost; nil where it was not.
	Lock *LockLoss `json:"lock,omitempty"`
	// Gaps are the times during which no write can have gone through, WithoutWritesSeconds the sum
	// of them.
	Gaps                 []Gap   `json:"gaps"`
	WithoutWritesSeconds float64 `json:"without_writes_seconds"`
	// Loss is about what was not replicated; nil where nobody took over.
	Loss *Loss `json:"loss,omitempty"`
	// Redundant is when everything was back; RedundantSeconds counts from Began. Zero and negative:
	// not within the span.
	Redundant        time.Time `json:"redundant,omitzero"`
	RedundantSeconds float64   `json:"redundant_seconds"`
	// Missing is what is not back.
	Missing []string `json:"missing,omitempty"`
	// Events are the timeline.
	Events []Event `json:"events"`
}

// Confidence says how sure a conclusion is.
type Confidence string

// The degrees of confidence.
const (
	Certain Confidence = "certain" // a line says so
	// several hosts' lines fit nothing else that this package knows
	Likely   Confidence = "likely"
	Possible Confidence = "possible" // it is the first sign, and what is behind it left no line
)

// Cause is what began an incident.
type Cause struct {
	Time       time.Time  `json:"time"`
	Host       string     `json:"host"`
	Component  Component  `json:"component"`
	Kind       Kind       `json:"kind"`
	Text       string     `json:"text"`
	Confidence Confidence `json:"confidence"`
	Evidence   string     `json:"evidence"`
	// By is who did it, where a trail or sudo tells; "" otherwise.
	By string `json:"by,omitempty"`
}

// LockLoss is how a leader lost the leader key.
type LockLoss struct {
	Host string    `json:"host"`
	Time time.Time `json:"time"`
	// Reason is released, expired or not renewed, in words.
	Reason string `json:"reason"`
	// Taken is when NewLeader took it; zero when nobody did.
	Taken time.Time `json:"taken,omitzero"`
}

// Gap is a time without writes, as far as journals tell. Clients may need longer: they have to
// connect again.
type Gap struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end,omitzero"`
	Seconds float64   `json:"seconds"`
	// Open: it had not ended at the end of the span, and Seconds goes up to there.
	Open bool `json:"open,omitempty"`
	// From and To are what stopped the writes and what let them go on.
	From string `json:"from"`
	To   string `json:"to,omitempty"`
	// told is when the journals told of it: that is later than Start where a host fell silent.
	told time.Time
}

// Loss is what the former leader had and the new one had not.
type Loss struct {
	// Known is false where the former leader's last position is not known.
	Known bool `json:"known"`
	// Bytes of WAL, an upper bound for what transactions wrote: the record of a shutdown is among
	// them.
	Bytes uint64 `json:"bytes"`
	// Timeline ended at Switched in the new leader's history, and at Former on the former leader;
	// "" where unknown.
	Timeline int64  `json:"timeline"`
	Switched string `json:"switched,omitempty"`
	Former   string `json:"former,omitempty"`
	// UpTo is when the last transaction was committed that the new leader had when it took over.
	UpTo time.Time `json:"up_to,omitzero"`
	Text string    `json:"text"`
}
