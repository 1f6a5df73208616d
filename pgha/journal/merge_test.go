package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lines makes a host's entries from seconds.
func lines(host string, seconds ...int) []LogEntry {
	var entries []LogEntry
	for _, s := range seconds {
		entries = append(entries, LogEntry{Host: host, Time: time.Unix(int64(s), 0)})
	}
	return entries
}

func names(entries []LogEntry) string {
	var words []string
	for _, e := range entries {
		words = append(words, fmt.Sprintf("%s%d", e.Host, e.Time.Unix()))
	}
	return strings.Join(words, " ")
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   [][]LogEntry
		want string
	}{
		"nothing":      {nil, ""},
		"silent hosts": {[][]LogEntry{nil, nil}, ""},
		"one host":     {[][]LogEntry{lines("a", 1, 2, 3)}, "a1 a2 a3"},
		"in turns": {[][]LogEntry{lines("a", 1, 4, 5), lines("b", 2, 3, 6), nil},
			"a1 b2 b3 a4 a5 b6"},
		"equal times":          {[][]LogEntry{lines("a", 1, 2), lines("b", 1, 2)}, "a1 b1 a2 b2"},
		"a clock was set back": {[][]LogEntry{lines("a", 5, 3, 6), lines("b", 4)}, "b4 a5 a3 a6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sources []source
			for _, s := range c.in {
				sources = append(sources, slices.Values(s))
			}
			var got []LogEntry
			if err := merge(sources, func(e LogEntry) error {
				got = append(got, e)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, names(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergeTakesNoMoreThanItGives reads without end.
func TestMergeTakesNoMoreThanItGives(t *testing.T) {
	t.Parallel()
	taken, stopped := 0, 0
	endless := func(yield func(LogEntry) bool) {
		defer func() { stopped++ }()
		for i := 0; ; i++ {
			taken++
			if !yield(LogEntry{Time: time.Unix(int64(i), 0)}) {
				return
			}
		}
	}
	enough := errors.New("enough")
	given := 0
	err := merge([]source{endless, endless, endless}, func(LogEntry) error {
		if given++; given == 100 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("got error %v", err)
	}
	if taken > given+3 || stopped != 3 {
		t.Errorf("took %d entries to give %d; %d of 3 sources were stopped", taken, given, stopped)
	}
}

// late yields entries at given moments after the start.
type late struct {
	after time.Duration
	LogEntry
}

func TestInterleave(t *testing.T) {
	t.Parallel()
	at := func(ms int, host string, second int) late {
		return late{time.Duration(ms) * time.Millisecond,
			LogEntry{Host: host, Time: time.Unix(int64(second), 0)}}
	}
	for name, c := range map[string]struct {
		in   [][]late
		want string
	}{
		"an older line comes in time":  {[][]late{{at(0, "a", 2)}, {at(100, "b", 1)}}, "b1 a2"},
		"an older line comes too late": {[][]late{{at(0, "a", 2)}, {at(900, "b", 1)}}, "a2 b1"},
		"a burst": {
			[][]late{{at(0, "a", 1), at(0, "a", 3), at(0, "a", 5)},
				{at(50, "b", 2), at(50, "b", 4)}}, "a1 b2 a3 b4 a5",
		},
		"one keeps talking": {
			[][]late{{at(0, "a", 1), at(200, "a", 3), at(400, "a", 5), at(600, "a", 7)},
				{at(500, "b", 2)}},
			"a1 a3 b2 a5 a7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var sources []source
				for _, list := range c.in {
					sources = append(sources, func(yield func(LogEntry) bool) {
						for _, l := range list {
							// the bubble's clock: it takes no time
							time.Sleep(l.after - time.Since(start))
							if !yield(l.LogEntry) {
								return
							}
						}
					})
				}
				var got []LogEntry
				err := interleave(t.Context(), sources, settle,
					func(e LogEntry) error { got = append(got, e); return nil })
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, names(got)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestInterleaveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		silent := func(func(LogEntry) bool) { <-ctx.Done() }
		talks := slices.Values(lines("a", 1))
		var got []LogEntry
		err := interleave(ctx, []source{silent, talks}, settle,
			func(e LogEntry) error { got = append(got, e); return nil })
		if !errors.Is(err, context.DeadlineExceeded) || names(got) != "a1" {
			t.Errorf("got %q and error %v", names(got), err)
		}
	})
}
