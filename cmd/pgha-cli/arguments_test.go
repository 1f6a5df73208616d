package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
)

func TestFlagsFirst(t *testing.T) {
	t.Parallel()
	app := newApp(terminal.New(os.Stdout, os.Stderr))
	for given, want := range map[string]string{
		"pgha-cli":                         "pgha-cli",
		"pgha-cli status -o json":          "pgha-cli status -o json",
		"pgha-cli --lab switchover --to b": "pgha-cli --lab switchover --to b",
		"pgha-cli lab cut postgres-01 --lab-name x": "pgha-cli --lab-name x lab cut " +
			"postgres-01",
		"pgha-cli status --lab -o json --spec=f": "pgha-cli --lab --spec=f status -o json",
		"pgha-cli completion bash --help":        "pgha-cli completion bash --help",
		"pgha-cli --timeout 5s lab kill a -- --not-mine": "pgha-cli --timeout 5s lab kill a -- " +
			"--not-mine",
		"pgha-cli psql -c x --yes":         "pgha-cli psql -c x --yes",
		"pgha-cli --spec f psql y -o json": "pgha-cli --spec f psql y -o json",
		"pgha-cli nonsense --flag":         "pgha-cli --flag nonsense",
		"pgha-cli --spec":                  "pgha-cli --spec",
	} {
		if got := flagsFirst(app, strings.Fields(given)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s\n got %s\nwant %s", given, strings.Join(got, " "), want)
		}
	}
}
