package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

// script plays what an apply hears while it waits, on a clock of its own.
func script(out *terminal.Terminal) {
	show := applyText(out)
	say := func(after time.Duration, message string) {
		time.Sleep(after)
		show(pgha.Event{Kind: pgha.Progress, Phase: "patroni", Message: message})
	}
	show(pgha.Event{Kind: pgha.PhaseStarted, Phase: "patroni"})
	say(time.Second, "waiting for streaming replicas: pg-2 and pg-3")
	say(time.Second, "waiting for streaming replicas: pg-3")
	say(time.Second, "waiting for streaming replicas: pg-2 and pg-3")
	say(4*time.Second, "waiting for streaming replicas: pg-2")
	say(20*time.Second, "waiting for streaming replicas: pg-3")
	say(time.Second, "waiting for streaming replicas: nobody")
	show(pgha.Event{Kind: pgha.PhaseFinished, Phase: "patroni", Duration: 28 * time.Second})
	time.Sleep(time.Minute)
}

func TestWaitingInAPipe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		script(&terminal.Terminal{Stderr: &stderr})
		want := strings.Join([]string{
			"   0.0s patroni",
			"   1.0s   waiting for streaming replicas: pg-2 and pg-3",
			"  11.0s   waiting for streaming replicas: pg-2",
			"  27.0s   waiting for streaming replicas: pg-3",
			"  28.0s ✓ patroni 28.0s", "",
		}, "\n")
		if diff := cmp.Diff(want, stderr.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWaitingOnATerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		script(&terminal.Terminal{Stderr: &stderr, Width: func() int { return 50 }})
		const again = "\r\x1b[J"
		want := "   0.0s patroni\n" +
			"   1.0s   waiting for streaming replicas: pg-2..." +
			again + "   2.0s   waiting for streaming replicas: pg-3" +
			again + "   3.0s   waiting for streaming replicas: pg-2..." +
			again + "   7.0s   waiting for streaming replicas: pg-2" +
			again + "  27.0s   waiting for streaming replicas: pg-3" +
			again + "  28.0s   waiting for streaming replicas: nobody" +
			again + "  28.0s ✓ patroni 28.0s\n"
		if diff := cmp.Diff(want, stderr.String()); diff != "" {
			t.Error(diff)
		}
	})
}
