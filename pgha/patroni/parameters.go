package patroni

import (
	"fmt"
	"strings"
)

// DefaultParameters returns the PostgreSQL settings a cluster starts with, as a map of its own that the caller may change.
func DefaultParameters() map[string]any {
	return map[string]any{
		"max_connections": 100,
		"shared_buffers":  "256MB",
		// pg_rewind needs hint bits in the WAL, or checksums. With both, a cluster that was made without checksums works too.
		"wal_log_hints": "on",
		// An absent replica's slot holds WAL back until the primary's disk is full. Eight gigabytes is eight times the
		// default max_wal_size: a replica that missed more is quicker copied anew than fed.
		"max_slot_wal_keep_size":   "8GB",
		"password_encryption":      "scram-sha-256",
		"ssl_min_protocol_version": "TLSv1.2",
		// A replica whose primary went away asks again after this. PostgreSQL's default of 5 s is longer than a switchover,
		// and where commits wait for a replica it adds to the time without writes.
		"wal_retrieve_retry_interval": "500ms",
	}
}

// parameters are the settings of the whole cluster: the defaults with the caller's over them. A nil one is taken away
// from the DCS, whoever wrote it there.
func (o Options) parameters() map[string]any {
	p := DefaultParameters()
	for name, value := range o.Parameters {
		p[strings.ToLower(name)] = value // PostgreSQL does not tell MAX_CONNECTIONS from max_connections; a map does
	}
	return p
}

// controlled are the settings that somebody else sets, and who.
var controlled = map[string]string{
	"listen_addresses":         "Patroni sets it from postgresql.listen",
	"port":                     "Patroni sets it from postgresql.listen: use ListenPort",
	"cluster_name":             "Patroni sets it to the scope",
	"hot_standby":              "Patroni keeps it on",
	"data_directory":           "Patroni starts PostgreSQL with it: use DataDir",
	"config_file":              "Patroni writes it",
	"hba_file":                 "pg_hba.conf is written from config.yml: use PgHBA",
	"ident_file":               "Patroni writes it",
	"primary_conninfo":         "Patroni points each replica at the leader",
	"primary_slot_name":        "Patroni names each replica's slot",
	"standby_mode":             "Patroni decides who is a replica",
	"trigger_file":             "Patroni promotes",
	"promote_trigger_file":     "Patroni promotes",
	"recovery_target":          "a recovery target on a replica stops replication",
	"recovery_target_timeline": "Patroni keeps replicas on the leader's timeline",
	"unix_socket_directories":  "Patroni logs in through it",
	"ssl":                      "every link is encrypted: it stays on",
	"ssl_cert_file":            "it names the certificate that this package puts there: use Member.Postgres",
	"ssl_key_file":             "it names the key that this package puts there: use Member.Postgres",
}

// checkParameter says why a setting is refused.
func (o Options) checkParameter(name string, value any) error {
	name = strings.ToLower(name)
	text := strings.ToLower(fmt.Sprint(value))
	switch reason, found := controlled[name]; {
	case found:
		return fmt.Errorf("parameter %s: %s", name, reason)
	case name == "synchronous_standby_names" && o.SynchronousMode != SynchronousOff:
		return fmt.Errorf("parameter %s: Patroni sets it in synchronous mode", name)
	case name == "password_encryption" && text != "scram-sha-256":
		return fmt.Errorf("parameter %s: %q is refused, because pg_hba.conf only lets scram-sha-256 in", name, text)
	case name == "wal_level" && text != "replica" && text != "logical":
		return fmt.Errorf("parameter %s: %q does not replicate; use replica or logical", name, text)
	}
	return nil
}

// dynamic is the part of the DCS configuration that the options define.
func (o Options) dynamic() map[string]any {
	d := map[string]any{
		"ttl":                     int(o.TTL.Seconds()),
		"loop_wait":               int(o.LoopWait.Seconds()),
		"retry_timeout":           int(o.RetryTimeout.Seconds()),
		"maximum_lag_on_failover": *o.MaximumLagOnFailover,
		"failsafe_mode":           !o.NoFailsafe,
		"synchronous_mode":        o.SynchronousMode == SynchronousOn || o.SynchronousMode == SynchronousStrict,
		"synchronous_mode_strict": o.SynchronousMode == SynchronousStrict,
		"postgresql": map[string]any{
			"use_pg_rewind": !o.NoRewind,
			"use_slots":     !o.NoSlots,
			"parameters":    o.parameters(),
		},
	}
	if o.SynchronousMode == SynchronousQuorum {
		d["synchronous_mode"] = "quorum"
	}
	if o.PrimaryStartTimeout != nil {
		d["primary_start_timeout"] = int(o.PrimaryStartTimeout.Seconds())
	}
	if o.MemberSlotsTTL > 0 {
		d["member_slots_ttl"] = int(o.MemberSlotsTTL.Seconds())
	}
	return d
}
