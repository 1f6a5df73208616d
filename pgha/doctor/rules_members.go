package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/spec"
)

// postgresOutsidePatroni is a server that somebody has started by hand, or that Patroni has left
// behind.
func postgresOutsidePatroni(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		u, known := h.Units[layout.PatroniUnit]
		if !known || h.Data.Postmaster == 0 || u.Active == "active" || u.Active == "activating" ||
			u.Active == "deactivating" || u.Active == "reloading" {
			continue
		}
		list = append(list, Finding{ID: "postgres-outside-patroni", Host: h.Name, Severity: Error,
			Title: "PostgreSQL runs outside Patroni",
			Consequence: "nobody fences it: it can take writes that are lost at the next " +
				"failover, or be a second primary",
			Evidence: []string{fmt.Sprintf("process %d runs on %s, and %s is %s", h.Data.Postmaster,
				f.Spec.PostgreSQL.DataDir, layout.PatroniUnit, u.Active)},
			Remedy: on(h.Name,
				fmt.Sprintf("runuser -u postgres -- /usr/lib/postgresql/%d/bin/pg_ctl stop -m "+
					"fast -D %s",
					f.Spec.PostgreSQL.Version, f.Spec.PostgreSQL.DataDir),
				"systemctl start "+layout.PatroniUnit),
			explains: append(databaseSymptoms(h.Name),
				symptom{"unit-stopped", h.Name, layout.PatroniUnit},
				symptom{"two-primaries", "", ""})})
	}
	return list
}

// members reports a Patroni or a PostgreSQL that does not do its work, where nothing above says
// why.
func members(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		if said := f.leftBehind(h); len(said) > 0 {
			list = append(list, oldTimeline(h, said...))
			continue
		}
		switch {
		case h.Patroni.Error != "":
			found := Finding{ID: "patroni-not-answering", Host: h.Name, Severity: Error,
				Title:       "Patroni's REST API does not answer",
				Consequence: "balancers hold this PostgreSQL dead, and nobody fails over to it",
				Evidence:    append([]string{h.Patroni.Error}, h.journal(layout.PatroniUnit, 3)...),
				Remedy:      on(h.Name, "systemctl restart "+layout.PatroniUnit),
				Advice:      errs.Text("one that has just started needs some seconds"),
				explains:    append(postgresSymptoms(h.Name), symptom{"backend-down", h.Name, ""})}
			if h == f.primary() {
				found.Remedy = nil
				found.Advice = errs.Text("restarting Patroni stops PostgreSQL, too, and this is " +
					"the primary: try systemctl reload patroni, then systemctl restart patroni " +
					"when writes may stop")
			}
			list = append(list, found)
		case strings.Contains(h.Patroni.State, "failed") || h.Patroni.State == "crashed":
			list = append(list, startFailed(f, h))
		}
		if h.SQL.Error != "" {
			found := Finding{ID: "postgres-not-answering", Host: h.Name, Severity: Error,
				Title:       "PostgreSQL does not answer",
				Consequence: "one copy of the data less; on the primary, no writes",
				Evidence:    append([]string{h.SQL.Error}, h.journal(layout.PatroniUnit, 2)...),
				Remedy:      restart(h),
				Advice:      errs.Text("journalctl -u patroni -n 50 says what Patroni sees"),
				explains:    postgresSymptoms(h.Name)}
			if h.dataBroken() { // a restart reads the same files
				found.Remedy, found.Advice = f.copyAnew(h)
			}
			list = append(list, found)
		}
		if age := f.Time.Unix() - h.Patroni.LastSeen; h.Patroni.LastSeen > 0 &&
			time.Duration(age)*time.Second > f.Spec.Patroni.TTL {
			list = append(list, Finding{ID: "patroni-cut-from-etcd", Host: h.Name, Severity: Error,
				Title: "Patroni cannot reach etcd",
				Consequence: "it is no candidate, and as the leader it steps down or lives on " +
					"failsafe_mode alone",
				Evidence: append([]string{fmt.Sprintf("Patroni last saw etcd %d s ago", age)},
					h.journal(layout.PatroniUnit, 2)...),
				Advice: errs.Text(
					"its etcd client's certificate, /etc/patroni/config.yml and port 2379 of the " +
						"etcd members are what it needs")})
		}
	}
	return list
}

