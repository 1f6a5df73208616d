package main

import (
	"testing"

	"github.com/pgha/toolkit/internal/programtest"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	programtest.Refuses(t, map[string]programtest.Refusal{
		"too few arguments": {Args: []string{"BROKEN"}, Want: "usage: health SPEC ADDRESS"},
		"no such file": {
			Args: []string{"missing.yaml", "127.0.0.1:0"},
			Want: "read spec: open missing.yaml: no such file or directory",
		},
		"misspelt key": {Args: []string{"BROKEN", "127.0.0.1:0"}, Want: "BROKEN:2:1: hostss: "},
	})
}
