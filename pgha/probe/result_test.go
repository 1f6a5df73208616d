package probe

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

// attempts reads lines "began done outcome [cause] [skipped]", times in milliseconds, numbered from
// 1.
func attempts(t *testing.T, log string) []Attempt {
	t.Helper()
	var all []Attempt
	for line := range strings.Lines(strings.TrimSpace(log)) {
		var line5 [5]string
		copy(line5[:], strings.Fields(line))
		ms := func(s string) int {
			d, err := time.ParseDuration(s + "ms")
			if err != nil {
				t.Fatal(err)
			}
			return int(d.Milliseconds())
		}
		a := Attempt{
			Seq: int64(len(all) + 1), Began: at(ms(line5[0])), Done: at(ms(line5[1])),
			Outcome: Outcome(line5[2]), Cause: Cause(strings.Trim(line5[3], "-")),
		}
		if line5[4] != "" {
			a.Skipped = ms(line5[4])
		}
		all = append(all, a)
	}
	return all
}

// A planned switchover: one statement whose answer was lost, attempts that were refused, one that
// met a replica.
const switchover = `
	-5    0 acked
	50   55 acked
	100 110 acked
	150 400 unknown closed
	400 401 failed refused 4
	450 452 failed refused
	500 600 failed read_only
	600 640 acked -- 1
	650 655 acked`

func result(t *testing.T, log string, stopped int) Result {
	t.Helper()
	return Result{Run: "r", Rate: 20, Started: at(0), Stopped: at(stopped),
		Attempts: attempts(t, log)}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	outage := Gap{Start: at(110), End: at(640), Seconds: 0.53, Failed: 3, Unknown: 1, Skipped: 5,
		Causes: map[Cause]int{CauseClosed: 1, CauseRefused: 2, CauseReadOnly: 1}}
	pace := func(from, to int) Gap {
		return Gap{Start: at(from), End: at(to), Seconds: float64(to-from) / 1000}
	}
	open := Gap{Start: at(655), End: at(700), Seconds: 0.045, Open: true}
	for _, tc := range []struct {
		name       string
		log        string
		stopped    int
		longerThan time.Duration
		want       []Gap
		longest    Gap
	}{
		{"an outage in the middle", switchover, 700, 100 * time.Millisecond, []Gap{outage}, outage},
		{"with its pace", switchover, 700, 0, []Gap{pace(0, 55), pace(55, 110), outage,
			pace(640, 655), open}, outage},
		{"exactly as long is not longer", switchover, 700, 530 * time.Millisecond, nil, outage},
		{"no fault", "-5 0 acked\n50 55 acked\n100 105 acked", 120, 100 * time.Millisecond, nil,
			pace(0, 55)},
		{"the first of two that are as long", "-5 0 acked\n50 60 acked\n110 120 acked", 130, 0,
			[]Gap{pace(0, 60), pace(60, 120), {Start: at(120), End: at(130), Seconds: 0.01,
				Open: true}}, pace(0, 60)},
		{
			"a slow answer is a time without writes too", "-5 0 acked\n50 900 acked", 900,
			100 * time.Millisecond, []Gap{pace(0, 900)}, pace(0, 900),
		},
		{"an outage that did not end", "-5 0 acked\n50 550 unknown timeout\n550 800 failed " +
			"timeout 9",
			1000, 100 * time.Millisecond,
			[]Gap{
				{
					Start: at(0), End: at(1000), Seconds: 1, Open: true, Failed: 1, Unknown: 1,
					Skipped: 9,
					Causes:  map[Cause]int{CauseTimeout: 2},
				},
			},
			Gap{
				Start: at(0), End: at(1000), Seconds: 1, Open: true, Failed: 1, Unknown: 1,
				Skipped: 9,
				Causes:  map[Cause]int{CauseTimeout: 2},
			}},
		{"nothing tried", "", 0, 0, nil, Gap{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := result(t, tc.log, tc.stopped)
			if diff := cmp.Diff(tc.want, r.Gaps(tc.longerThan)); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.longest, r.Longest()); diff != "" {
				t.Errorf("longest gap (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	r := result(t, switchover, 700)
	for ms, want := range map[int]struct {
		started, attempts int
		longest           float64
	}{
		-100: {0, 9, 0.53}, // before the first row
		0:    {0, 8, 0.53},
		109:  {55, 7, 0.53},
		120:  {110, 6, 0.53}, // within the outage, which stays whole
		639:  {110, 6, 0.53},
		640:  {640, 1, 0.045},
		900:  {655, 0, 0.045},
	} {
		got := r.Since(at(ms))
		if !got.Started.Equal(at(want.started)) || len(got.Attempts) != want.attempts ||
			got.Longest().Seconds != want.longest {
			t.Errorf("since %d ms: started %s, %d attempts, longest gap %v s; want %+v", ms,
				got.Started,
				len(got.Attempts), got.Longest().Seconds, want)
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	r := result(t, switchover, 700)
	got := []int{r.Count(Acked), r.Count(Failed), r.Count(Unknown), r.Skipped()}
	if diff := cmp.Diff([]int{5, 3, 1, 5}, got); diff != "" {
		t.Errorf("acked, failed, unknown, skipped (-want +got):\n%s", diff)
	}
	if r.Resolution() != 50*time.Millisecond {
		t.Errorf("resolution at 20 rows a second is %s", r.Resolution())
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		present []int64
		want    Comparison
	}{
		{"all there, the unknown row too", []int64{9, 8, 4, 3, 2, 1},
			Comparison{Arrived: []int64{4}}},
		{"all there, the unknown row not", []int64{1, 2, 3, 8, 9},
			Comparison{Vanished: []int64{4}}},
		{
			"the newest before the outage are lost", []int64{1, 8, 9},
			Comparison{Lost: []int64{2, 3}, Vanished: []int64{4}},
		},
		{
			"what nobody can have written", []int64{1, 2, 3, 5, 8, 9, 77},
			Comparison{Vanished: []int64{4}, Unexplained: []int64{5, 77}},
		},
		{"empty", nil, Comparison{Lost: []int64{1, 2, 3, 8, 9}, Vanished: []int64{4}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := result(t, switchover, 700).Compare(tc.present)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("comparison (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJSON holds the names that reports are made of.
func TestJSON(t *testing.T) {
	t.Parallel()
	r := result(t, switchover, 700)
	got, err := json.Marshal([]any{r.Attempts[0], r.Attempts[4], r.Longest(),
		r.Compare(nil).Arrived})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"seq":1,"began":"2026-01-02T03:04:04.995Z","done":"2026-01-02T03:04:05Z","outcome":"acked"},` +
		`{"seq":5,"began":"2026-01-02T03:04:05.4Z","done":"2026-01-02T03:04:05.401Z","outcome":"failed","cause":"refused","skipped":4},` +
		`{"start":"2026-01-02T03:04:05.11Z","end":"2026-01-02T03:04:05.64Z","seconds":0.53,"failed":3,"unknown":1,"skipped":5,` +
		`"causes":{"closed":1,"read_only":1,"refused":2}},[]]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
