package main

import (
	"os"
	"regexp"
	"runtime/debug"
	"testing"

	"github.com/pgha/toolkit/pgha"
)

// TestVersionIsTheChangelogs: the version at the top of CHANGELOG.md is the one that the program
// prints.
func TestVersionIsTheChangelogs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	top := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+) \(\d{4}-\d\d-\d\d\)$`).FindSubmatch(text)
	if top == nil {
		t.Fatal(`CHANGELOG.md has no "## VERSION (DATE)"`)
	}
	if string(top[1]) != pgha.Version {
		t.Errorf("CHANGELOG.md is at %s, the constant at %s", top[1], pgha.Version)
	}
}

func TestBuildNamesItsCommit(t *testing.T) {
	t.Parallel()
	revision := debug.BuildSetting{Key: "vcs.revision",
		Value: "8408d62a1b2c3d4e5f60718293a4b5c6d7e8f901"}
	for want, settings := range map[string][]debug.BuildSetting{
		"1.2.3 go9 plan9/386": {{Key: "-trimpath", Value: "true"}},
		"1.2.3 (commit 8408d62a1b2c) go9 plan9/386": {revision,
			{Key: "vcs.modified", Value: "false"}},
		"1.2.3 (commit 8408d62a1b2c, modified) go9 plan9/386": {revision,
			{Key: "vcs.modified", Value: "true"}},
		"1.2.3 (commit abc) go9 plan9/386": {{Key: "vcs.revision", Value: "abc"}},
	} {
		b := build{Version: "1.2.3", Go: "go9", Platform: "plan9/386"}
		b.checkout(settings)
		if got := b.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
