package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/bytesize"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/health"
	"github.com/pgha/toolkit/pgha/layout"
)

func replicas(f Facts) []Finding {
	primary := f.primary()
	if primary == nil {
		return nil
	}
	var list []Finding
	for _, h := range f.databases() {
		if h == primary || h.SQL.Error != "" || !h.SQL.Recovery {
			continue
		}
		evidence := []string{fmt.Sprintf("WAL receiver: %q; timeline %d, the primary's is %d",
			h.SQL.ReceiverState, h.SQL.Timeline, primary.SQL.Timeline)}
		lag, promise := lagOf(f, h), f.promise(h)
		switch {
		case !promise.Streams: // it replays the archive
			list = append(list, archived(h)...)
		case h.SQL.ReceiverState != "streaming" && h.SQL.Timeline < primary.SQL.Timeline:
			list = append(list, oldTimeline(h,
				append(evidence, h.journal(layout.PatroniUnit, 4)...)...))
		case h.SQL.ReceiverState != "streaming":
			found := Finding{ID: "replica-not-streaming", Host: h.Name, Severity: Error,
				Title:       "a replica does not stream",
				Consequence: "its data grows old: one copy of the data less",
				Evidence:    append(evidence, h.journal(layout.PatroniUnit, 4)...),
				explains:    postgresSymptoms(h.Name)}
			found.Remedy, found.Advice = streamAgain(h)
			list = append(list, found)
		case lag > f.Spec.Patroni.MaximumLagOnFailover && f.Spec.Patroni.MaximumLagOnFailover > 0:
			list = append(list, Finding{ID: "replica-lags", Host: h.Name, Severity: Warning,
				Title:       "a replica is far behind",
				Consequence: "it is no candidate for a failover, and reads from it are old",
				Evidence: []string{fmt.Sprintf("%s behind; maximum_lag_on_failover is %s",
					bytesize.Text(lag), bytesize.Text(f.Spec.Patroni.MaximumLagOnFailover))},
				Advice: errs.Text("a long query on the replica, a slow disk or a slow network")})
		}
	}
	return list
}

// oldTimeline is a member whose WAL went on where the cluster's did not. A pg_rewind that failed on
// the way has removed files already, WAL with the last checkpoint among them (seen with PostgreSQL
// 18.6): a second one cannot help, and its documentation says to take a fresh copy.
func oldTimeline(h *Host, evidence ...string) Finding {
	return Finding{ID: "replica-on-old-timeline", Host: h.Name, Severity: Error,
		Title:       "a former leader, or a replica of one, was left behind",
		Consequence: "it never streams again by itself: one copy of the data less",
		Evidence:    evidence, Remedy: reinitialize(h),
		Advice: errs.Text("pg_rewind has failed or was not possible: its reason is in the journal; " +
			"mend that first, for the next former leader"),
		explains: append(postgresSymptoms(h.Name), symptom{"patroni-not-answering", h.Name, ""})}
}

// leftBehind is what the journal of a member whose PostgreSQL does not come up says of a timeline
// that the primary's does not go through, and of a pg_rewind that failed.
func (f Facts) leftBehind(h *Host) []string {
	if primary := f.primary(); h.SQL.Error == "" || primary == nil || primary == h {
		return nil
	}
	var said []string
	behind := false
	for _, line := range h.sinceStart() {
		switch {
		case strings.Contains(line, "is not in this server's history"):
			if !behind {
				said = append(said, "journal of "+layout.PatroniUnit+": "+clip(line))
			}
			behind = true
		case strings.Contains(line, "pg_rewind: error:"):
			said = append(said, "journal of "+layout.PatroniUnit+": "+clip(line))
		}
	}
	if !behind {
		return nil
	}
	return said
}

// streamAgain is what makes a replica stream, by what its server says since it has started. Its
// data is copied again only where the WAL that it needs is gone: anything else leaves it as good as
// it is.
func streamAgain(h *Host) ([]Step, errs.Next) {
	said := func(words ...string) bool {
		return slices.ContainsFunc(h.sinceStart(), func(line string) bool {
			return slices.ContainsFunc(words, func(w string) bool {
				return strings.Contains(line, w)
			})
		})
	}
	switch {
	case said("has already been removed"):
		return reinitialize(h), errs.Text("no member has the WAL any more that it would go on " +
			"from; reinit copies the data anew from the leader")
	case said("password authentication failed", "no pg_hba.conf entry",
		"must be superuser or replication role"):
		return apply(), errs.Text("%s gives the hosts their passwords and rules again; where the "+
			"role itself has another password: %s", errs.Verb(Apply),
			errs.Verb("secrets", "rotate", "replication"))
	}
	return restart(h), errs.Text("one that has just started needs a few seconds; its reason is in " +
		"the journal, and reinit is for WAL that is gone")
}

// lagOf is what a replica has not replayed, in bytes, as the member that feeds it knows it: the
// primary, or another replica.
func lagOf(f Facts, replica *Host) int64 {
	var lag int64
	for _, h := range f.sqlHosts() {
		for _, r := range h.SQL.Replication {
			if r.Name == replica.Member {
				lag = max(lag, r.Lag)
			}
		}
	}
	return lag
}

// promise is what the specification's tags promise of a member.
func (f Facts) promise(h *Host) health.Promise {
	for _, d := range f.Spec.Databases() {
		if d.Name == h.Name {
			return health.PromiseOf(d.Tags)
		}
	}
	return health.PromiseOf(nil)
}

// archived judges a replica that is tagged nostream by what Patroni says of it.
func archived(h *Host) []Finding {
	for _, m := range h.Patroni.Members {
		if m.Name != h.Member {
			continue
		}
		fault := health.PromiseOf(map[string]any{"nostream": true}).Fault(
			health.Seen{State: m.State,
				Timeline: m.Timeline, LeaderTimeline: timelineOf(h.Patroni.Members)})
		if fault == "" {
			return nil
		}
		return []Finding{{ID: "replica-on-old-timeline", Host: h.Name, Severity: Error,
			Title:       "a replica doesn't replay the archive",
			Consequence: "its data grows old: one copy of the data less",
			Evidence: append([]string{h.Member + " " + fault},
				h.journal(layout.PatroniUnit, 4)...),
			Advice: errs.Text(
				"restore_command must find what the leader's archive_command stores, the history " +
					"file of a new timeline included"),
			explains: postgresSymptoms(h.Name)}}
	}
	return nil
}

// timelineOf is the leader's.
func timelineOf(members []Member) int64 {
	for _, m := range members {
		if m.Role == "leader" {
			return m.Timeline
		}
	}
	return 0
}
