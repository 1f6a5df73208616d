// Package output reads what programs on a host print: one reader for each program, for everybody
// who asks it. What a reader does not understand it leaves out.
package output

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// KeyValues reads lines of KEY=value or KEY="value".
func KeyValues(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			m[k] = strings.Trim(v, `"`)
		}
	}
	return m
}

// Units reads what systemctl show prints of several units: the properties of each, by its Id. Units
// without an Id are left out.
func Units(text string) map[string]map[string]string {
	units := map[string]map[string]string{}
	for block := range strings.SplitSeq(text, "\n\n") {
		if kv := KeyValues(block); kv["Id"] != "" {
			units[kv["Id"]] = kv
		}
	}
	return units
}

// Control is what PostgreSQL's control file says of a data directory; all zero when there is none.
type Control struct {
	Identifier string
	State      string
	Timeline   int64
	Checkpoint uint64 // position of the latest one in the WAL
}

// ControlData reads what pg_controldata prints.
func ControlData(text string) Control {
	var c Control
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Database system identifier":
			c.Identifier = value
		case "Database cluster state":
			c.State = value
		case "Latest checkpoint's TimeLineID":
			c.Timeline, _ = strconv.ParseInt(value, 10, 64)
		case "Latest checkpoint location":
			high, low, _ := strings.Cut(value, "/")
			h, _ := strconv.ParseUint(high, 16, 32)
			l, _ := strconv.ParseUint(low, 16, 32)
			c.Checkpoint = h<<32 | l
		}
	}
	return c
}

// Primary tells whether the server took writes when it stopped, in whatever way.
func (c Control) Primary() bool {
	return slices.Contains([]string{"shut down", "shutting down", "in production",
		"in crash recovery"}, c.State)
}

// Ahead tells whether a data directory has what other lacks, as far as control files tell: a later
// timeline, or on the same one the writes of the primary.
func (c Control) Ahead(other Control) bool {
	if c.Timeline != other.Timeline {
		return c.Timeline > other.Timeline
	}
	if c.Primary() != other.Primary() {
		return c.Primary()
	}
	return c.Checkpoint > other.Checkpoint
}

// Listener is a process that listens on a TCP port; Program is "" where ss did not say.
type Listener struct {
	Port    int
	Program string
	PID     int
}

var process = regexp.MustCompile(`\(\("([^"]+)",pid=(\d+)`)

// Port is the port of an address such as "[::]:8008"; false where there is none that a port can be.
func Port(address string) (int, bool) {
	n, err := strconv.ParseUint(address[strings.LastIndexByte(address, ':')+1:], 10, 16)
	return int(n), err == nil
}

// Listeners reads what ss -H -ltnp prints.
func Listeners(text string) []Listener {
	var list []Listener
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		port, ok := Port(f[3])
		if !ok {
			continue
		}
		l := Listener{Port: port}
		if m := process.FindStringSubmatch(line); m != nil {
			l.Program = m[1]
			l.PID, _ = strconv.Atoi(m[2])
		}
		list = append(list, l)
	}
	return list
}
