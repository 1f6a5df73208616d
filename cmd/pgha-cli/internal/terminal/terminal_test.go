package terminal

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHarmless: what comes from hosts cannot command the terminal, and the program's own colours
// stay.
func TestHarmless(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text          string
		colour, plain string
	}{
		"plain":          {"a\tb\n", "a\tb\n", "a\tb\n"},
		"not only ASCII": {"Zürich 東京", "Zürich 東京", "Zürich 東京"},
		"a bell":         {"a\ab", "a\ufffdb", "a\ufffdb"},
		"the line again": {"good\rbad", "good\ufffdbad", "good\ufffdbad"},
		"a title":        {"\x1b]0;owned\a", "\ufffd]0;owned\ufffd", "\ufffd]0;owned\ufffd"},
		"the cursor":     {"\x1b[2Jx", "\ufffd[2Jx", "\ufffd[2Jx"},
		"C1":             {"\u009b31m", "\ufffd31m", "\ufffd31m"},
		"a colour":       {"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"},
		"half a colour":  {"\x1b[31", "\ufffd[31", "\ufffd[31"},
	} {
		for colour, want := range map[bool]string{true: tt.colour, false: tt.plain} {
			var stdout, stderr bytes.Buffer
			out := &Terminal{Stdout: &stdout, Stderr: &stderr, Colour: colour}
			out.Printf("%s", tt.text)
			out.Notef("%s", tt.text)
			if stdout.String() != want || stderr.String() != want {
				t.Errorf("%s, colour %v: %q and %q, want %q", name, colour, stdout.String(),
					stderr.String(), want)
			}
		}
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()
	if got := (&Terminal{Colour: true}).Paint(Red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := (&Terminal{}).Paint(Red, "x"); got != "x" {
		t.Errorf("without colours: %q", got)
	}
}

// TestFilesHaveNoColours: a pipe and a file are no terminal, whatever TERM says.
func TestFilesHaveNoColours(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if out := New(w, w); out.Colour || out.Width != nil {
		t.Errorf("a pipe: colour %v, width %v", out.Colour, out.Width != nil)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	out := &Terminal{Stdout: &stdout, Stderr: &stderr}
	w := out.Table()
	fmt.Fprintln(w, "NAME\tSTATE")
	fmt.Fprintln(w, "a-long-name\tok\x1b[2J")
	if stdout.Len() > 0 {
		t.Errorf("before Flush: %q", stdout.String())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = "NAME         STATE\na-long-name  ok\ufffd[2J\n"
	if stdout.String() != want {
		t.Errorf("%q, want %q", stdout.String(), want)
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	for _, colour := range []bool{true, false} {
		var stdout bytes.Buffer
		out := &Terminal{Stdout: &stdout, Stderr: &bytes.Buffer{}, Colour: colour}
		if out.Clear(); stdout.Len() > 0 != colour {
			t.Errorf("colour %v: %q", colour, stdout.String())
		}
	}
}

func stamp() string { return "9s" }

// TestWaitedForIsHeldBack: in a pipe what changes too quickly is held back, and is shown once its
// time has come unless something else was written.
func TestWaitedForIsHeldBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		play func(out *Terminal)
		want string
	}{
		"it lasts": {func(out *Terminal) {
			out.Waitf(stamp, "one")
			out.Waitf(stamp, "two")
			time.Sleep(time.Minute)
		}, "9s   one\n9s   two\n"},
		"it went back": {func(out *Terminal) {
			out.Waitf(stamp, "one")
			out.Waitf(stamp, "two")
			out.Waitf(stamp, "one")
			time.Sleep(time.Minute)
		}, "9s   one\n"},
		"the last counts": {func(out *Terminal) {
			out.Waitf(stamp, "one")
			out.Waitf(stamp, "two")
			time.Sleep(5 * time.Second)
			out.Waitf(stamp, "three")
			time.Sleep(time.Minute)
		}, "9s   one\n9s   three\n"},
		"it is over": {func(out *Terminal) {
			out.Waitf(stamp, "one")
			out.Waitf(stamp, "two")
			out.Notef("done\n")
			time.Sleep(time.Minute)
		}, "9s   one\ndone\n"},
		"the same again after something else": {func(out *Terminal) {
			out.Waitf(stamp, "one")
			out.Notef("done\n")
			time.Sleep(waitEvery)
			out.Waitf(stamp, "one")
		}, "9s   one\ndone\n9s   one\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var stderr bytes.Buffer
				tt.play(&Terminal{Stdout: &bytes.Buffer{}, Stderr: &stderr})
				synctest.Wait()
				if stderr.String() != tt.want {
					t.Errorf("%q, want %q", stderr.String(), tt.want)
				}
			})
		})
	}
}

