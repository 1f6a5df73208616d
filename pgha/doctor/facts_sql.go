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
	// ArchiveWaits is how many WAL segments wait to be archived, ArchiveOldest for how many seconds the oldest has.
	ArchiveWaits    int64         `json:"archive_waits"`
	ArchiveOldest   float64       `json:"archive_oldest"`
	ArchiveFailures int64         `json:"archive_failures"`
	WALBytes        int64         `json:"wal_bytes"`
	Replication     []Replication `json:"replication"`
	Slots           []Slot        `json:"slots"`
	Long            []Transaction `json:"long"`
	// Prepared are prepared transactions older than the limit: they hold locks until somebody ends them.
	Prepared []string `json:"prepared"`
	// Leftovers are tables of a verify that was cut off.
	Leftovers []string `json:"leftovers"`
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

// questionSQL asks for everything at once. $1 stands for the seconds after which a transaction is long.
const questionSQL = `SELECT json_build_object(
'recovery', pg_is_in_recovery(),
'system_id', (SELECT system_identifier::text FROM pg_control_system()),
'timeline', coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint())),
'version', current_setting('server_version'),
'max_connections', current_setting('max_connections')::int,
'reserved', current_setting('superuser_reserved_connections')::int,
'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
'synchronous', current_setting('synchronous_standby_names'),
'sync_waiting', (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'),
'checksums', current_setting('data_checksums') = 'on',
'log_hints', current_setting('wal_log_hints') = 'on',
'receiver_state', coalesce((SELECT status FROM pg_stat_wal_receiver), ''),
'pending', (SELECT coalesce(json_agg(name), '[]') FROM pg_settings WHERE pending_restart),
'altered', (SELECT coalesce(json_agg(name), '[]') FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'),
'refused', (%REFUSED%),
'hba_errors', (SELECT coalesce(json_agg(format('line %s: %s', line_number, error)), '[]') FROM pg_hba_file_rules WHERE error IS NOT NULL),
'hba_rules', (SELECT coalesce(json_agg(json_build_object('line', line_number, 'type', type, 'databases', array_to_string(database, ','), 'users', array_to_string(user_name, ','),
  'address', coalesce(address, ''), 'mask', coalesce(netmask, ''), 'method', coalesce(auth_method, '')) ORDER BY line_number), '[]') FROM pg_hba_file_rules WHERE error IS NULL),
'archive_failed', (SELECT coalesce(max(last_failed_wal), '') FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off' AND last_failed_time > coalesce(last_archived_time, '-infinity')),
'archive_failures', (SELECT failed_count FROM pg_stat_archiver),
'archive_waits', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND current_setting('archive_mode') <> 'off'),
'archive_oldest', (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(modification)), 0) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND current_setting('archive_mode') <> 'off'),
'lsn', CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn,
'wal_bytes', (SELECT sum(size) FROM pg_ls_waldir()),
'replication', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'state', state, 'sync', sync_state,
  'lag', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)::bigint)), '[]') FROM pg_stat_replication),
'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'type', slot_type, 'active', active, 'status', coalesce(wal_status, ''),
  'kept', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint)), '[]') FROM pg_replication_slots WHERE NOT temporary),
'long', (SELECT coalesce(json_agg(json_build_object('pid', pid, 'user', coalesce(usename, ''), 'application', coalesce(application_name, ''), 'state', coalesce(state, ''),
  'seconds', extract(epoch FROM clock_timestamp() - xact_start)) ORDER BY xact_start), '[]') FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - make_interval(secs => %SECONDS%)),
'prepared', (SELECT coalesce(json_agg(gid), '[]') FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - make_interval(secs => %SECONDS%)),
'leftovers', (SELECT coalesce(json_agg(relname), '[]') FROM pg_class WHERE relkind = 'r' AND relname LIKE 'pgha\_verify\_%')
)`