// systemIdentifiers reports data directories that are not of the cluster of most. Where no cluster
// has most of them nobody knows which is the right one: then nothing may be deleted.
func systemIdentifiers(f Facts) []Finding {
	said := map[string][]string{}
	hosts := 0
	for _, h := range f.databases() {
		if h.Data.SystemID != "" {
			said[h.Data.SystemID] = append(said[h.Data.SystemID], h.Name)
			hosts++
		}
	}
	if len(said) < 2 {
		return nil
	}
	decided := majority(said, hosts)
	var list []Finding
	for _, h := range f.databases() {
		id := h.Data.SystemID
		if id == "" || len(said[id]) > hosts/2 {
			continue
		}
		found := Finding{ID: "wrong-system-identifier", Host: h.Name, Severity: Error,
			Title:       "the data directory is of another cluster",
			Consequence: "it can never stream from the primary",
			Evidence:    []string{"pg_controldata: system identifier " + id},
			explains:    postgresSymptoms(h.Name)}
		switch {
		case decided && h != f.primary():
			found.Remedy = asideWith(f, h, id)
			found.Advice = errs.Text("it is moved aside and not deleted: Patroni then copies the "+
				"cluster's data from the leader; there must be room for both, and %s is not to "+
				"be a mount point", f.Spec.PostgreSQL.DataDir)
		case decided:
			found.Advice = errs.Text("it takes writes: find out whose they are before you move " +
				"anything")
		default:
			found.Advice = errs.Text("no two members agree: find out which of them has the " +
				"cluster's data before you copy anything")
		}
		list = append(list, found)
	}
	return list
}

func primaries(f Facts) []Finding {
	var names []string
	for _, h := range f.databases() {
		if h.SQL.Error == "" && !h.SQL.Recovery {
			names = append(names, h.Name)
		}
	}
	switch {
	case len(names) > 1:
		return []Finding{{ID: "two-primaries", Severity: Error,
			Title:       "more than one PostgreSQL takes writes",
			Consequence: "writes to the wrong one will be lost",
			Evidence:    []string{strings.Join(names, " and ")},
			Advice: errs.Text(
				"the one whose Patroni is the leader is right; stop the other at once: systemctl " +
					"stop patroni there")}}
	case len(names) == 0 && f.heldBack() != nil:
		return []Finding{heldBack(f, f.heldBack())}
	case len(names) == 0 && len(f.databases()) > 0:
		return []Finding{{ID: "no-primary", Severity: Error, Title: "no PostgreSQL takes writes",
			Consequence: "applications cannot write",
			Evidence:    []string{"pg_is_in_recovery() is true, or has no answer, on every member"},
			Advice: errs.Text("a failover may be going on: look again in half a minute; "+
				"otherwise %s",
				errs.Verb("logs", "patroni")),
			explains: []symptom{{"backend-down", "", ""}, {"virtual-ip-missing", "", ""}}}}
	}
	return nil
}

// heldBack is the replica with the newest data among those that say themselves that they are too
// far behind to take over; nil when none says so.
func (f Facts) heldBack() *Host {
	var best *Host
	for _, h := range f.databases() {
		said := slices.ContainsFunc(h.Journals[layout.PatroniUnit],
			func(l string) bool { return strings.Contains(l, "exceeds maximum replication lag") })
		if said && h.SQL.Error == "" && (best == nil || h.SQL.LSN > best.SQL.LSN) {
			best = h
		}
	}
	return best
}

