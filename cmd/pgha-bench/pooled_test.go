package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSaid reads what pgbench of PostgreSQL 18 prints; clients that gave up are errors, too.
func TestSaid(t *testing.T) {
	t.Parallel()
	text := `pgbench: error: client 3 script 0 aborted in command 1 query 0: server closed
number of transactions actually processed: 1200
number of failed transactions: 2 (0.167%)
latency average = 10.1 ms
tps = 791.250000 (without initial connection time)
`
	if tps, failed, err := said(text); err != nil || tps != 791.25 || failed != 3 {
		t.Errorf("%v TPS, %d failed, %v", tps, failed, err)
	}
	if _, _, err := said("pgbench: error: connection refused"); err == nil {
		t.Error("nothing was measured, and that is no error")
	}
}

// TestLongestOf takes the longest of all logs, in seconds.
func TestLongestOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if longest, err := longestOf(dir); longest != 0 || err != nil {
		t.Errorf("without logs: %v, %v", longest, err)
	}
	for name, text := range map[string]string{
		"log.7":   "0 1 2500 0 1700000000 1\n1 1 1500000 0 1700000002 1\n2 1 failed 0 1 1\n",
		"log.7.1": "3 1 900000 0 1700000000 1\n4 1 99",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if longest, err := longestOf(dir); longest != 1.5 || err != nil {
		t.Errorf("%v, %v", longest, err)
	}
}

func TestPrintPooled(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	if err := printPooled(&got, []pooledFigures{
		{pooled{title: "held", goal: "<= 1.8"}, []float64{2, 1.5, 1.6}, 1},
		{pooled{title: "never", goal: ">= 3"}, nil, 0},
	}); err != nil {
		t.Fatal(err)
	}
	want := `THROUGH THE POOLER  MIN   MEDIAN  MAX   RUNS  ERRORS  GOAL, WITHOUT ERRORS
held                1.50  1.60    2.00  3     1       <= 1.8
never               -     -       -     0     -       >= 3
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
