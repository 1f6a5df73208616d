package shell

import (
	"errors"
	"os/exec"
	"testing"
)

func TestQuoteRoundTripThroughRealShell(t *testing.T) {
	t.Parallel()
	for _, w := range []string{
		"", "plain", "two words", "it's", `"$(id)"`, "a\nb", "`x`", "é✓", "-n", "~", "*", "a=b",
		"$HOME", `\`, "''",
	} {
		checkRoundTrip(t, w)
	}
}

func TestQuoteRefusesNUL(t *testing.T) {
	t.Parallel()
	if _, err := Quote("a\x00b"); !errors.Is(err, ErrNUL) {
		t.Fatalf("err = %v, want ErrNUL", err)
	}
	if _, err := Join([]string{"echo", "\x00"}); !errors.Is(err, ErrNUL) {
		t.Fatalf("err = %v, want ErrNUL", err)
	}
}

func checkRoundTrip(t *testing.T, w string) {
	t.Helper()
	line, err := Join([]string{"printf", "%s", w})
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command("sh", "-c", line).Output()
	if err != nil {
		t.Fatalf("sh -c %s: %v", line, err)
	}
	if string(got) != w {
		t.Fatalf("%q came back as %q (line %s)", w, got, line)
	}
}
