package main

import (
	"testing"

	"github.com/pgha/toolkit/internal/programtest"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	programtest.Refuses(t, map[string]programtest.Refusal{
		"too few arguments": {Args: []string{"BROKEN"},
			Want: "usage: maintenance SPEC COMMAND [ARGUMENT...]"},
		"no such file": {
			Args: []string{"missing.yaml", "true"},
			Want: "read spec: open missing.yaml: no such file or directory",
		},
		"misspelt key": {Args: []string{"BROKEN", "true"}, Want: "BROKEN:2:1: hostss: "},
	})
}
