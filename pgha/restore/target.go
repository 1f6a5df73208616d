package restore

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/errs"
)

// Kinds of targets.
const (
	kindTime   = "time"
	kindLSN    = "lsn"
	kindName   = "name"
	kindBackup = "backup"
	kindLatest = "latest"
)

// target is where the cluster is to go back to.
type target struct {
	Kind  string    `json:"kind"`
	Value string    `json:"value"`
	Time  time.Time `json:"time,omitzero"`
}

var (
	lsnSyntax   = regexp.MustCompile(`^[0-9A-F]{1,8}/[0-9A-F]{1,8}$`)
	labelSyntax = regexp.MustCompile(`^\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?$`)
	pointSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,62}$`)
)

// timeForms are how a moment may be written; without a zone it is that of this machine.
var timeForms = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999Z07:00",
	"2006-01-02 15:04:05.999999-07", "2006-01-02T15:04:05.999999", "2006-01-02 15:04:05.999999",
	"2006-01-02 15:04"}

// parseTarget reads a moment, a place in the log, a restore point, a backup's label, "latest", or
// how long ago: "10m", "10m ago".
func parseTarget(text string, now time.Time) (target, error) {
	text = strings.TrimSpace(text)
	to := target{Value: text}
	ago, err := time.ParseDuration(strings.TrimSpace(strings.TrimSuffix(text, "ago")))
	for _, form := range timeForms {
		if at, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			to.Kind, to.Time = kindTime, at
		}
	}
	name, isName := strings.CutPrefix(text, "name:")
	switch {
	case to.Kind == kindTime:
	case err == nil && ago > 0:
		to.Kind, to.Time = kindTime, now.Add(-ago)
	case text == kindLatest:
		to.Kind = kindLatest
	case labelSyntax.MatchString(text):
		to.Kind = kindBackup
	case lsnSyntax.MatchString(strings.ToUpper(text)):
		to.Kind, to.Value = kindLSN, strings.ToUpper(text)
	case isName && pointSyntax.MatchString(name):
		to.Kind, to.Value = kindName, name
	default:
		return to, errs.WithNext(fmt.Errorf("%w: %q says no moment", backup.ErrInvalid, text),
			errs.Text("write a time (2026-11-30 14:05:00, with a zone if it is not this machine's: "+
				"2026-11-30T14:05:00Z), how long ago (10m), a place in the log (0/E017998), a restore "+
				"point (name:before-release), the label of a backup, or latest"))
	}
	if to.Kind == kindTime {
		to.Time = to.Time.UTC()
		if to.Time.After(now) {
			return to, fmt.Errorf("%w: %s is in the future", backup.ErrInvalid,
				to.Time.Format(time.RFC3339))
		}
	}
	return to, nil
}

// String names the target.
func (t target) String() string {
	switch t.Kind {
	case kindTime:
		return t.Time.Format("2006-01-02T15:04:05.999999Z07:00")
	case kindLatest:
		return "the end of the archive"
	case kindName:
		return "restore point " + t.Value
	}
	return t.Value
}

// arguments are pgBackRest's options for the target, at which the recovery ends. own is the
// timeline of the backup. A recovery to a timeline by its number reads the history of that one, and
// fails without it: a repository that was new when the cluster was on that timeline already has
// none (findings/postgresql-own-timeline-by-number.sh). A recovery that stays on its own needs
// none.
func (t target) arguments(timeline, own int) []string {
	const action = "promote"
	along := fmt.Sprintf("--target-timeline=%d", timeline)
	if own == timeline {
		along = "--target-timeline=current"
	}
	value := t.Value
	switch t.Kind {
	case kindLatest:
		return []string{along}
	case kindBackup:
		return []string{"--type=immediate", "--target-action=" + action}
	case kindTime:
		value = t.Time.Format("2006-01-02 15:04:05.999999+00")
	}
	return []string{"--type=" + t.Kind, "--target=" + value, along, "--target-action=" + action}
}

// choose returns the backup to begin with: the newest that is complete before the target and leads
// to the timeline. The error matches errs.ErrRefused and says what is covered.
func (t target) choose(sets []backup.Set, a backup.Archive, system string,
	timeline int) (backup.Set, error) {
	var usable []backup.Set
	for _, s := range sets {
		own := s.System == system
		switch {
		case t.Kind == kindBackup && s.Label == t.Value && !own:
			return s, fmt.Errorf("%w: %s is of databases with the system identifier %s, from before a "+
				"reset; the cluster has %s", errs.ErrRefused, s.Label, s.System, system)
		case t.Kind == kindBackup && s.Label == t.Value:
			return s, nil
		case own && a.Leads(s, timeline):
			usable = append(usable, s)
		}
	}
	switch {
	case len(sets) == 0:
		return backup.Set{}, errs.WithNext(fmt.Errorf("%w: there is no backup", errs.ErrRefused),
			errs.Text("%s makes one", errs.Verb("backup")))
	case t.Kind == kindBackup:
		return backup.Set{}, errs.WithNext(fmt.Errorf("%w: there is no backup %s", errs.ErrRefused,
			t.Value), errs.Text("%s shows those that are there", errs.Verb("backup", "list")))
	case len(usable) == 0:
		return backup.Set{}, errs.WithNext(fmt.Errorf("%w: of %d backups none leads to timeline %d, "+
			"which the cluster is on", errs.ErrRefused, len(sets), timeline),
			errs.Text("%s shows where each leads, %s makes one", errs.Verb("backup", "list"),
				errs.Verb("backup")))
	}
	if t.Kind == kindTime {
		return t.chooseByTime(usable, a, system, timeline)
	}
	return t.chooseByPlace(usable, backup.Windows(usable, a, system, timeline))
}

// chooseByPlace also looks whether the log reaches so far: a recovery ends without a word where a
// segment is missing. A restore point can be anywhere.
func (t target) chooseByPlace(usable []backup.Set, windows []backup.Window) (backup.Set, error) {
	gap, before := backup.Window{}, true
	for i := len(usable) - 1; i >= 0; i-- {
		if t.Kind == kindLSN && !backup.Before(usable[i].StopLSN, t.Value) {
			continue
		}
		before = false
		w := windows[i]
		if t.Kind == kindName || w.Missing == "" || t.Kind == kindLSN && w.Reaches(t.Value) {
			return usable[i], nil
		}
		if gap.Missing == "" {
			gap = w
		}
	}
	if before {
		return backup.Set{}, fmt.Errorf("%w: %s is before the first backup, which ends at %s",
			errs.ErrRefused, t, usable[0].StopLSN)
	}
	return backup.Set{}, errs.WithNext(fmt.Errorf("%w: %s cannot be reached: segment %s is missing in "+
		"the archive, so that nothing after %s can be reached from backup %s", errs.ErrRefused, t,
		gap.Missing, gap.To.Format(time.RFC3339), gap.Label),
		errs.Text("name a moment that can be reached; %s shows from when to when each backup can be "+
			"restored", errs.Verb("backup", "list")))
}

// chooseByTime also looks whether the log reaches so far.
func (t target) chooseByTime(usable []backup.Set, a backup.Archive, system string,
	timeline int) (backup.Set, error) {
	windows := backup.Windows(usable, a, system, timeline)
	missing := ""
	for i := len(windows) - 1; i >= 0; i-- {
		w := windows[i]
		if w.From.After(t.Time) {
			continue
		}
		if w.Holds(t.Time) || w.Missing == "" {
			return usable[i], nil
		}
		if missing == "" {
			missing = fmt.Sprintf("; segment %s is missing in the archive, so that nothing after %s "+
				"can be reached from backup %s", w.Missing, w.To.Format(time.RFC3339), w.Label)
		}
	}
	return backup.Set{}, errs.WithNext(fmt.Errorf("%w: %s cannot be reached: the first moment is %s%s",
		errs.ErrRefused, t, windows[0].From.Format(time.RFC3339), missing),
		errs.Text("%s shows from when to when each backup can be restored", errs.Verb("backup", "list")))
}
