package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/pgha/toolkit/internal/programtest"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	programtest.Refuses(t, map[string]programtest.Refusal{
		"too few arguments": {Args: nil, Want: "usage: provision SPEC"},
		"no such file": {
			Args: []string{"missing.yaml"}, Want: "read spec: open missing.yaml: no such file or " +
				"directory",
		},
		"misspelt key": {Args: []string{"BROKEN"}, Want: "BROKEN:2:1: hostss: "},
	})
}

func TestIsShort(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(source, []byte("\n")); lines >= 40 {
		t.Errorf("main.go has %d lines; the README promises fewer than 40", lines)
	}
}
