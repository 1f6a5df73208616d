package advisor

import (
	"fmt"

	"github.com/pgha/toolkit/pgha/spec"
)

// Risk are writes that the cluster has acknowledged and would lose.
type Risk struct {
	// Bytes and Rows at this moment; null when they are not known. Rows follow from the bytes that
	// a row took while it was measured, and are not known when nothing was written then.
	Bytes *int64 `json:"bytes"`
	Rows  *int64 `json:"rows"`
	// MostBytes is what Patroni's rules allow; null when the rate of writing is not known and
	// counts.
	MostBytes *int64 `json:"most_bytes"`
	// Because says which rule that is.
	Because string `json:"because,omitempty"`
}

// none is no risk.
func none(because string) Risk {
	var zero int64
	return Risk{&zero, &zero, &zero, because}
}

// risk is what goes with the leader.
func (t Topology) risk(facts Facts) Risk {
	p, db := t.Spec.Patroni, facts.Database
	if p.SynchronousMode != spec.SynchronousOff {
		if t.count(func(h Host) bool { return h.Synchronous && h.Member }) > 0 {
			return none(fmt.Sprintf("synchronous_mode %s: a commit returns when a replica has it",
				p.SynchronousMode))
		}
		if p.SynchronousMode == spec.SynchronousStrict {
			return none("synchronous_mode strict: nothing is committed without a replica")
		}
	}
	r := Risk{Because: fmt.Sprintf(
		"maximum_lag_on_failover %d, and the WAL of the last ttl %gs, which Patroni may not know of",
		p.MaximumLagOnFailover, p.TTL.Seconds())}
	if p.SynchronousMode != spec.SynchronousOff {
		r.Because = "no replica is synchronous now; " + r.Because
	}
	if db == nil {
		return r
	}
	most := p.MaximumLagOnFailover + int64(db.WALRate*p.TTL.Seconds())
	r.MostBytes = &most
	if bytes, ok := db.leastLag(); ok {
		r.Bytes = &bytes
		r.Rows = db.rows(bytes)
	}
	return r
}

// leastLag is that of the replica which would be promoted.
func (d Database) leastLag() (int64, bool) {
	least, found := int64(0), false
	for _, r := range d.Replicas {
		if !found || r.LagBytes < least {
			least, found = r.LagBytes, true
		}
	}
	return least, found
}

// rows is how many rows so many bytes of WAL are.
func (d Database) rows(bytes int64) *int64 {
	switch {
	case bytes == 0:
		return &bytes
	case d.RowRate <= 0 || d.WALRate <= 0:
		return nil
	}
	n := int64(float64(bytes)*d.RowRate/d.WALRate) + 1
	return &n
}
