package scalar

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	durationSyntax = regexp.MustCompile(
		`^(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:ns|us|µs|μs|ms|s|m|h))+$`)
	wordsSyntax = regexp.MustCompile(
		`^(?:[+]?(?:[0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+) *[A-Za-zµμ]+[ ,]*)+$`)
	wordSyntax = regexp.MustCompile(`([0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+) *([A-Za-zµμ]+)`)
	isoSyntax  = regexp.MustCompile(
		`^P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?$`)
)

// units are the names of units of time that are understood well enough to say what to write. Only
// ns, us, ms, s, m and h are read.
func unit(name string) (time.Duration, bool) {
	switch strings.ToLower(name) {
	case "ns":
		return time.Nanosecond, true
	case "us", "µs", "μs":
		return time.Microsecond, true
	case "ms", "msec", "msecs", "millis", "millisecond", "milliseconds":
		return time.Millisecond, true
	case "s", "sec", "secs", "second", "seconds":
		return time.Second, true
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute, true
	case "h", "hr", "hrs", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return 24 * time.Hour, true
	case "w", "week", "weeks":
		return 7 * 24 * time.Hour, true
	}
	return 0, false
}

// Duration reads numbers with the units ns, us, ms, s, m and h: 500ms, 1h30m. It is not negative.
func Duration(text string) (time.Duration, *Fault) {
	if durationSyntax.MatchString(text) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, &Fault{"is out of range", "write a shorter duration, such as 24h"}
		}
		return d, nil
	}
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		if _, ok := meant(rest); ok {
			return 0, &Fault{"is negative", "write a duration such as 100ms, 10s or 5m"}
		}
	}
	if d, ok := meant(text); ok {
		return 0, &Fault{"is not a duration in the form that is read here", "write " + Short(d)}
	}
	return 0, &Fault{"is not a duration", "write a number with a unit, such as 100ms, 10s, 5m " +
		"or 1h30m"}
}

// Seconds is Duration that also takes a plain number, for seconds.
func Seconds(text string) (time.Duration, *Fault) {
	number := strings.Trim(text, "0123456789+-_.,'eExXoObB") == ""
	if !number {
		return Duration(text)
	}
	f, fault := Number(text)
	switch {
	case fault != nil && fault.Remedy == "write digits, and a dot before a fraction":
		return Duration(text)
	case fault != nil:
		return 0, fault
	case f < 0 || f > 1e9:
		return 0, &Fault{"is out of range", "write seconds, or a duration such as 10s or 30s"}
	}
	return time.Duration(math.Round(f * float64(time.Second))), nil
}

// meant is what a text with other names of units, spaces or signs stands for.
func meant(text string) (time.Duration, bool) {
	if m := isoSyntax.FindStringSubmatch(text); m != nil &&
		strings.ContainsAny(text, "0123456789") {
		text = ""
		for i, name := range []string{"d", "h", "m", "s"} {
			if m[i+1] != "" {
				text += m[i+1] + name
			}
		}
	}
	if !wordsSyntax.MatchString(text) {
		return 0, false
	}
	var sum float64
	for _, m := range wordSyntax.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(strings.ReplaceAll(m[1], "_", ""), 64)
		u, known := unit(m[2])
		if err != nil || !known {
			return 0, false
		}
		sum += n * float64(u)
	}
	if sum > float64(100*365*24*time.Hour) {
		return 0, false
	}
	return time.Duration(math.Round(sum)), true
}

// Short writes a duration without its zero parts: 1h, not 1h0m0s.
func Short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
