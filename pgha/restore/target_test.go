package restore

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/errs"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.FixedZone("there", 3600))

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ kind, says string }{
		"2026-11-30T10:00:00Z":              {kindTime, "2026-11-30T10:00:00Z"},
		"2026-11-30 10:00:00":               {kindTime, "2026-11-30T09:00:00Z"},
		"2026-11-30 10:00:00.25+02:00":      {kindTime, "2026-11-30T08:00:00.25Z"},
		"2026-11-30 10:00":                  {kindTime, "2026-11-30T09:00:00Z"},
		"10m":                               {kindTime, "2026-11-30T10:50:00Z"},
		"1h30m ago":                         {kindTime, "2026-11-30T09:30:00Z"},
		"latest":                            {kindLatest, "the end of the archive"},
		"0/e017998":                         {kindLSN, "0/E017998"},
		"name:before-release":               {kindName, "restore point before-release"},
		"20261130-092951F":                  {kindBackup, "20261130-092951F"},
		"20261130-092951F_20261130-101010I": {kindBackup, "20261130-092951F_20261130-101010I"},
	} {
		got, err := parseTarget(text, now)
		if err != nil || got.Kind != want.kind || got.String() != want.says {
			t.Errorf("%q: %v %q, %v", text, got.Kind, got, err)
		}
	}
	for _, text := range []string{"", "yesterday", "-5m", "12:00", "name:", "name:a b", "9/GG",
		"2026-11-30T13:00:00Z", "2026-13-01 10:00"} {
		if _, err := parseTarget(text, now); !errors.Is(err, backup.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// segments are log of a timeline, one segment a minute, each archived as it ends.
func segments(timeline, from, to int) []backup.Segment {
	var list []backup.Segment
	for n := from; n <= to; n++ {
		list = append(list, backup.Segment{Name: segment(timeline, n), Archived: at(n + 1)})
	}
	return list
}

func at(minute int) time.Time { return now.Add(-time.Hour).Add(time.Duration(minute) * time.Minute) }

func segment(timeline, n int) string {
	const digits = "0123456789ABCDEF"
	return "0000000" + string(digits[timeline]) + "0000000000000" + "00" + string(digits[n])
}

func set(label string, timeline, n int) backup.Set {
	return backup.Set{Label: label, Stop: at(n), FirstSegment: segment(timeline, n),
		LastSegment: segment(timeline, n), StopLSN: "0/" + string("0123456789ABCDEF"[n]) + "000100"}
}

// TestChoose: the newest backup that leads to the moment is taken, and a moment that no log leads
// to is refused with what is covered.
func TestChoose(t *testing.T) {
	t.Parallel()
	whole := backup.Archive{Segments: segments(1, 1, 9)}
	gap := backup.Archive{Segments: append(segments(1, 1, 4), segments(1, 6, 9)...)}
	// A restore went back to minute 5: timeline 2 left timeline 1 there.
	back := backup.Archive{Segments: append(segments(1, 1, 9), segments(2, 5, 12)...),
		Parents: map[int][]backup.Fork{2: {{Timeline: 1, LSN: 5<<24 | 0x800}}}}
	sets := []backup.Set{set("a", 1, 2), set("b", 1, 7)}
	for name, c := range map[string]struct {
		to       target
		archive  backup.Archive
		timeline int
		want     string // a label, or words of the error
	}{
		"between":           {target{Kind: kindTime, Time: at(5)}, whole, 1, "a"},
		"after both":        {target{Kind: kindTime, Time: at(9)}, whole, 1, "b"},
		"before all":        {target{Kind: kindTime, Time: at(1)}, whole, 1, "the first moment is"},
		"in a gap":          {target{Kind: kindTime, Time: at(6)}, gap, 1, "is missing in the archive"},
		"behind a gap":      {target{Kind: kindTime, Time: at(8)}, gap, 1, "b"},
		"one left behind":   {target{Kind: kindTime, Time: at(9)}, back, 2, "a"},
		"latest":            {target{Kind: kindLatest}, whole, 1, "b"},
		"latest after back": {target{Kind: kindLatest}, back, 2, "a"},
		"place":             {target{Kind: kindLSN, Value: "0/5000000"}, whole, 1, "a"},
		"place before all":  {target{Kind: kindLSN, Value: "0/1000000"}, whole, 1, "before the first"},
		"label":             {target{Kind: kindBackup, Value: "a"}, whole, 1, "a"},
		"no such label":     {target{Kind: kindBackup, Value: "c"}, whole, 1, "there is no backup c"},
		"another timeline":  {target{Kind: kindLatest}, whole, 3, "leads to timeline 3"},
	} {
		got, err := c.to.choose(sets, c.archive, "", c.timeline)
		switch {
		case err == nil && got.Label != c.want:
			t.Errorf("%s: %s", name, got.Label)
		case err != nil && (!errors.Is(err, errs.ErrRefused) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", name, err)
		}
	}
	// Backups from before a reset lead nowhere, though their timelines have the same numbers.
	for _, to := range []target{{Kind: kindLatest}, {Kind: kindTime, Time: at(5)},
		{Kind: kindBackup, Value: "a"}} {
		if got, err := to.choose(sets, whole, "78", 1); !errors.Is(err, errs.ErrRefused) {
			t.Errorf("%s of other databases: %+v, %v", to, got, err)
		}
	}
	if _, err := (target{Kind: kindLatest}).choose(nil, whole, "", 1); !errors.Is(err, errs.ErrRefused) {
		t.Errorf("without backups: %v", err)
	}
}

// TestArguments: a recovery that stays on the backup's timeline needs no history of it.
func TestArguments(t *testing.T) {
	t.Parallel()
	at, err := parseTarget("2026-11-30T12:00:00Z", time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for own, want := range map[int]string{3: "current", 2: "3", 0: "3"} {
		if got := at.arguments(3, own); !slices.Contains(got, "--target-timeline="+want) {
			t.Errorf("from timeline %d to 3: %q", own, got)
		}
	}
}
