package doctor

import (
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/spec"
)

// psql is how the remedies speak to a host's own PostgreSQL.
func psql(f Facts, sql string) string {
	return psqlWith(f) + ` -c "` + sql + `"`
}

func psqlWith(f Facts, args ...string) string {
	pg := f.Spec.PostgreSQL
	text, err := shell.Join(pgsession.Remedy(pg.Version, pg.Port, pg.Superuser, args...))
	if err != nil {
		return "" // a role's name with a NUL in it, which validate refuses
	}
	return text
}

// sqlHosts are the hosts whose PostgreSQL answers.
func (f Facts) sqlHosts() []*Host {
	var list []*Host
	for _, h := range f.databases() {
		if h.SQL != nil && h.SQL.Error == "" {
			list = append(list, h)
		}
	}
	return list
}

// endIdle ends idle sessions by their processes' titles, as pg_terminate_backend does it: SIGTERM.
const endIdle = `pkill -TERM -u postgres -f '^postgres: .* idle$'`

func connections(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		if strings.Contains(h.SQL.Error, "too many clients") ||
			strings.Contains(h.SQL.Error, "remaining connection slots") {
			list = append(list, Finding{ID: "connections-exhausted", Host: h.Name, Severity: Error,
				Title:       "PostgreSQL has no connection left, not even for its administrator",
				Consequence: "nobody can log in, nor can Patroni",
				Evidence:    []string{h.SQL.Error}, Remedy: on(h.Name, endIdle),
				Advice: errs.Text("this ends sessions that are idle, where nobody can log in to do so; "+
					"if none is, %s. Find out which application does not give connections back; a "+
					"pooler in front of it helps", errs.Verb(Restart, h.Member)),
				explains: databaseSymptoms(h.Name)})
		}
	}
	for _, h := range f.sqlHosts() {
		free := h.SQL.MaxConnections - h.SQL.Reserved - h.SQL.Connections
		evidence := []string{fmt.Sprintf(
			"%d sessions; max_connections is %d, of which %d are kept for the administrator",
			h.SQL.Connections, h.SQL.MaxConnections, h.SQL.Reserved)}
		end := on(h.Name,
			psql(f, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "+
				"backend_type = 'client backend' AND state = 'idle' AND pid <> pg_backend_pid() "+
				"AND NOT application_name ILIKE 'patroni%'"))
		advice := "this ends sessions that are idle; find out which application does not give " +
			"connections back, or raise max_connections"
		switch {
		case free <= 0:
			list = append(list, Finding{ID: "connections-exhausted", Host: h.Name, Severity: Error,
				Title:       "PostgreSQL has no connection left",
				Consequence: "applications and replicas are refused: too many clients already",
				Evidence:    evidence, Remedy: end, Advice: errs.Text(advice),
				explains: []symptom{{"replication-login-fails", h.Name, ""},
					{"replica-not-streaming", "", ""}}})
		case h.SQL.Connections*10 > h.SQL.MaxConnections*9:
			list = append(list, Finding{ID: "connections-nearly-exhausted", Host: h.Name,
				Severity:    Warning,
				Title:       "PostgreSQL has few connections left",
				Consequence: "soon applications are refused",
				Evidence:    evidence, Remedy: end,
				Advice: errs.Text(advice)})
		}
	}
	return list
}

func replicationLogins(f Facts) []Finding {
	var list []Finding
	for _, h := range f.sqlHosts() {
		if h.SQL.ReplicationLogin == "" {
			continue
		}
		found := Finding{ID: "replication-login-fails", Host: h.Name, Severity: Error,
			Title: "the replication login is refused",
			Consequence: "after the next failover this member cannot rejoin, and replicas cannot " +
				"connect to it",
			Evidence: []string{"psql on 127.0.0.1: " + h.SQL.ReplicationLogin},
			Remedy:   []Step{{Call: errs.Verb(RotateSecrets, "rotate", "replication")}},
			Advice: errs.Text("the password in PostgreSQL is not the one in %s: "+
				"somebody has changed one of them by hand", layout.PasswordFile),
			explains: []symptom{{"replica-not-streaming", "", ""}, {"replica-lags", "", ""}}}
		if _, ok := h.Files[layout.RolesFile]; ok && h == f.primary() {
			// The tool's own passwords, as verifiers. It works while replicas are down, which a
			// rotation refuses.
			found.Remedy = on(h.Name, psqlWith(f, "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f",
				layout.RolesFile))
		}
		if h != f.primary() {
			// All members have the primary's roles.
			if p := f.primary(); p != nil && p.SQL.ReplicationLogin != "" {
				continue
			}
		} else {
			found.Evidence = append(found.Evidence,
				"replicas have the same roles, so it is refused there, too")
		}
		list = append(list, found)
	}
	return list
}

