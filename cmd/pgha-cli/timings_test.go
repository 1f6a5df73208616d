package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func someTimings() []pgha.Timing {
	return []pgha.Timing{
		{Fault: "the host is lost", Typical: 17750 * time.Millisecond,
			Worst: 20500 * time.Millisecond,
			Note:  "a note", Parts: []pgha.TimingPart{
				{
					What: "the lock runs out", Min: 15 * time.Second,
					Typical: 17500 * time.Millisecond,
					Max:     20 * time.Second, Source: "ttl",
				},
				{What: "etcd notices", Typical: 250 * time.Millisecond, Max: 500 * time.Millisecond,
					Source: "a tick"},
			}},
		{Fault: "nobody waits"},
	}
}

func TestPrintTimings(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	printTimings(&terminal.Terminal{Stdout: &stdout}, someTimings())
	want := `
What the times in the specification promise, from the fault until the cluster is ready:

the host is lost
                     TYPICAL  BEST    WORST   BECAUSE
  the lock runs out  17.50s   15.00s  20.00s  ttl
  etcd notices       0.25s    0.00s   0.50s   a tick
  in all             17.75s           20.50s  a note

nobody waits
          TYPICAL  BEST  WORST  BECAUSE
  in all  0.00s          0.00s
`
	var lines []string
	for line := range strings.Lines(stdout.String()) {
		lines = append(lines, strings.TrimRight(line, " \n")+"\n")
	}
	if diff := cmp.Diff(want, strings.Join(lines, "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestExplainedStatusKeepsTheStatus: the timings are one more field, and take none away.
func TestExplainedStatusKeepsTheStatus(t *testing.T) {
	t.Parallel()
	fields := func(v any) map[string]json.RawMessage {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	plain, explained := fields(pgha.Status{Cluster: "orders"}), fields(shownStatus{
		Status: pgha.Status{Cluster: "orders"}, Problems: []string{"the cluster has 0 leaders"},
		Timings: someTimings(),
	})
	if !strings.Contains(string(explained["timings"]), `"worst_seconds":20.5`) {
		t.Errorf("timings: %s", explained["timings"])
	}
	if got := string(explained["healthy"]) +
		string(explained["problems"]); got != `false["the cluster has 0 leaders"]` {
		t.Errorf("verdict: %s", got)
	}
	for _, own := range []string{"timings", "healthy", "problems"} {
		delete(explained, own)
	}
	if diff := cmp.Diff(plain, explained); diff != "" {
		t.Errorf("(-status +explained):\n%s", diff)
	}
}