// heldBack reports a cluster that waits for ever for a primary, because its replicas were too far
// behind when it was lost. That goes for a synchronous one as well, which has every acknowledged
// row.
func heldBack(f Facts, h *Host) Finding {
	found := Finding{ID: "failover-held-back", Host: h.Name, Severity: Error,
		Title: "no replica takes over: they are too far behind",
		Consequence: "applications cannot write, and that does not end by itself while the " +
			"former primary is away",
		Advice: errs.Text("bring the former primary back if that can be; "+
			"otherwise look with %s how much would be lost, and do it",
			errs.Verb("failover", "--to", h.Member, "--dry-run")),
		explains: []symptom{{"backend-down", "", ""}, {"virtual-ip-missing", "", ""}}}
	for _, d := range f.databases() {
		for _, l := range slices.Backward(d.Journals[layout.PatroniUnit]) {
			if strings.Contains(l, "exceeds maximum replication lag") {
				found.Evidence = append(found.Evidence, "journal of "+layout.PatroniUnit+" on "+
					d.Name+": "+clip(l))
				break
			}
		}
	}
	return found
}

func synchronous(f Facts) []Finding {
	primary := f.primary()
	if primary == nil || f.Spec.Patroni.SynchronousMode == spec.SynchronousOff {
		return nil
	}
	if slices.ContainsFunc(primary.SQL.Replication,
		func(r Replication) bool { return r.Sync == "sync" || r.Sync == "quorum" }) {
		return nil
	}
	found := Finding{ID: "synchronous-standby-missing", Host: primary.Name, Severity: Warning,
		Title:       "no replica is synchronous",
		Consequence: "what is written now exists once: the loss of the primary loses it",
		Evidence: []string{fmt.Sprintf("synchronous_mode is %s, synchronous_standby_names is %q",
			f.Spec.Patroni.SynchronousMode, primary.SQL.Synchronous)},
		Advice: errs.Text("bring a replica back: see its own finding")}
	if primary.SQL.SyncWaiting > 0 {
		found.Severity, found.Consequence = Error, "commits wait for a replica that is not there"
		found.Evidence = append(found.Evidence, fmt.Sprintf("%d sessions wait in SyncRep",
			primary.SQL.SyncWaiting))
	}
	return []Finding{found}
}

func patroniCondition(f Facts) []Finding {
	var list []Finding
	if slices.ContainsFunc(f.databases(), func(h *Host) bool { return h.Patroni.Paused }) {
		list = append(list, Finding{ID: "paused", Severity: Error, Title: "the cluster is paused",
			Consequence: "nobody is promoted if the leader fails",
			Evidence:    []string{`GET /patroni: "pause": true`},
			Remedy:      []Step{{Call: errs.Verb(Resume)}},
			Advice: errs.Text("if somebody works on the cluster just now, leave it: %s tells who",
				errs.Verb("history"))})
	}
	for _, h := range f.databases() {
		if pending := append(slices.Clone(h.Patroni.PendingRestart),
			h.SQL.Pending...); len(pending) > 0 {
			slices.Sort(pending)
			list = append(list, Finding{ID: "restart-pending", Host: h.Name, Severity: Warning,
				Title: "settings wait for a restart of PostgreSQL",
				Consequence: "they take effect at the next restart, when nobody thinks of them " +
					"any more",
				Evidence: []string{strings.Join(slices.Compact(pending), ", ")},
				Remedy:   restart(h),
				Advice: errs.Text("it tries first whether PostgreSQL starts with them, and is "+
					"refused with the reason if not; then set another value (%s) before anything "+
					"else restarts it", errs.Verb(Config, "set")),
				explains: []symptom{{"configuration-not-loaded", h.Name, layout.PatroniUnit}}})
		}
		if h.SQL.Error == "" && !h.SQL.Checksums && !h.SQL.LogHints {
			list = append(list, Finding{ID: "rewind-impossible", Host: h.Name, Severity: Warning,
				Title: "pg_rewind cannot work",
				Consequence: "a former leader has to copy everything again before it is a " +
					"replica again",
				Evidence: []string{"neither data checksums nor wal_log_hints are on"},
				Remedy: []Step{{Call: errs.Verb(Config, "set",
					"postgresql.parameters.wal_log_hints=on")},
					{Call: errs.Verb(Restart, Pending)}}})
		}
	}
	return list
}
