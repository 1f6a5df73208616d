package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode"

	"golang.org/x/term"
)

// Terminal is where the program prints: results on Stdout, everything else on Stderr. Safe for
// concurrent use, as far as its methods go.
type Terminal struct {
	Stdout, Stderr io.Writer
	// Colour is of Stderr and Stdout alike: both are terminals and NO_COLOR is not set.
	Colour bool
	// Width returns the columns of the terminal that Stderr is; nil where it is none. Height
	// returns its lines.
	Width, Height func() int

	waiting waiting
}

// New returns a Terminal for two open files, with colours where both are terminals.
func New(stdout, stderr *os.File) *Terminal {
	colour := term.IsTerminal(int(stdout.Fd())) && term.IsTerminal(int(stderr.Fd())) &&
		os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	t := &Terminal{Stdout: stdout, Stderr: stderr, Colour: colour}
	if fd := int(stderr.Fd()); term.IsTerminal(fd) && os.Getenv("TERM") != "dumb" {
		t.Width = func() int {
			width, _, _ := term.GetSize(fd)
			return width
		}
		t.Height = func() int {
			_, height, _ := term.GetSize(fd)
			return height
		}
	}
	return t
}

// The few colours in use, for Paint.
const (
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Dim    = "2"
	Bold   = "1"
)

// Paint colours s on a terminal and leaves it alone elsewhere.
func (t *Terminal) Paint(colour, s string) string {
	if !t.Colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// Printf writes a result. Control characters other than line breaks, tabs and Paint's are replaced:
// much of what is printed comes from hosts, and could command the terminal.
func (t *Terminal) Printf(format string, args ...any) { t.print(t.Stdout, format, args) }

// Notef writes progress, as Printf does results.
func (t *Terminal) Notef(format string, args ...any) { t.print(t.Stderr, format, args) }

func (t *Terminal) print(to io.Writer, format string, args []any) {
	text := t.harmless(fmt.Sprintf(format, args...))
	t.waiting.before(t.Stderr, strings.HasSuffix(text, "\n"),
		func() { fmt.Fprint(to, text) })
}

// Table returns a writer of aligned columns, with tabs between them, whose Flush prints a result.
func (t *Terminal) Table() *tabwriter.Writer {
	return tabwriter.NewWriter(results{t}, 0, 0, 2, ' ', 0)
}

// results is a writer that prints as Printf does.
type results struct{ t *Terminal }

func (r results) Write(text []byte) (int, error) {
	r.t.Printf("%s", text)
	return len(text), nil
}

// Clear empties the screen, where it is one that can show colours.
func (t *Terminal) Clear() {
	if t.Colour {
		t.waiting.before(t.Stderr, true,
			func() { fmt.Fprint(t.Stdout, "\x1b[H\x1b[2J") })
	}
}

// painted is what Paint puts around a text.
var painted = regexp.MustCompile(`\x1b\[[0-9]+m`)

// harmless replaces what could command the terminal.
func (t *Terminal) harmless(text string) string {
	if !t.Colour {
		return strings.Map(visible, text)
	}
	var b strings.Builder
	at := 0
	for _, p := range painted.FindAllStringIndex(text, -1) {
		b.WriteString(strings.Map(visible, text[at:p[0]]))
		b.WriteString(text[p[0]:p[1]])
		at = p[1]
	}
	b.WriteString(strings.Map(visible, text[at:]))
	return b.String()
}

// visible is the character, or one that shows that there is a control character.
func visible(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return unicode.ReplacementChar
	}
	return r
}

// Waitf shows what is being waited for, until something else is written.
func (t *Terminal) Waitf(stamp func() string, message string) {
	t.waiting.show(t.Stderr, t.Width, stamp, t.harmless(message))
}

// GoOn shows on a terminal what goes on, in lines below everything else that are renewed each
// second, until it is called with nil. lines gets how many fit; they are cut to the width.
// Elsewhere it does nothing.
func (t *Terminal) GoOn(lines func(most int) []string) {
	if t.Width == nil || t.Height == nil {
		return
	}
	if lines == nil {
		t.waiting.goOn(t.Stderr, nil)
		return
	}
	t.waiting.goOn(t.Stderr, func() []string {
		// Half of the screen is for what has happened.
		var list []string
		for _, line := range lines(max(2, t.Height()/2)) {
			list = append(list, t.Paint(Dim, clip(t.harmless(line), t.Width()-1)))
		}
		return list
	})
}

// JSON writes a result for machines.
func (t *Terminal) JSON(v any) error {
	enc := json.NewEncoder(t.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
