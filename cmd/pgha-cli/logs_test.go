package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func TestPast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"10m":                  "2026-11-23T14:20:00Z",
		"1h30m":                "2026-11-23T13:00:00Z",
		"14:00":                "2026-11-23T14:00:00Z",
		"15:00":                "2026-11-22T15:00:00Z",
		"2026-11-20":           "2026-11-20T00:00:00Z",
		"2026-11-20T02:00":     "2026-11-20T02:00:00Z",
		"2026-11-20 02:00:30":  "2026-11-20T02:00:30Z",
		"2026-11-20T02:00:00Z": "2026-11-20T02:00:00Z",
		"":                     "0001-01-01T00:00:00Z",
		"-10m":                 "",
		"yesterday":            "",
	} {
		got, err := past("since", text, now)
		if (err != nil) != (want == "") {
			t.Errorf("%q: error %v", text, err)
		}
		if err == nil && got.Format(time.RFC3339) != want {
			t.Errorf("%q: got %s, want %s", text, got.Format(time.RFC3339), want)
		}
	}
}

func TestEntryTextDoesNotCommandTheTerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	show := entryText(&terminal.Terminal{Stdout: &b})
	e := pgha.LogEntry{Time: time.Now(), Host: "db1", Program: "postgres",
		Message: "a\x1b[2Jb\nsecond\tline\n"}
	if err := show(e); err != nil {
		t.Fatal(err)
	}
	if want := " db1 postgres: a\uFFFD[2Jb\n    second\tline\n"; !bytes.HasSuffix(b.Bytes(),
		[]byte(want)) {
		t.Errorf("got %q", b.String())
	}
}
