package advisor

import "time"

// Facts are what was measured. What is missing was not measured, and rules that need it say
// nothing.
type Facts struct {
	// Hosts by name.
	Hosts map[string]HostFacts `json:"hosts"`
	// RoundTrips between hosts, in the order of the specification.
	RoundTrips []RoundTrip `json:"round_trips"`
	// Database is what the leader says; nil without one that answers.
	Database *Database `json:"database,omitempty"`
	// Strangers are other virtual routers that were heard on a balancer's network.
	Strangers []Stranger `json:"strangers"`
}

// HostFacts are one host's.
type HostFacts struct {
	MemoryBytes int64 `json:"memory_bytes"`
	// DataFree is what is left where PostgreSQL keeps its data, and DataDisk the name of that file
	// system's device.
	DataFree int64  `json:"data_free_bytes"`
	DataDisk string `json:"data_disk"`
	// EtcdDisk is the device under etcd's data.
	EtcdDisk string `json:"etcd_disk"`
	Watchdog bool   `json:"watchdog"`
	// Sync is how long etcd's disk takes to keep what it was given; zero when it was not measured.
	Sync Sync `json:"sync"`
}

// Sync is how long a disk takes to write a few kilobytes durably.
type Sync struct {
	// P99 is what 99 of 100 writes stay below.
	P99Seconds float64 `json:"p99_seconds"`
	Samples    int     `json:"samples"`
	// Source says how it was measured.
	Source string `json:"source"`
}

// P99 as a duration.
func (s Sync) P99() time.Duration { return time.Duration(s.P99Seconds * float64(time.Second)) }

// RoundTrip is how long a host needs to open a TCP connection to another, the median of a few.
type RoundTrip struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	Seconds float64 `json:"seconds"`
}

// Took as a duration.
func (r RoundTrip) Took() time.Duration { return time.Duration(r.Seconds * float64(time.Second)) }

// Database is what the leader's PostgreSQL says of itself.
type Database struct {
	// Settings that rules look at, as PostgreSQL shows them in its base units: bytes, milliseconds,
	// counts, words.
	Settings map[string]string `json:"settings"`
	// Replicas that stream, by member.
	Replicas map[string]Replica `json:"replicas"`
	Slots    []Slot             `json:"slots"`
	// WALRate and RowRate are bytes of WAL and rows written each second while it was measured.
	WALRate float64 `json:"wal_bytes_per_second"`
	RowRate float64 `json:"rows_per_second"`
}

// Replica is one that streams.
type Replica struct {
	// LagBytes of WAL that it has not on its disk yet.
	LagBytes int64 `json:"lag_bytes"`
	// Synchronous: commits may wait for it.
	Synchronous bool `json:"synchronous"`
}

// Slot is a replication slot.
type Slot struct {
	Name   string `json:"name"`
	Active bool   `json:"active"`
	// KeptBytes of WAL that the leader keeps for it.
	KeptBytes int64 `json:"kept_bytes"`
}

// Stranger is a virtual router that is none of the cluster's.
type Stranger struct {
	// Heard on this balancer, from this address.
	On       string `json:"on"`
	From     string `json:"from"`
	RouterID int    `json:"router_id"`
}
