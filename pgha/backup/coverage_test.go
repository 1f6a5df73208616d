package backup

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// log is segments of a timeline, one a minute from noon on.
func log(timeline int, from, to uint64) []Segment {
	var list []Segment
	for n := from; n <= to; n++ {
		list = append(list, Segment{Name: segmentName(timeline, n),
			Archived: noon.Add(time.Duration(n) * time.Minute)})
	}
	return list
}

func without(list []Segment, n uint64) []Segment {
	var rest []Segment
	for _, s := range list {
		if _, at, _ := place(s.Name); at != n {
			rest = append(rest, s)
		}
	}
	return rest
}

// set is a backup in one segment of a timeline.
func set(timeline int, n uint64) Set {
	return Set{Label: fmt.Sprint("b", n), Stop: noon.Add(time.Duration(n) * time.Minute),
		FirstSegment: segmentName(timeline, n), LastSegment: segmentName(timeline, n),
		StopLSN: fmt.Sprintf("0/%X", n*segmentSize+1000)}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	fork := func(tl int, n uint64) Fork { return Fork{Timeline: tl, LSN: n*segmentSize + 5000} }
	for name, c := range map[string]struct {
		sets     []Set
		archive  Archive
		timeline int
		to       time.Duration // of the last set, since noon, in minutes
		missing  string
		left     bool
	}{
		"one timeline": {sets: []Set{set(1, 2)}, timeline: 1, to: 9,
			archive: Archive{Segments: log(1, 1, 9)}},
		"a segment is missing": {sets: []Set{set(1, 2)}, timeline: 1, to: 5,
			archive: Archive{Segments: without(log(1, 1, 9), 6)}, missing: segmentName(1, 6)},
		"one before the backup is not missed": {sets: []Set{set(1, 5)}, timeline: 1, to: 9,
			archive: Archive{Segments: without(log(1, 1, 9), 3)}},
		"over a switchover": {sets: []Set{set(1, 2)}, timeline: 2, to: 12,
			archive: Archive{Segments: append(log(1, 1, 5), log(2, 5, 12)...),
				Parents: map[int][]Fork{2: {fork(1, 5)}}}},
		"the segment of a switchover is there on the new timeline alone": {sets: []Set{set(1, 2)},
			timeline: 2, to: 12, archive: Archive{Segments: append(log(1, 1, 4), log(2, 5, 12)...),
				Parents: map[int][]Fork{2: {fork(1, 5)}}}},
		"what a failed leader archived behind the fork is no part of it": {sets: []Set{set(1, 2)},
			timeline: 2, to: 5, missing: segmentName(2, 6),
			archive: Archive{Segments: append(log(1, 1, 9), log(2, 7, 12)...),
				Parents: map[int][]Fork{2: {fork(1, 5)}}}},
		"a restore went back to before it": {sets: []Set{set(1, 2), set(1, 7)}, timeline: 2,
			to: 9, left: true, archive: Archive{Segments: append(log(1, 1, 9), log(2, 5, 12)...),
				Parents: map[int][]Fork{2: {fork(1, 5)}}}},
		"nothing is archived": {sets: []Set{set(1, 2)}, timeline: 1, to: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := Windows(c.sets, c.archive, "", c.timeline)
			w := list[len(list)-1]
			if want := noon.Add(c.to * time.Minute); !w.To.Equal(want) || w.Missing != c.missing ||
				w.Abandoned != c.left {
				t.Errorf("%+v, want until %s", w, want)
			}
		})
	}
}

// TestFormerWindow: the log of other databases has segments of the same names.
func TestFormerWindow(t *testing.T) {
	t.Parallel()
	old := set(1, 2)
	old.System = "77"
	w := Windows([]Set{old, set(1, 3)}, Archive{Segments: log(1, 1, 9)}, "", 1)
	if !w[0].Former || !w[0].To.Equal(old.Stop) || w[1].Former {
		t.Errorf("%+v", w)
	}
}

func TestSegmentNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"000000010000000000000001", "0000000A00000001000000FF",
		"000000020000000200000000"} {
		tl, n, ok := place(name)
		if got := segmentName(tl, n); !ok || got != name {
			t.Errorf("%s became %s", name, got)
		}
	}
	for _, name := range []string{"", "00000001", "000000010000000000000100", "history"} {
		if _, _, ok := place(name); ok {
			t.Errorf("%q is a segment", name)
		}
	}
	if !Before("0/E017998", "1/0") || Before("1/0", "0/FFFFFFFF") {
		t.Error("places in the log are out of order")
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	got := parseHistory("1\t0/340000A0\tno recovery target specified\n\n# c\n" +
		"2\t1/A\tbefore 2026-11-30 10:09:18.063269+00\n")
	want := []Fork{{1, 0x340000A0}, {2, 1<<32 | 10}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for want, names := range map[string][]string{
		"18-2":  {"18-1/0000000100000000/x", "18-2", "archive.info", "18-2/00000002.history"},
		"18-10": {"18-9/x", "18-10/x"},
		"":      {"archive.info"},
	} {
		if got := newestArchive(names); got != want {
			t.Errorf("%v: %q, want %q", names, got, want)
		}
	}
}