// TestLineOnATerminal: one line, cut to the width, that goes before anything else is written, a
// result on another stream too.
func TestLineOnATerminal(t *testing.T) {
	t.Parallel()
	var both bytes.Buffer
	out := &Terminal{Stdout: &both, Stderr: &both, Width: func() int { return 40 }}
	out.Waitf(stamp, strings.Repeat("x", 60))
	out.Waitf(stamp, "short\a")
	out.Printf("result\n")
	out.Printf("another\n")
	want := "9s   " + strings.Repeat("x", 26) + "..." + "\r\x1b[J9s   short\ufffd" +
		"\r\x1b[Jresult\nanother\n"
	if both.String() != want {
		t.Errorf("%q, want %q", both.String(), want)
	}
}

// TestGoOn: what goes on stands below everything else and is told again each second, what is waited
// for below it; a question has the last line, and in the end nothing is left.
func TestGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var both bytes.Buffer
		out := &Terminal{Stdout: &both, Stderr: &both, Width: func() int { return 30 },
			Height: func() int { return 8 }}
		told := 0
		var most int
		var saw []string
		see := func() {
			out.waiting.mu.Lock()
			defer out.waiting.mu.Unlock()
			saw = append(saw, both.String())
			both.Reset()
		}
		out.GoOn(func(n int) []string {
			told++
			most = n
			return []string{fmt.Sprintf("going %d", told), strings.Repeat("\a", 40)}
		})
		see()
		out.Notef("happened\n")
		see()
		out.Waitf(stamp, "for it")
		see()
		time.Sleep(renewEvery)
		synctest.Wait()
		see()
		out.Notef("sure? ")
		out.GoOn(nil)
		see()
		time.Sleep(time.Minute) // nothing is told any more
		see()
		cut := strings.Repeat("\ufffd", 26) + "..."
		want := []string{
			"going 1\n" + cut, "\x1b[1A\r\x1b[Jhappened\ngoing 2\n" + cut,
			"\x1b[1A\r\x1b[Jgoing 3\n" + cut + "\n9s   for it",
			"\x1b[2A\r\x1b[Jgoing 4\n" + cut + "\n9s   for it", "\x1b[2A\r\x1b[Jsure? ", "",
		}
		if diff := cmp.Diff(want, saw); diff != "" || most != 4 {
			t.Errorf("room for %d lines (-want +got):\n%s", most, diff)
		}
		out.Width = nil
		out.GoOn(func(int) []string { t.Error("asked in a pipe"); return nil })
	})
}

func TestClip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 30)
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"short", 25, "short"},
		{long, 30, long},
		{long, 25, strings.Repeat("ü", 22) + "..."},
		{long, 19, long}, // too narrow for a line that says anything
		{long, -11, long},
	} {
		if got := clip(tt.text, tt.columns); got != tt.want {
			t.Errorf("%d columns: %q", tt.columns, got)
		}
	}
}

// TestLinesStayWhole: lines of several goroutines do not run into each other.
func TestLinesStayWhole(t *testing.T) {
	t.Parallel()
	var both bytes.Buffer
	out := &Terminal{Stdout: &both, Stderr: &both, Width: func() int { return 80 }}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				out.Waitf(stamp, fmt.Sprint("waiting ", i))
				out.Notef("note %d\n", i)
				out.Printf("line %d\n", i)
			}
		})
	}
	wg.Wait()
	notes, lines := 0, 0
	for line := range strings.Lines(both.String()) {
		line = line[strings.LastIndex(line, "\x1b[J")+1:]
		switch {
		case strings.HasPrefix(strings.TrimPrefix(line, "[J"), "note "):
			notes++
		case strings.HasPrefix(strings.TrimPrefix(line, "[J"), "line "):
			lines++
		default:
			t.Fatalf("a broken line: %q", line)
		}
	}
	if notes != 400 || lines != 400 {
		t.Errorf("%d notes and %d lines of 400 each", notes, lines)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	out := &Terminal{Stdout: &stdout, Stderr: &bytes.Buffer{}}
	if err := out.JSON(map[string]any{"text": "a\x1b[2J"}); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"text\": \"a\\u001b[2J\"\n}\n"; stdout.String() != want {
		t.Errorf("%q, want %q", stdout.String(), want)
	}
	if err := out.JSON(make(chan int)); err == nil {
		t.Error("what has no JSON is no error")
	}
}
