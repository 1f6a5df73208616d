package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/pgha/toolkit/pgha/remote"
)

// terminal is where the program speaks: results on stdout, everything else on stderr.
type terminal struct {
	stdout, stderr io.Writer
	colour         bool // of stderr and stdout alike: both are terminals and NO_COLOR is not set
	waiting        waiting
}

func newTerminal(stdout, stderr *os.File) *terminal {
	colour := term.IsTerminal(int(stdout.Fd())) && term.IsTerminal(int(stderr.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	t := &terminal{stdout: stdout, stderr: stderr, colour: colour}
	if fd := int(stderr.Fd()); term.IsTerminal(fd) && os.Getenv("TERM") != "dumb" {
		t.waiting.width = func() int {
			width, _, _ := term.GetSize(fd)
			return width
		}
	}
	return t
}

// The few colours in use.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
	bold   = "1"
)

// paint colours s on a terminal and leaves it alone elsewhere.
func (t *terminal) paint(colour, s string) string {
	if !t.colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// printf writes a result.
func (t *terminal) printf(format string, args ...any) {
	t.waiting.before(t.stderr, func() { fmt.Fprintf(t.stdout, format, args...) })
}

// notef writes progress.
func (t *terminal) notef(format string, args ...any) {
	t.waiting.before(t.stderr, func() { fmt.Fprintf(t.stderr, format, args...) })
}

// waitf shows what is being waited for, until something else is written.
func (t *terminal) waitf(stamp func() string, message string) {
	t.waiting.show(t.stderr, stamp, message)
}

// json writes a result for machines.
func (t *terminal) json(v any) error {
	enc := json.NewEncoder(t.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// fail prints an error and what to do about it.
func (t *terminal) fail(err error) {
	t.notef("%s %s\n", t.paint(red, "error:"), err)
	if hint := hintOf(err); hint != "" {
		t.notef("%s %s\n", t.paint(yellow, "hint:"), hint)
	} else if errors.As(err, new(usageError)) {
		t.notef("%s %s\n", t.paint(yellow, "hint:"), "pgha-cli --help lists the commands, pgha-cli COMMAND --help explains one")
	}
}

// hintOf collects the hints of all errors in err, each once.
func hintOf(err error) string {
	var hints []string
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		if h, ok := err.(remote.Hinter); ok && h.Hint() != "" && !slices.Contains(hints, h.Hint()) {
			hints = append(hints, h.Hint())
		}
		switch u := err.(type) {
		case interface{ Unwrap() error }:
			walk(u.Unwrap())
		case interface{ Unwrap() []error }:
			for _, e := range u.Unwrap() {
				walk(e)
			}
		case interface{ WrappedErrors() []error }:
			for _, e := range u.WrappedErrors() {
				walk(e)
			}
		}
	}
	walk(err)
	return strings.Join(hints, "\n      ")
}

// seconds renders a duration for people.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// version is the module's version as the Go tool recorded it, with what built it and for which machine.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return v + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}
