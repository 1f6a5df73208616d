package oneline

import (
	"strings"
	"testing"
)

func TestFault(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "work_mem", "%m [%p] ", "contraseña", "密码", "a\u00a0b",
		"a\u200bb"} {
		if problem, _ := Fault(text); problem != "" {
			t.Errorf("Fault(%q) = %q", text, problem)
		}
	}
	for text, want := range map[string]string{
		"a\nb": "line end", "a\n": "line end", "\r": "line end", "a\r\nb": "line end",
		"a\u2028b": "line end", "a\u0085": "line end",
		"a\x00b": "U+0000", "a\tb": "U+0009", "\x1b[31m": "U+001B", "a\x7f": "U+007F",
		"a\u009bb": "U+009B",
		"a\x07":    "U+0007",
		"\xff":     "UTF-8", "ok\xc3": "UTF-8",
	} {
		problem, remedy := Fault(text)
		if !strings.Contains(problem, want) || remedy == "" {
			t.Errorf("Fault(%q) = %q, %q; want %q in it and a remedy", text, problem, remedy, want)
		}
	}
}
