package advisor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/spec"
)

// synchronous: the mode against the members there are, and against what a session's commit waits
// for.
func (in input) synchronous() []Remark {
	mode := in.Patroni.SynchronousMode
	if mode == spec.SynchronousOff {
		return nil
	}
	var found []Remark
	if !in.several() {
		found = remark("synchronous-alone", Warning, "there is no replica to confirm commits",
			fmt.Sprintf("synchronous_mode is %s, and there is one database host", mode),
			"two more database hosts, or patroni.synchronous_mode: off")
	}
	if commit := in.parameter("synchronous_commit"); slices.Contains([]string{"off", "local",
		"false", "no", "0"},
		strings.ToLower(commit)) {
		found = append(found,
			remark("synchronous-commit", Warning, "commits do not wait for a replica although "+
				"the mode asks for it",
				fmt.Sprintf(
					"synchronous_mode is %s; synchronous_commit %s returns before any replica "+
						"has the transaction",
					mode, commit), "postgresql.parameters.synchronous_commit: on")...)
	}
	return found
}

// failsafe: without it a short absence of etcd stops writes.
func (in input) failsafe() []Remark {
	if in.Patroni.FailsafeMode || !in.several() {
		return nil
	}
	return remark("failsafe-off", Warning, "writes stop when etcd is away for a moment, though "+
		"every member is well",
		fmt.Sprintf("failsafe_mode is off, and the primary gives up after retry_timeout %s "+
			"without etcd",
			sec(in.clock.retry)), "patroni.failsafe_mode: true")
}

// connections: HAProxy lets through what PostgreSQL can take, and replicas find room.
func (in input) connections() []Remark {
	var found []Remark
	limit, known := in.number("max_connections")
	if known && len(in.Balancers()) > 0 && int64(in.Balancer.MaxConnections) < limit {
		found = remark("balancer-connections", Warning,
			"HAProxy lets fewer sessions through than PostgreSQL takes",
			fmt.Sprintf(
				"balancer.max_connections is %d, for writes and reads together; max_connections "+
					"of PostgreSQL is %d (%s)", in.Balancer.MaxConnections, limit,
				in.source("max_connections")),
			fmt.Sprintf("balancer.max_connections: %d or more", 2*limit))
	}
	// A base backup takes two, and each replica one.
	need := int64(len(in.Databases()) - 1 + 2)
	for _, name := range []string{"max_wal_senders", "max_replication_slots"} {
		if n, ok := in.number(name); ok && n < need {
			found = append(found, remark("replication-room", Warning,
				"there is no room to copy a replica again",
				fmt.Sprintf("%s is %d (%s); %d replicas and a base backup take %d", name, n,
					in.source(name),
					len(in.Databases())-1, need), fmt.Sprintf("postgresql.parameters.%s: %d", name,
					max(10, need)))...)
		}
	}
	return found
}

// deadClients: a session whose client is gone must not keep its locks for long.
func (in input) deadClients() []Remark {
	c := in.clock
	took := c.idle + time.Duration(c.count)*c.interval
	if took <= time.Minute {
		return nil
	}
	severity := Note
	if took > 10*time.Minute {
		severity = Warning
	}
	return remark("dead-clients", severity, "a client or balancer that dies leaves its row locks",
		fmt.Sprintf("PostgreSQL ends its session after tcp_keepalives_idle %s and %d questions "+
			"tcp_keepalives_interval %s apart, %s in all (of the specification; 0 is the "+
			"kernel's)", c.idle, c.count, c.interval, took),
		"postgresql.parameters: {tcp_keepalives_idle: 10, tcp_keepalives_interval: 5, "+
			"tcp_keepalives_count: 3}, or none of them, which gives the same")
}

// walKept: a slot of a replica that is gone must not fill the disk.
func (in input) walKept() []Remark {
	kept, ok := in.number("max_slot_wal_keep_size")
	if !ok || kept >= 0 || !in.Patroni.UseSlots {
		return nil
	}
	return remark("slots-unlimited", Warning, "a replica that stays away fills the leader's disk",
		fmt.Sprintf("max_slot_wal_keep_size is -1 (%s): the leader keeps all WAL for its slot",
			in.source("max_slot_wal_keep_size")),
		"postgresql.parameters.max_slot_wal_keep_size: 8GB, or what the disk has to spare")
}

// archiving: without a command WAL is kept for ever, and a switchover never ends.
func (in input) archiving() []Remark {
	mode := strings.ToLower(in.parameter("archive_mode"))
	if mode == "" || slices.Contains([]string{"off", "false", "no", "0"}, mode) ||
		in.parameter("archive_command") != "" || in.parameter("archive_library") != "" {
		return nil
	}
	return remark("archive-nowhere", Warning, "WAL is kept until it is archived, and nothing "+
		"archives it",
		fmt.Sprintf("archive_mode is %s, and neither archive_command nor archive_library is set",
			mode),
		"postgresql.parameters.archive_command, or archive_mode: off")
}

// singles: what there is only one of. That a virtual IP has two balancers is a rule of the
// specification.
func (in input) singles() []Remark {
	if in.several() {
		return nil
	}
	return remark("single-database", Note, "nobody can take over", "there is one database host",
		"two more database hosts")
}

// parameter is a setting of PostgreSQL as the leader has it, else as the specification; "" when
// neither says.
func (in input) parameter(name string) string {
	if in.facts.Database != nil {
		if v, ok := in.facts.Database.Settings[name]; ok {
			return v
		}
	}
	for key, value := range in.PostgreSQL.Parameters {
		if strings.EqualFold(key, name) && value != nil {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// source says which of the two it is.
func (in input) source(name string) string {
	if in.facts.Database != nil {
		if _, ok := in.facts.Database.Settings[name]; ok {
			return "the leader's"
		}
	}
	return "of the specification"
}

// number is such a setting as a plain number.
func (in input) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(in.parameter(name), 10, 64)
	return n, err == nil
}
