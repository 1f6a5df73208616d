package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func TestPrintRows(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	var stdout, stderr bytes.Buffer
	printRows(&terminal.Terminal{Stdout: &stdout, Stderr: &stderr}, pgha.QueryResult{
		Member: "postgresql-01", Role: pgha.QueryLeader, Command: "SELECT 2",
		Columns: []pgha.QueryColumn{
			{Name: "name", Type: "text"}, {Name: "n", Type: "int4"}, {Name: "note", Type: "text"},
		},
		Rows: [][]*string{
			{text("größer"), text("7"), text("two\nlines\x1b[31m")},
			{nil, text("1234"), text("")},
		},
	})
	want := "name       n  note\n" +
		"------  ----  ------------------\n" +
		"größer     7  two\\nlines\\x1b[31m\n" +
		"NULL    1234\n"
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := stderr.String(); got != "SELECT 2, postgresql-01 (leader), 0.0s\n" {
		t.Errorf("stderr: %q", got)
	}
}
