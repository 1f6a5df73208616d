package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
)

// Window is what a backup can be restored to, along one timeline.
type Window struct {
	// Label of the backup.
	Label string `json:"label"`
	// From is the first moment, To the last one whose log is in the repository without a gap:
	// when the last such segment was archived, which may be later than its last commit.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Timeline of the log that leads to To.
	Timeline int `json:"timeline"`
	// Missing is the first segment that is not there although later ones are; "" for none.
	Missing string `json:"missing,omitempty"`
	// Former: it is of databases before a reset, with another system identifier.
	Former bool `json:"former,omitempty"`
	// Abandoned: a restore went back to before this backup. It leads to what was before that.
	Abandoned bool `json:"abandoned,omitempty"`
}

// Holds tells whether a moment is in the window.
func (w Window) Holds(at time.Time) bool { return !at.Before(w.From) && !at.After(w.To) }

// Reaches tells whether the log continues without a gap from the backup to a place in it, such as
// "0/E017998", as far as the archive has it.
func (w Window) Reaches(lsn string) bool {
	_, missing, gap := place(w.Missing)
	return !gap || parseLSN(lsn)/segmentSize < missing
}

// Segment is a file of the write-ahead log in the repository.
type Segment struct {
	// Name has 24 hexadecimal digits: eight of the timeline, sixteen of the place in the log.
	Name string
	// Archived is when it came.
	Archived time.Time
}

// Fork is where a timeline left another one.
type Fork struct {
	Timeline int
	// LSN is the place in the log, as a number.
	LSN uint64
}

// Archive is the write-ahead log in the repository.
type Archive struct {
	Segments []Segment
	// Parents are, by timeline, those that it came from, the oldest first.
	Parents map[int][]Fork
}

// segmentSize is PostgreSQL's default, which initdb takes here.
const segmentSize = 16 << 20

// place is the number of a segment in the log, and its timeline.
func place(name string) (timeline int, number uint64, ok bool) {
	if len(name) < 24 {
		return 0, 0, false
	}
	tl, err1 := strconv.ParseUint(name[:8], 16, 32)
	high, err2 := strconv.ParseUint(name[8:16], 16, 32)
	low, err3 := strconv.ParseUint(name[16:24], 16, 32)
	const each = 1 << 32 / segmentSize
	return int(tl), high*each + low, err1 == nil && err2 == nil && err3 == nil && low < each
}

// segmentName is the inverse of place.
func segmentName(timeline int, number uint64) string {
	const each = 1 << 32 / segmentSize
	return fmt.Sprintf("%08X%08X%08X", timeline, number/each, number%each)
}

// parseLSN reads "0/E017998"; 0 is no place in any log.
func parseLSN(text string) uint64 {
	high, low, _ := strings.Cut(text, "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if err1 != nil || err2 != nil {
		return 0
	}
	return h<<32 | l
}

// parseHistory reads a timeline's history file.
func parseHistory(text string) []Fork {
	var forks []Fork
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") {
			continue
		}
		tl, err := strconv.Atoi(f[0])
		if lsn := parseLSN(f[1]); err == nil && lsn > 0 {
			forks = append(forks, Fork{Timeline: tl, LSN: lsn})
		}
	}
	return forks
}

// Timeline returns the newest timeline in the archive; 1 if it is empty.
func (a Archive) Timeline() int {
	newest := 1
	for tl := range a.Parents {
		newest = max(newest, tl)
	}
	for _, s := range a.Segments {
		tl, _, _ := place(s.Name)
		newest = max(newest, tl)
	}
	return newest
}

// Leads tells whether the log after a backup leads to the timeline: it is of that one, or of one
// that it came from, from before it left that.
func (a Archive) Leads(s Set, timeline int) bool {
	of, _, ok := place(s.LastSegment)
	if !ok || of == timeline {
		return ok
	}
	for _, f := range a.Parents[timeline] {
		if f.Timeline == of {
			return parseLSN(s.StopLSN) <= f.LSN
		}
	}
	return false
}

