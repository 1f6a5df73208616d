package trial

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Answer is what Command has printed.
type Answer struct {
	// Tried is false where the host has no PostgreSQL of the version.
	Tried bool
	// Broken says why a server could not be tried at all; "" else.
	Broken string
	// Complaints are what the server says against the settings and rules, without what it says
	// against the present ones as well: that is not because of the change, and may be what the
	// change is to mend.
	Complaints []Complaint
	// Known are the complaints that were left out for that.
	Known []Complaint
	// SharedMemory is what the server would ask for, in MiB; 0 where it did not get that far.
	SharedMemory int
	// Lacks are the paths that were not found, each "KIND PATH".
	Lacks []string
	// Memory are figures of /proc/meminfo, in kB or pages, and "Overcommit", as in
	// /proc/sys/vm/overcommit_memory.
	Memory map[string]int
}

// Complaint is one message of the server's.
type Complaint struct {
	// Text is the message with what the server adds to it.
	Text string
	// File is "wanted.conf", "wanted.hba", ... and Line counts from 1; "" and 0 for none.
	File string
	Line int
	// about is set for what is surely about settings or rules.
	about bool
}

// Read reads what Command has printed.
func Read(output string) Answer {
	parts := sections(output)
	if _, tried := parts["memory"]; !tried {
		return Answer{}
	}
	a := Answer{Tried: true, Broken: strings.TrimSpace(parts["broken"]),
		Memory: readMemory(parts["memory"])}
	for line := range strings.Lines(parts["lacks"]) {
		a.Lacks = append(a.Lacks, strings.TrimSuffix(line, "\n"))
	}
	a.SharedMemory = lastNumber(parts["settings"])
	if strings.Contains(parts["start"], started) || strings.Contains(parts["start"], skipped) {
		a.Complaints = ignored(parts["start"])
		return a
	}
	said := complaints(parts["settings"] + parts["start"])
	var known []Complaint
	if !strings.Contains(parts["present-start"], started) {
		known = complaints(parts["present-settings"] + parts["present-start"])
	}
	for _, c := range said {
		if slices.ContainsFunc(known, func(k Complaint) bool { return k.Text == c.Text }) {
			a.Known = append(a.Known, c)
		} else {
			a.Complaints = append(a.Complaints, c)
		}
	}
	if len(said) == 0 && a.Broken == "" {
		a.Broken = "PostgreSQL ended without a reason"
	}
	return a
}

// started is the end of a server that has taken everything: there is no WAL for it.
const started = `required WAL directory "pg_wal" does not exist`

// skipped is what the script says instead of a start that would take too much memory beside the
// server that runs.
const skipped = "not started, for its memory"

// ignored finds settings of libraries that a server has started without, because it does not take
// them.
func ignored(text string) []Complaint {
	var found []Complaint
	for line := range strings.Lines(text) {
		if m := message.FindStringSubmatch(line); m != nil && m[1] == "WARNING" &&
			strings.HasPrefix(m[2], "invalid ") && strings.Contains(m[2], "parameter") {
			found = append(found, Complaint{Text: m[2]})
		}
	}
	return found
}

func readMemory(text string) map[string]int {
	found := map[string]int{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			number, _, _ := strings.Cut(strings.TrimSpace(value), " ")
			if n, err := strconv.Atoi(number); err == nil {
				found[name] = n
			}
		}
	}
	return found
}

// lastNumber is the last line that is a number alone.
func lastNumber(text string) int {
	last := 0
	for line := range strings.Lines(text) {
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			last = n
		}
	}
	return last
}

var (
	// message is a line of the server's log, behind whatever prefix.
	message = regexp.MustCompile(
		`(postgres|LOG|WARNING|ERROR|FATAL|PANIC|HINT|DETAIL|CONTEXT): +(.*)`)
	// inFile is where a setting stands, inRules where a rule does.
	inFile  = regexp.MustCompile(` in file "([^"]*)" line (\d+)`)
	inRules = regexp.MustCompile(`line (\d+) of configuration file "([^"]*)"`)
)

// ordinary are beginnings of what a server says that is well, or that only says again that it is
// not.
var ordinary = []string{
	"skipping missing configuration file", "starting PostgreSQL", "listening on ",
	"database system was ", "database system is ", `required WAL directory "pg_wal" does not exist`,
	"startup process (PID", "terminating any other active", "shutting down", "aborting startup",
	"hostssl record cannot match", "hostgssenc record cannot match", "redirecting log output",
	"ending log output",
}

// again are the last words of a server that has said before what is wrong.
var again = regexp.MustCompile(
	`^configuration file ".*" contains errors$|^could not load .*\.(hba|ident)$|^could not create any Unix-domain sockets$`)

// complaints finds what a server has against its settings and rules. A warning is none, nor is what
// a library says about itself.
func complaints(text string) []Complaint {
	var found, plain []Complaint // plain: the words of a server that says nothing better
	var last *Complaint
	for line := range strings.Lines(text) {
		m := message.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		kind, words := m[1], m[2]
		if kind == "HINT" || kind == "DETAIL" || kind == "CONTEXT" {
			if last != nil {
				last.add(kind, words)
			}
			continue
		}
		if last != nil && last.about {
			found = append(found, *last)
		}
		last = nil
		switch {
		case kind == "WARNING" || slices.ContainsFunc(ordinary,
			func(o string) bool { return strings.HasPrefix(words, o) }):
		case again.MatchString(words):
			plain = append(plain, newComplaint(words))
		default:
			c := newComplaint(words)
			c.about = c.about || kind != "LOG"
			last = &c
		}
	}
	if last != nil && last.about {
		found = append(found, *last)
	}
	if len(found) == 0 {
		found = plain
	}
	return slices.Compact(found)
}

func newComplaint(words string) Complaint {
	c := Complaint{Text: words, about: strings.Contains(words, `parameter "`) ||
		strings.HasSuffix(words, " does not exist")}
	if m := inFile.FindStringSubmatch(words); m != nil {
		c.Text = strings.Replace(words, m[0], "", 1)
		c.File, c.about = m[1], true
		c.Line, _ = strconv.Atoi(m[2])
	}
	return c
}

// add takes in a line that belongs to the message before it.
func (c *Complaint) add(kind, words string) {
	if m := inRules.FindStringSubmatch(words); m != nil && kind == "CONTEXT" {
		c.File, c.about = m[2], true
		c.Line, _ = strconv.Atoi(m[1])
		return
	}
	if kind != "CONTEXT" {
		c.Text += "; " + words
	}
}
