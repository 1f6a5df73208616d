package doctor

import (
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
)

// backups holds the backups to what the specification promises of them.
func backups(f Facts) []Finding {
	b := f.Backups
	if b == nil {
		return nil
	}
	var list []Finding
	take := []Step{{Call: errs.Verb("backup")}}
	if b.Missing != "" {
		list = append(list, Finding{ID: "backup-gap", Severity: Error,
			Title: "the archive has a gap behind the newest backup",
			Consequence: fmt.Sprintf("no moment after %s can be reached; nobody would get back what was "+
				"written since", b.Reaches.UTC().Format(time.RFC3339)),
			Evidence: []string{"segment " + b.Missing + " of the log is not in the repository"},
			Remedy:   take,
			Advice: errs.Text("what lies in the gap stays out of reach; from the new backup on every moment " +
				"can be reached again")})
	}
	if b.TooOld {
		list = append(list, Finding{ID: "backup-too-old", Severity: Warning,
			Title:       "the newest backup is older than promised",
			Consequence: "a restore would have more log to replay, and needs all of it",
			Evidence:    b.Said, Remedy: take,
			Advice: errs.Text("see why the timers of the repository's host made none: journalctl -u " +
				"'pgha-backup@*' there")})
	}
	if b.Unproven {
		list = append(list, Finding{ID: "backup-unproven", Severity: Warning,
			Title:       "no backup was restored in the time that is promised",
			Consequence: "nobody knows whether the backups are good",
			Evidence:    b.Said, Remedy: []Step{{Call: errs.Verb("backup", "drill")}},
			Advice: errs.Text("what it finds is in %s, too", errs.Verb("backup", "list"))})
	}
	return list
}