// Windows returns what each backup can be restored to along the timeline that the cluster of that
// system identifier is on. A backup that does not lead there has the window of its own timeline,
// and one of former databases, whose log is elsewhere, that of its last moment alone. Pure
// computation.
func Windows(sets []Set, a Archive, system string, timeline int) []Window {
	var windows []Window
	for _, s := range sets {
		if s.System != system {
			windows = append(windows, Window{Label: s.Label, From: s.Stop, To: s.Stop, Former: true})
			continue
		}
		along, abandoned := timeline, false
		if !a.Leads(s, timeline) {
			along, _, _ = place(s.LastSegment)
			abandoned = true
		}
		w := a.follow(s, along)
		w.Abandoned = abandoned
		windows = append(windows, w)
	}
	return windows
}

// follow walks along the log from a backup on, until a segment is missing.
func (a Archive) follow(s Set, timeline int) Window {
	w := Window{Label: s.Label, From: s.Stop, To: s.Stop, Timeline: timeline}
	there, last := map[uint64]time.Time{}, uint64(0)
	for _, seg := range a.Segments {
		tl, n, ok := place(seg.Name)
		if !ok || !a.carries(tl, n, timeline) {
			continue
		}
		there[n], last = later(there[n], seg.Archived), max(last, n)
	}
	_, first, ok := place(s.FirstSegment)
	if !ok {
		return w
	}
	for n := first; n <= last; n++ {
		archived, have := there[n]
		if !have {
			w.Missing = segmentName(timeline, n)
			break
		}
		w.To = later(w.To, archived)
	}
	return w
}

// carries tells whether a segment of one timeline is part of the log of another.
func (a Archive) carries(tl int, n uint64, timeline int) bool {
	if tl == timeline {
		return true
	}
	for _, f := range a.Parents[timeline] {
		if f.Timeline == tl {
			return n <= f.LSN/segmentSize
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

var segmentFile = regexp.MustCompile(`^([0-9A-F]{24})-[0-9a-f]{40}`)

// ReadArchive lists the write-ahead log in the repository, with the history of its timelines. It
// takes a second where there are tens of thousands of segments. Changes nothing.
func ReadArchive(ctx context.Context, o Options) (Archive, error) {
	o = o.WithDefaults()
	t := o.Repository.Target
	a := Archive{Parents: map[int][]Fork{}}
	res, err := t.Run(ctx, remote.Cmd{User: systemUser, Timeout: lookTimeout,
		Argv: o.pgbackrest("--recurse", "--output=json", "--sort=none", "repo-ls",
			"archive/"+o.Stanza)})
	if err != nil {
		return a, fmt.Errorf("list the archive: %w", remote.OnHost(t.Name, err))
	}
	var files map[string]struct {
		Type string `json:"type"`
		Time int64  `json:"time"`
	}
	if err := json.Unmarshal(res.Stdout, &files); err != nil {
		return a, fmt.Errorf("list the archive: %w", remote.OnHost(t.Name, err))
	}
	// Of a cluster's former databases, too: their directories have lower numbers behind the
	// version.
	newest := newestArchive(slices.Collect(maps.Keys(files)))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		base := path.Base(name)
		switch m := segmentFile.FindStringSubmatch(base); {
		case !strings.HasPrefix(name, newest+"/"):
		case m != nil:
			a.Segments = append(a.Segments, Segment{Name: m[1],
				Archived: time.Unix(files[name].Time, 0).UTC()})
		case strings.HasSuffix(base, ".history"):
			tl, err := strconv.ParseUint(strings.TrimSuffix(base, ".history"), 16, 32)
			if err != nil {
				continue
			}
			text, err := t.Run(ctx, remote.Cmd{User: systemUser, Timeout: lookTimeout,
				Argv: o.pgbackrest("repo-get", "archive/"+o.Stanza+"/"+name)})
			if err != nil {
				return a, fmt.Errorf("read %s in the archive: %w", name, remote.OnHost(t.Name, err))
			}
			a.Parents[int(tl)] = parseHistory(string(text.Stdout))
		}
	}
	return a, nil
}

// newestArchive is the directory of the newest databases, such as "18-2".
func newestArchive(names []string) string {
	number := func(name string) int {
		_, text, _ := strings.Cut(name, "-")
		n, _ := strconv.Atoi(text)
		return n
	}
	newest := ""
	for _, name := range names {
		top, _, _ := strings.Cut(name, "/")
		if number(top) > 0 && cmp.Compare(number(top), number(newest)) > 0 {
			newest = top
		}
	}
	return newest
}

// Before tells whether one place in the log, such as "0/E017998", is not behind another one.
func Before(a, b string) bool { return parseLSN(a) <= parseLSN(b) }