// longArchive is for how many seconds a WAL segment waits for the archiver before that is reported.
const longArchive = 300

// archiveStuck is an archiver that neither fails nor ends.
func archiveStuck(h *Host) (Finding, bool) {
	if h.SQL.Recovery || h.SQL.ArchiveFailed != "" || h.SQL.ArchiveOldest < longArchive {
		return Finding{}, false
	}
	return Finding{ID: "archive-stuck", Host: h.Name, Severity: Warning,
		Title: "archiving hangs, or is too slow",
		Consequence: "pg_wal grows, and PostgreSQL archives everything before it stops: after a " +
			"switchover this member stays away for as long",
		Evidence: []string{fmt.Sprintf("%d WAL segments wait, the oldest for %.0f s; no attempt "+
			"has failed",
			h.SQL.ArchiveWaits, h.SQL.ArchiveOldest)},
		Advice: errs.Text("see what archive_command does: ps -ef on %s shows it below the archiver",
			h.Name)}, true
}

// segmentMB is the size of a file of the log, as initdb makes it.
const segmentMB = 16

// archiveBacklog is more log that waits than half of what the specification allows.
func archiveBacklog(f Facts, h *Host) (Finding, bool) {
	b := f.Spec.Backup
	waits := h.SQL.ArchiveWaits * segmentMB
	if b == nil || b.LogLimitMB == 0 || h.SQL.Recovery || 2*waits < int64(b.LogLimitMB) {
		return Finding{}, false
	}
	found := Finding{ID: "archive-backlog", Host: h.Name, Severity: Warning,
		Title:       "the log waits for the repository",
		Consequence: "the limit is backup.log_limit_mb; what is above it stays, until the disk is full",
		Evidence: []string{fmt.Sprintf("%d MB wait, %d MB may (backup.log_limit_mb)", waits,
			b.LogLimitMB)},
		Advice: errs.Text("mend the repository, or what is between: %s says what it refuses",
			errs.Verb("backup", "check"))}
	if b.AtLogLimit == spec.AtLogLimitDrop {
		found.Consequence = "what is above the limit is given up: no moment behind it can be reached " +
			"until the repository is back and an incremental backup is made"
	}
	if waits >= int64(b.LogLimitMB) {
		found.Severity, found.Title = Error, "more of the log waits for the repository than may"
	}
	return found, true
}

