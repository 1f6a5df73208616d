package shell

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// FuzzQuote hands words to a real shell, which must give each back as it was. One shell takes them
// all, one after the other: a word that is not closed in its quotes would also change what comes
// after it.
func FuzzQuote(f *testing.F) {
	for _, w := range []string{
		"it's", "a\nb$(id)", "", "'", "\\", "\\\n", "'\\''", "`id`", "${x}", "!!", "\xff\xfe",
		"*?[a]{b,c}~", "-n", "#", "a=b", "\r\t\v", "é✓\u0085\u2028", "\x1b[31m",
	} {
		f.Add(w)
	}
	in, out := startShell(f)
	answers := bufio.NewReader(out)
	f.Fuzz(func(t *testing.T, w string) {
		if strings.IndexByte(w, 0) >= 0 {
			return // refused, see TestQuoteRefusesNUL
		}
		line, err := Join([]string{"printf", `%s\0`, w})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if err := out.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, err := answers.ReadString(0)
		if err != nil || strings.TrimSuffix(got, "\x00") != w {
			t.Fatalf("%q came back as %q, %v (line %s)", w, got, err, line)
		}
	})
}

// startShell starts a sh that reads commands from in.
func startShell(f *testing.F) (in io.Writer, out *os.File) {
	f.Helper()
	cmd := exec.CommandContext(f.Context(), "sh", "-s")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		f.Fatal(err)
	}
	out, answers, err := os.Pipe()
	if err != nil {
		f.Fatal(err)
	}
	cmd.Stdout = answers
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	_ = answers.Close() // the shell has its own
	f.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // killed with the test's context, or at the end of its input
		_ = out.Close()
	})
	return stdin, out
}
