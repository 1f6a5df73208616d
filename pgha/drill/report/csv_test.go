package report

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/probe"
)

// records writes a table and reads it back: one map of columns for each line.
func records(t *testing.T, name string, r drill.Result) []map[string]string {
	t.Helper()
	for _, table := range tables() {
		if table.name != name {
			continue
		}
		var out bytes.Buffer
		if err := table.write(&out, r); err != nil {
			t.Fatal(err)
		}
		// refuses lines of another length than the header's
		lines, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var all []map[string]string
		for _, line := range lines[1:] {
			record := map[string]string{}
			for i, field := range line {
				record[lines[0][i]] = field
			}
			all = append(all, record)
		}
		return all
	}
	t.Fatalf("no table %s", name)
	return nil
}

func moments(t *testing.T, texts ...string) (all []time.Time) {
	t.Helper()
	for _, text := range texts {
		at := time.Time{}
		if text != "" {
			var err error
			if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, at)
	}
	return all
}

func integer(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWritesRoundTrip(t *testing.T) {
	t.Parallel()
	run := doubleRun(1).build()
	run.Recording.Writes.Attempts[3].Error = "a \"quoted\", comma\nand a second line"
	lines := records(t, "writes", drill.Result{Runs: []drill.RunResult{run}})
	var got []probe.Attempt
	lost := 0
	for _, l := range lines {
		at := moments(t, l["began"], l["connected"], l["done"])
		got = append(got, probe.Attempt{Seq: int64(integer(t, l["seq"])), Began: at[0],
			Connected: at[1], Done: at[2],
			Outcome: probe.Outcome(l["outcome"]), Cause: probe.Cause(l["cause"]), Error: l["error"],
			Skipped: integer(t, l["skipped"])})
		if l["outcome"] == "acked" && l["held_by"] == "" {
			lost++
		}
	}
	if diff := cmp.Diff(run.Recording.Writes.Attempts, got); diff != "" {
		t.Errorf("attempts (-recorded +read back):\n%s", diff)
	}
	if lost != run.Outcome.Lost {
		t.Errorf("%d acknowledged rows are held by nobody, want %d", lost, run.Outcome.Lost)
	}
}

func TestMembersRoundTrip(t *testing.T) {
	t.Parallel()
	run := doubleRun(1).build()
	run.Recording.States[0].Started = run.Recording.Began.Add(-time.Hour)
	var got []drill.MemberState
	for _, l := range records(t, "members", drill.Result{Runs: []drill.RunResult{run}}) {
		at := moments(t, l["asked"], l["answered"], l["started"])
		s := drill.MemberState{
			Member: l["member"], Asked: at[0], Answered: at[1], Started: at[2],
			Role:  drill.Role(l["role"]),
			Error: l["error"],
		}
		if l["timeline"] != "" {
			s.Timeline = integer(t, l["timeline"])
		}
		got = append(got, s)
	}
	if diff := cmp.Diff(run.Recording.States, got); diff != "" {
		t.Errorf("states (-recorded +read back):\n%s", diff)
	}
}

func TestLeadershipAndReadsRoundTrip(t *testing.T) {
	t.Parallel()
	run := balancerRun(2).build()
	r := drill.Result{Runs: []drill.RunResult{run}}
	var leadership []drill.Leadership
	for _, l := range records(t, "leadership", r) {
		entry := drill.Leadership{At: moments(t, l["at"])[0], Patroni: l["patroni"],
			Etcd: l["etcd"]}
		if l["address"] != "" {
			entry.Address = strings.Fields(l["address"])
		}
		leadership = append(leadership, entry)
	}
	if diff := cmp.Diff(run.Recording.Leadership, leadership); diff != "" {
		t.Errorf("leadership (-recorded +read back):\n%s", diff)
	}
	var reads []drill.Read
	for _, l := range records(t, "reads", r) {
		at := moments(t, l["at"], l["done"])
		read := drill.Read{At: at[0], Done: at[1], Member: l["member"], Error: l["error"]}
		if l["seq"] != "" {
			read.Seq = int64(integer(t, l["seq"]))
		}
		reads = append(reads, read)
	}
	if diff := cmp.Diff(run.Recording.Reads, reads); diff != "" {
		t.Errorf("reads (-recorded +read back):\n%s", diff)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	lines := records(t, "outcomes", brokenSample())
	if len(lines) != 17 {
		t.Fatalf("%d outcomes", len(lines))
	}
	for name, want := range map[string]string{
		"scenario": "leader-cut-off", "verdict": "broken", "gap_seconds": "31.800000",
		"detection_seconds": "11.200000", "routing_seconds": "19.100000",
		"lost": "4", "double_writers": "1", "double_writers_seconds": "6.400000",
		"redundant_seconds": "58.000000", "to_leader": "postgres-02",
	} {
		if got := lines[15][name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if l := lines[16]; l["verdict"] != "unfinished" || l["redundant_seconds"] != "" ||
		l["error"] == "" {
		t.Errorf("the run without an end: %v", l)
	}
	if l := lines[3]; l["scenario"] != "replica-power" || l["detection_seconds"] != "" {
		t.Errorf("a run without phases: %v", l)
	}
}

// TestColumnsAreDocumented holds the documentation against the columns that there are.
func TestColumnsAreDocumented(t *testing.T) {
	t.Parallel()
	text := read(t, "../../../docs/drills.md")
	for name, columns := range CSVColumns() {
		section := text
		if i := strings.Index(text, "`report."+name+".csv`"); i >= 0 {
			section, _, _ = strings.Cut(text[i:], "\n\n")
		} else {
			t.Errorf("docs/drills.md does not name report.%s.csv", name)
		}
		for _, c := range columns[2:] {
			if c.Text == "" {
				t.Errorf("%s.%s has no text", name, c.Name)
			}
			if !strings.Contains(section, "`"+c.Name+"`") {
				t.Errorf("docs/drills.md does not explain column %s of %s", c.Name, name)
			}
		}
	}
}
