package record

import "time"

// LogComponent is the part of the cluster whose log is read.
type LogComponent string

// The components. Patroni starts PostgreSQL, so both write into the journal of Patroni's unit; the
// program that wrote a line tells them apart.
const (
	LogPatroni    LogComponent = "patroni"
	LogPostgreSQL LogComponent = "postgresql"
	LogEtcd       LogComponent = "etcd"
	LogHAProxy    LogComponent = "haproxy"
	LogKeepalived LogComponent = "keepalived"
	// LogSystem is the host itself: the kernel, boots and shutdowns, network links, sudo, and
	// pgha's watcher.
	LogSystem LogComponent = "system"
	// LogAll is all of them but LogSystem.
	LogAll LogComponent = "all"
)

// LogComponents returns all components, in the order in which a reader looks for them.
func LogComponents() []LogComponent {
	return []LogComponent{LogPatroni, LogPostgreSQL, LogEtcd, LogHAProxy, LogKeepalived,
		LogSystem, LogAll}
}

// ServerPrograms returns the programs of PostgreSQL that Patroni starts and whose output is
// PostgreSQL's log. journald notes the name of the process that wrote a line in _COMM;
// SYSLOG_IDENTIFIER is "patroni" for all of the unit. Where a process ended before journald looked
// at it there is no _COMM, and the line counts as Patroni's.
func ServerPrograms() []string {
	return []string{"postgres", "initdb", "pg_rewind", "pg_basebackup"}
}

// LogsOptions say which lines are read. Component has no default.
type LogsOptions struct {
	Component LogComponent
	// Hosts by their own or their members' names; none means every host that runs the component.
	Hosts []string
	// Since and Until bound the time, by the clock of each host; zero bounds nothing. Until and
	// Follow exclude each other.
	Since, Until time.Time
	// Lines keeps the last so many lines of all hosts together; 0 keeps all.
	Lines int
	// Follow continues with what is written from now on, until the context ends. Without Since and
	// Lines nothing older is read.
	Follow bool
	// Warn receives, from one goroutine at a time, each host whose log cannot be read; the others'
	// are read all the same. Optional.
	Warn func(host string, err error)
}

// LogEntry is one line of a host's journal.
type LogEntry struct {
	// Time is when the host's journal received it, to the microsecond, by the host's own clock.
	Time time.Time `json:"time"`
	Host string    `json:"host"`
	// Unit is the systemd unit that it is about; "" for the kernel.
	Unit string `json:"unit"`
	// Program is who wrote it: patroni, postgres, initdb, etcd, haproxy, systemd, ...
	Program string `json:"program"`
	// Priority is syslog's, 0 (emergency) to 7 (debug). All that PostgreSQL and Patroni write has
	// 6.
	Priority int `json:"priority"`
	// Message may have several lines. Bytes that are no UTF-8 are replaced by U+FFFD.
	Message string `json:"message"`
	// Boot differs between any two boots of a host.
	Boot string `json:"boot"`
	// Cursor is the place in the host's journal, as journalctl names it.
	Cursor string `json:"-"`
}
