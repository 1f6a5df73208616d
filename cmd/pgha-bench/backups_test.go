package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/probe"
)

func TestBackupTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := (backupFigures{
		{title: "full backup", ours: 12.5, plain: 10, faster: true, goal: atLeast(0.8)},
		{title: "rows", ours: 80, plain: 100, goal: atLeast(0.9)},
		{title: "restore", ours: 26, plain: 20, goal: atMost(1.3)},
		{title: "drill", ours: 90.1, goal: atMost(90)},
	}).print(&out, 200, "1.00", "2.50"); err != nil {
		t.Fatal(err)
	}
	const want = `a database of 200 MB; load 1.00 at the beginning, 2.50 at the end
BACKUPS      PGHA  BY HAND  RATIO  GOAL    
full backup  12.5  10.0     0.80   >= 0.8  met
rows         80.0  100.0    0.80   >= 0.9  missed
restore      26.0  20.0     1.30   <= 1.3  met
drill        90.1  -        -      <= 90   missed
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}

// TestPerSecond: rows that nobody acknowledged count for nothing.
func TestPerSecond(t *testing.T) {
	t.Parallel()
	start := time.Now()
	rows := probe.Result{Started: start}
	for i, outcome := range []probe.Outcome{probe.Acked, probe.Acked, probe.Failed, probe.Acked,
		probe.Unknown} {
		rows.Attempts = append(rows.Attempts, probe.Attempt{Seq: int64(i + 1), Outcome: outcome,
			Done: start.Add(time.Duration(i+1) * time.Second)})
	}
	if got := perSecond(rows, start.Add(2*time.Second), start.Add(5*time.Second)); got != 2.0/3 {
		t.Errorf("%v rows a second", got)
	}
}
