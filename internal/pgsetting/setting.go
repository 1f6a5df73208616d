// Package pgsetting knows PostgreSQL's settings: which there are in a version, and what values each
// takes and means. Pure computation.
package pgsetting

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Setting is what PostgreSQL's catalogue pg_settings knows of one of its settings.
type Setting struct {
	Name string
	// Value is in the setting's own unit, Shown is how SHOW writes it.
	Value, Shown string
	// Unit is "", "ms", "kB", "8kB" and the like.
	Unit string
	// Type is bool, integer, real, string or enum.
	Type string
	// Context says what a change takes: user, superuser, backend, sighup, postmaster, internal, ...
	Context string
	// Source is where the value comes from: default, configuration file, command line, database,
	// ...
	Source, SourceFile string
	Min, Max           string
	Enum               []string
	PendingRestart     bool
}

// units are the units that PostgreSQL takes, in bytes and in microseconds.
var units = map[string]float64{
	"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40,
	"us": 1, "ms": 1e3, "s": 1e6, "min": 60e6, "h": 3600e6, "d": 86400e6,
}

// memoryUnits and timeUnits list them for people and for writing a value with the largest that
// fits.
var (
	memoryUnits = []string{"B", "kB", "MB", "GB", "TB"}
	timeUnits   = []string{"us", "ms", "s", "min", "h", "d"}
)

// Family returns the units that can stand in for unit, and how much one of unit is: 8kB is 8192
// bytes.
func Family(unit string) (names []string, size float64) {
	bare := strings.TrimLeft(unit, "0123456789")
	size = units[bare]
	if n, err := strconv.ParseFloat(strings.TrimSuffix(unit, bare), 64); err == nil {
		size *= n
	}
	if slices.Contains(memoryUnits, bare) {
		return memoryUnits, size
	}
	return timeUnits, size
}

// Same reports whether two values mean the same to PostgreSQL. What it would not take is only the
// same as itself.
func (s Setting) Same(a, b string) bool {
	x, errX := s.Normal(a)
	y, errY := s.Normal(b)
	if errX != nil || errY != nil {
		return a == b
	}
	return x == y
}

// Normal returns the one form of all texts that PostgreSQL takes for the same value; an error is
// one that it won't take.
func (s Setting) Normal(text string) (string, error) {
	switch s.Type {
	case "bool":
		on, err := parseBool(text)
		return strconv.FormatBool(on), err
	case "integer", "real":
		n, err := s.Number(text)
		return strconv.FormatFloat(n, 'g', -1, 64), err
	case "enum":
		text = strings.ToLower(text)
		// The synonyms that enumvals does not list.
		if on, err := parseBool(text); err == nil && slices.Contains(s.Enum, "on") &&
			!slices.Contains(s.Enum, text) {
			return map[bool]string{true: "on", false: "off"}[on], nil
		}
		if s.Name == "wal_level" && (text == "hot_standby" || text == "archive") {
			return "replica", nil
		}
		return text, nil
	}
	return text, nil
}

// parseBool takes what PostgreSQL takes: every unambiguous beginning of true, false, yes, no, on
// and off, and 1 and 0.
func parseBool(text string) (bool, error) {
	t := strings.ToLower(strings.TrimSpace(text))
	switch {
	case t == "" || t == "o":
	case t == "1", t == "on", strings.HasPrefix("true", t), strings.HasPrefix("yes", t):
		return true, nil
	case t == "0", strings.HasPrefix("off", t), strings.HasPrefix("false", t),
		strings.HasPrefix("no", t):
		return false, nil
	}
	return false, fmt.Errorf("%q is neither on nor off", text)
}

// Number reads a number with or without a unit, in the setting's own unit.
func (s Setting) Number(text string) (float64, error) {
	text = strings.TrimSpace(text)
	end := strings.LastIndexAny(text, "0123456789.") + 1
	digits, unit := text[:end], strings.TrimSpace(text[end:])
	n, err := strconv.ParseFloat(digits, 64)
	if octal := s.Type == "integer" && len(digits) > 1 && digits[0] == '0' &&
		!strings.Contains(digits,
			"."); err != nil || octal {
		whole, intErr := strconv.ParseInt(digits, 0, 64) // hexadecimal or octal
		if intErr != nil {
			return 0, fmt.Errorf("%q is not a number", text)
		}
		n = float64(whole)
	}
	if unit != "" {
		if s.Unit == "" {
			return 0, fmt.Errorf("%q has a unit, and this setting takes none", text)
		}
		names, size := Family(s.Unit)
		if !slices.Contains(names, unit) {
			return 0, fmt.Errorf("%q: the units are %s, written exactly so", text,
				strings.Join(names, ", "))
		}
		n = n * units[unit] / size
	}
	if s.Type == "integer" {
		n = math.RoundToEven(n)
	}
	return n, nil
}

// Refuses reports whether PostgreSQL surely does not take the value.
func (s Setting) Refuses(text string) bool {
	if s.Type == "enum" {
		normal, err := s.Normal(text)
		return err != nil || !slices.ContainsFunc(s.Enum,
			func(e string) bool { return strings.EqualFold(e, normal) })
	}
	return s.Check(text) != nil
}

// Check says why PostgreSQL would not take the value: wrong type, unit or range. It cannot tell
// everything: what is left is for PostgreSQL itself.
func (s Setting) Check(text string) error {
	normal, err := s.Normal(text)
	if err != nil {
		return err
	}
	if s.Type != "integer" && s.Type != "real" {
		return nil
	}
	n, err := strconv.ParseFloat(normal, 64)
	if err != nil {
		return err
	}
	least, errMin := strconv.ParseFloat(s.Min, 64)
	most, errMax := strconv.ParseFloat(s.Max, 64)
	if errMin == nil && n < least || errMax == nil && n > most {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			text = s.Pretty(n) // say the unit that was left out
		}
		return fmt.Errorf("%s is outside %s to %s", text, s.Pretty(least), s.Pretty(most))
	}
	return nil
}

// Pretty writes a number of the setting's unit with the largest unit that makes it whole.
func (s Setting) Pretty(n float64) string {
	plain := func(n float64) string {
		if math.Abs(n) >= 1e18 {
			return strconv.FormatFloat(n, 'g', 4, 64)
		}
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	if s.Unit == "" || n <= 0 {
		return plain(n)
	}
	names, size := Family(s.Unit)
	for _, name := range slices.Backward(names) {
		if in := n * size / units[name]; in == math.Trunc(in) {
			return plain(in) + name
		}
	}
	return plain(n) + s.Unit
}
