package doctor

import "github.com/pgha/toolkit/internal/hba"

// SQL is what PostgreSQL answers on the host's own socket.
type SQL struct {
	// Error is why there is no answer; everything else is empty then.
	Error          string `json:"error,omitempty"`
	Recovery       bool   `json:"recovery"`
	SystemID       string `json:"system_id"`
	Timeline       int64  `json:"timeline"`
	Version        string `json:"version"`
	MaxConnections int    `json:"max_connections"`
	Reserved       int    `json:"reserved"`
	Connections    int    `json:"connections"`
	Synchronous    string `json:"synchronous"`
	SyncWaiting    int    `json:"sync_waiting"`
	Checksums      bool   `json:"checksums"`
	LogHints       bool   `json:"log_hints"`
	ReceiverState  string `json:"receiver_state"`
	// LSN is the newest position in the WAL that the server has.
	LSN     int64    `json:"lsn"`
	Pending []string `json:"pending"`
	// Altered are settings of postgresql.auto.conf: ALTER SYSTEM was used.
	Altered   []string `json:"altered"`
	HBAErrors []string `json:"hba_errors"`
	// Refused are lines of its files that PostgreSQL does not take.
	Refused []string `json:"refused"`
	// HBARules are the lines of pg_hba.conf as PostgreSQL reads them.
	HBARules []hba.Rule `json:"hba_rules"`
	// ArchiveFailed is the WAL segment that could not be archived, "" when the last one was.
	ArchiveFailed string `json:"archive_failed"`
	// ArchiveWaits is how many WAL segments wait to be archived, ArchiveOldest for how many seconds
	// the oldest has.
	ArchiveWaits    int64         `json:"archive_waits"`
	ArchiveOldest   float64       `json:"archive_oldest"`
	ArchiveFailures int64         `json:"archive_failures"`
	WALBytes        int64         `json:"wal_bytes"`
	Replication     []Replication `json:"replication"`
	Slots           []Slot        `json:"slots"`
	Long            []Transaction `json:"long"`
	// Prepared are prepared transactions older than the limit: they hold locks until somebody ends
	// them.
	Prepared []string `json:"prepared"`
	// Leftovers are tables of a verify that was cut off.
	Leftovers []string `json:"leftovers"`
	// Lacking is what the roles of replication and of pg_rewind may not do and must, in words.
	Lacking []string `json:"lacking"`
	// ReplicationLogin is what the replication login on 127.0.0.1 met; "" when it was let in.
	ReplicationLogin string `json:"replication_login,omitempty"`
}

// Replication is one replica as the primary sees it.
type Replication struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Sync  string `json:"sync"`
	Lag   int64  `json:"lag"`
}

// Slot is one replication slot.
type Slot struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Active bool   `json:"active"`
	Status string `json:"status"`
	Kept   int64  `json:"kept"`
	// Database and Plugin are those of a logical slot.
	Database string `json:"database,omitempty"`
	Plugin   string `json:"plugin,omitempty"`
	// Failover is a logical slot that PostgreSQL copies to the replicas, Synced such a copy.
	Failover bool `json:"failover,omitempty"`
	Synced   bool `json:"synced,omitempty"`
}

// Transaction is a session whose transaction is open for long.
type Transaction struct {
	PID         int     `json:"pid"`
	User        string  `json:"user"`
	Application string  `json:"application"`
	State       string  `json:"state"`
	Seconds     float64 `json:"seconds"`
}

// Data is what lies in the data directories and in the files that programs read.
type Data struct {
	// ControlState and SystemID are of PostgreSQL's control file; "" when there is none.
	ControlState string `json:"control_state"`
	SystemID     string `json:"system_id"`
	// Postmaster is the pid of a living postmaster of the data directory, 0 when there is none.
	Postmaster int `json:"postmaster"`
	// EtcdData: etcd's write-ahead log is there.
	EtcdData bool `json:"etcd_data"`
	// HBA are the lines of pg_hba.conf, HBAWanted those of Patroni's config.yml.
	HBA       []string `json:"hba"`
	HBAWanted []string `json:"hba_wanted"`
	// ConfigError is what makes Patroni's config.yml useless; "" when it can be read.
	ConfigError string `json:"config_error,omitempty"`
	// InitialState is ETCD_INITIAL_CLUSTER_STATE.
	InitialState string `json:"initial_state"`
}
