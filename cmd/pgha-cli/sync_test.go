package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha/patroni"
)

func TestSyncModes(t *testing.T) {
	t.Parallel()
	text := syncModes()
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 110 {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
	for _, mode := range []string{"off", "on", "strict", "quorum"} {
		if !strings.Contains("\n"+text, "\n"+mode+" ") {
			t.Errorf("%s is not explained:\n%s", mode, text)
		}
	}
}

func TestPrintHistory(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var stdout bytes.Buffer
	printHistory(&terminal.Terminal{Stdout: &stdout}, []patroni.HistoryEntry{
		{Timeline: 1, LSN: 0x3000060, Reason: "no recovery target specified", At: at,
			Leader: "postgresql-02"},
		{Timeline: 2, LSN: 0x1_0500_0000, Reason: "no recovery target specified"},
	})
	when := stamp(at)
	pad := strings.Repeat(" ", len(when)-1)
	want := "TIME" + pad[3:] + "  NEW LEADER     ENDED TIMELINE  AT         REASON\n" + when +
		"  postgresql-02  1               0/3000060  no recovery target specified\n" +
		"-" + pad + "  -              2               1/5000000  no recovery target specified\n"
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
