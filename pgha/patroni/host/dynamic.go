package host

import "strings"

// DefaultParameters returns the PostgreSQL settings that a cluster of this major version starts
// with, as a map of its own that the caller may change.
func DefaultParameters(version int) map[string]any {
	return map[string]any{
		"max_connections": 100,
		"shared_buffers":  "256MB",
		// What is left for the superuser when applications have used up max_connections (3 by
		// default, of PostgreSQL 14 to 18): Patroni has two sessions, which it opens again when
		// they break, and one for a checkpoint (3); verify asks a member by four checks at once
		// (4); an administrator has psql open, and one more comes (2); one is to spare.
		"superuser_reserved_connections": 10,
		// pg_rewind needs hint bits in the WAL, or checksums. With both, a cluster that was made
		// without checksums works too.
		"wal_log_hints": "on",
		// An absent replica's slot holds WAL back until the primary's disk is full. Eight gigabytes
		// is eight times the default max_wal_size: a replica that missed more is quicker copied
		// again than fed.
		"max_slot_wal_keep_size":   "8GB",
		"password_encryption":      "scram-sha-256",
		"ssl_min_protocol_version": "TLSv1.2",
		// A replica whose primary went away asks again after this. PostgreSQL's default of 5 s is
		// longer than a switchover, and where commits wait for a replica it adds to the time
		// without writes.
		"wal_retrieve_retry_interval": "500ms",
		// A client or a balancer that died without a word leaves its session, with its locks. The
		// kernel asks after two hours and gives up eleven minutes later; with these it takes 25 s:
		// 10 s of silence and three questions 5 s apart, or 25 s without an acknowledgement of what
		// was sent.
		"tcp_keepalives_idle":     10,
		"tcp_keepalives_interval": 5,
		"tcp_keepalives_count":    3,
		"tcp_user_timeout":        "25s",
		// A session that is at work looks at none of it: its query continues for a client that is
		// gone, with all its locks, while it computes or waits for a lock itself. With this it
		// looks that often whether the connection is still there.
		"client_connection_check_interval": "5s",
		// Who did it: the form that pgBadger takes apart. Behind a balancer the client is the
		// balancer.
		"log_line_prefix": "%m [%p] %quser=%u,db=%d,app=%a,client=%h ",
		"log_connections": logConnections(version),
		// Who waits for whom, after deadlock_timeout (1 s).
		"log_lock_waits": "on",
	}
}

// logConnections is one line for each session that has logged in, where PostgreSQL can choose:
// before 18 it logs the connection and the authentication, too.
func logConnections(version int) string {
	if version >= 18 {
		return "authorization"
	}
	return "on"
}

// parameters are the settings of the whole cluster: the defaults with the caller's over them. A nil
// one is taken away from the DCS, whoever wrote it there.
func (o Options) parameters() map[string]any {
	p := DefaultParameters(o.PostgreSQLVersion)
	for name, value := range o.Parameters {
		// PostgreSQL does not tell MAX_CONNECTIONS from max_connections; a map does
		p[strings.ToLower(name)] = value
	}
	return p
}

// Dynamic returns the part of the configuration in the DCS that the options define. A nil value
// takes its key away. Pure computation.
func Dynamic(o Options) map[string]any {
	o = o.WithDefaults()
	d := map[string]any{
		"ttl":                     int(o.TTL.Seconds()),
		"loop_wait":               int(o.LoopWait.Seconds()),
		"retry_timeout":           int(o.RetryTimeout.Seconds()),
		"maximum_lag_on_failover": *o.MaximumLagOnFailover,
		"failsafe_mode":           !o.NoFailsafe,
		"synchronous_mode": o.SynchronousMode == SynchronousOn ||
			o.SynchronousMode == SynchronousStrict,
		"synchronous_mode_strict": o.SynchronousMode == SynchronousStrict,
		// Patroni drops every slot that it does not know, at its own start, after a restart of
		// PostgreSQL and whenever a slot of its own comes or goes; a consumer that is away at that
		// moment would have lost its place.
		"ignore_slots": []any{map[string]any{"type": "logical"}},
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
	if len(o.Slots) > 0 {
		d["slots"] = permanent(o.Slots)
	}
	if o.MemberSlotsTTL > 0 {
		d["member_slots_ttl"] = int(o.MemberSlotsTTL.Seconds())
	}
	return d
}

// permanent is Patroni's setting for slots.
func permanent(slots []Slot) map[string]any {
	all := map[string]any{}
	for _, s := range slots {
		if s.Plugin == "" {
			all[s.Name] = map[string]any{"type": "physical"}
			continue
		}
		all[s.Name] = map[string]any{"type": "logical", "database": s.Database, "plugin": s.Plugin}
	}
	return all
}