func retention(f Facts) []Finding {
	var list []Finding
	for _, h := range f.sqlHosts() {
		if h.SQL.ArchiveFailed != "" && !h.SQL.Recovery {
			list = append(list, Finding{ID: "archive-failing", Host: h.Name, Severity: Error,
				Title: "WAL cannot be archived",
				Consequence: "pg_wal grows until the disk is full, there is no point-in-time " +
					"recovery, and PostgreSQL cannot stop in order: a switchover hangs",
				Evidence: append([]string{fmt.Sprintf("%s failed, %d failures, %s of WAL are kept",
					h.SQL.ArchiveFailed, h.SQL.ArchiveFailures, bytesize.Text(h.SQL.WALBytes))},
					h.journal(layout.PatroniUnit, 2)...),
				Advice: errs.Text("run archive_command by hand as postgres and see what it says")})
		}
		if found, ok := archiveStuck(h); ok {
			list = append(list, found)
		}
		if found, ok := archiveBacklog(f, h); ok {
			list = append(list, found)
		}
		for _, s := range h.SQL.Slots {
			if s.Active && s.Status != "lost" || h != f.primary() {
				continue
			}
			found := Finding{ID: "slot-inactive", Host: h.Name, Subject: s.Name, Severity: Warning,
				Title: "nobody reads replication slot " + s.Name,
				Consequence: "WAL is kept for it until max_slot_wal_keep_size, or until the disk " +
					"is full",
				Evidence: []string{fmt.Sprintf("%s slot, WAL status %q, keeps %s", s.Type, s.Status,
					bytesize.Text(s.Kept))},
				Advice: dropByHand(f, h, s)}
			if m := f.slotMember(s.Name); m != nil {
				if p := f.promise(m); !p.Streams || p.From != "" && p.From != h.Member {
					continue // Patroni keeps it for the day when the member streams from here
				}
				found.Subject = slotOf(m.Name)
				found.Advice = errs.Text("it belongs to member %s, which does not stream", m.Member)
			}
			if s.Status == "lost" {
				found.ID, found.Severity, found.Title, found.Consequence = "slot-lost", Error,
					"replication slot "+s.Name+" has lost its WAL",
					"its reader can never go on from there"
			}
			list = append(list, found)
		}
	}
	return list
}

func sqlCondition(f Facts) []Finding {
	var list []Finding
	for _, h := range f.sqlHosts() {
		for _, t := range h.SQL.Long {
			list = append(list, Finding{ID: "long-transaction", Host: h.Name,
				Subject:  fmt.Sprint(t.PID),
				Severity: Warning,
				Title: fmt.Sprintf("a transaction of %s has been open for %.0f s", t.User,
					t.Seconds),
				Consequence: "vacuum cannot clean up behind it, and it holds its locks; a " +
					"switchover is refused meanwhile",
				Evidence: []string{fmt.Sprintf("process %d, application %q, %s", t.PID,
					t.Application, t.State)},
				Remedy: on(h.Name, psql(f, fmt.Sprintf("SELECT pg_terminate_backend(%d)", t.PID))),
				Advice: errs.Text("ask its owner first")})
		}
		if h.SQL.Recovery {
			continue
		}
		for _, gid := range h.SQL.Prepared {
			list = append(list, Finding{ID: "prepared-transaction", Host: h.Name, Subject: gid,
				Severity: Warning,
				Title:    "a prepared transaction waits for its end",
				Consequence: "it holds its locks over every restart and failover, and vacuum " +
					"cannot clean up behind it",
				Evidence: []string{"pg_prepared_xacts: " + clip(gid)},
				Advice: errs.Text(
					"its transaction manager should end it; otherwise COMMIT PREPARED or " +
						"ROLLBACK PREPARED by hand")})
		}
		for _, table := range h.SQL.Leftovers {
			list = append(list, Finding{ID: "leftover-table", Host: h.Name, Subject: table,
				Severity:    Warning,
				Title:       "an interrupted verify has left its table behind",
				Consequence: "none, besides that somebody will wonder what it is",
				Evidence:    []string{"table " + table + " in database postgres"},
				Remedy:      on(h.Name, psql(f, "DROP TABLE IF EXISTS public."+table)),
				Advice:      errs.Text("if a verify runs just now, the table is its own")})
		}
	}
	for _, h := range f.sqlHosts() {
		if len(h.SQL.Altered) == 0 {
			continue
		}
		var resets []string
		for _, name := range h.SQL.Altered {
			resets = append(resets, psql(f, "ALTER SYSTEM RESET "+name))
		}
		list = append(list, Finding{ID: "settings-altered-by-hand", Host: h.Name, Severity: Warning,
			Title: "ALTER SYSTEM was used on this member alone",
			Consequence: "the member behaves differently from the others, and nothing shows it " +
				"in the cluster's configuration",
			Evidence: []string{"postgresql.auto.conf sets " + strings.Join(h.SQL.Altered, ", ")},
			Remedy:   on(h.Name, append(resets, psql(f, "SELECT pg_reload_conf()"))...),
			Advice: errs.Text("%s sets it for all members, and lastingly",
				errs.Verb(Config, "set")),
			explains: []symptom{{"restart-pending", h.Name, ""}}})
	}
	return list
}
