package oneline

import "strings"

// Shorten returns s in one line, its blanks and line ends made single blanks, and cut after n
// bytes.
func Shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// Tail returns the last n lines of s in one, with at most 400 bytes.
func Tail(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return Shorten(strings.Join(lines, "; "), 400)
}
