package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// number writes seconds with three digits that mean something.
func number(seconds float64) string {
	switch a := math.Abs(seconds); {
	case a < 9.995:
		return strconv.FormatFloat(seconds, 'f', 2, 64)
	case a < 999.5:
		return strconv.FormatFloat(seconds, 'f', 1, 64)
	}
	return strconv.FormatFloat(seconds, 'f', 0, 64)
}

// signed writes a moment relative to the fault.
func signed(seconds float64) string {
	text := strings.TrimPrefix(strconv.FormatFloat(seconds, 'f', 2, 64), "-")
	if seconds < -0.005 {
		return "−" + text + " s"
	}
	return "+" + text + " s"
}

// round writes a promise or a tick without needless digits.
func round(seconds float64) string {
	return strings.Replace(strconv.FormatFloat(math.Round(seconds*1000)/1000+0, 'f', -1, 64),
		"-", "−", 1)
}

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%s %s", grouped(n), many)
}

// grouped sets thin spaces between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// moment writes a time for people, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// percent writes a share of 1 as a length of an SVG.
func percent(share float64) string {
	s := strconv.FormatFloat(share*100, 'f', 3, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + "%"
}

// clamp keeps a share between 0 and 1.
func clamp(share float64) float64 { return min(max(share, 0), 1) }
