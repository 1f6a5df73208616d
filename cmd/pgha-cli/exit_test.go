package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/vip"
)

// The exit code of errors as the verbs wrap them.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	away := remote.OnHost("pg1", remote.ErrUnreachable)
	for _, tt := range []struct {
		verb string
		err  error
		want int
	}{
		{"apply", &etcd.LockedError{}, exitLocked},
		{"apply", fmt.Errorf("state: %w", pgha.ErrStateLocked), exitLocked},
		{"apply", fmt.Errorf("%w: it is of cluster a", pgha.ErrPlanStale), exitRefused},
		{"apply", errs.Join(away, fmt.Errorf("%w: no", pgha.ErrRefused)), exitRefused},
		{"apply", spec.Error{Problem: "wrong"}, exitUsage},
		{"apply", away, exitFailed},
		{"apply", fmt.Errorf("%w; %w", pgha.ErrLockLost, context.Canceled), exitFailed},
		{"apply", fmt.Errorf("%w: eth9", vip.ErrInvalid), exitFailed},
		{"config set", &patroni.ConfigError{}, exitRefused},
		{"failover", errs.WithNext(&patroni.LossError{}, errs.Text("wait")), exitRefused},
		{"lab", fmt.Errorf("open: %w", lab.ErrNotRunning), exitFailed},
		{"lab up", fmt.Errorf("%w: hosts", lab.ErrInvalid), exitUsage},
		{"restart", &patroni.RestartError{Member: "m1", Err: patroni.ErrTimeout}, exitTimeout},
		{"restart", fmt.Errorf("%w: %w", patroni.ErrUnavailable, away), exitFailed},
		{"start", &errs.TimeoutError{What: "etcd's quorum"}, exitTimeout},
		{"stop", errors.Join(context.DeadlineExceeded, etcd.ErrUnhealthy), exitTimeout},
		{"switchover", fmt.Errorf("%w: m2", patroni.ErrNoCandidate), exitRefused},
		{"sync", etcd.ErrNoSpace, exitRefused},
		{"verify", fmt.Errorf("%w: 1 of 30 checks", pgha.ErrVerify), exitFailed},
	} {
		if got := codeOf(fmt.Errorf("%s: %w", tt.verb, tt.err)); got != tt.want {
			t.Errorf("%s: %v ends with %d, want %d", tt.verb, tt.err, got, tt.want)
		}
	}
}

// Hints are commands of this program, each once, and a lab's name stands where the program takes
// it.
func TestHintOf(t *testing.T) {
	t.Parallel()
	look := errs.Text("look at %s", errs.Verb("status"))
	err := errs.WithNext(errs.Join(errs.WithNext(errors.New("a"), look),
		errs.WithNext(errors.New("b"),
			errs.Text("start it: %s", errs.Verb("lab", "up", "--lab-name", "two")))), look)
	const want = "look at pgha-cli status\n      start it: pgha-cli --lab-name two lab up"
	if got := hintOf(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What several hosts say is said once. What differs in more than the address is not folded, and
// neither are entries that go on in another way.
func TestSameOnce(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one": "",
		"3 errors:\n  - a: no way to 192.0.2.1:22\n  - b: no way to 192.0.2.2:22\n" +
			"  - c: no way to [2001:db8::3]:22": "3 errors:\n  - a: no way to 192.0.2.1:22\n" +
			"    the same on b, c",
		"2 errors:\n  - a: disk full\n  - b: disk gone":      "",
		"2 errors:\n  - the cluster: no\n  - a host: no":     "",
		"2 errors:\n  - a: x\n    more\n  - b: x\n    other": "",
		"3 errors:\n  - a: x\n    more\n  - b: y\n  - c: x\n    more": "3 errors:\n  - a: x\n    " +
			"more\n    the same on c\n  - b: y",
	} {
		if want == "" {
			want = text
		}
		if got := terminal.SameOnce(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
