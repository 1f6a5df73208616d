package trial

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pgsetting"
)

// Fault is something that speaks against a server's settings or rules.
type Fault struct {
	// Setting is its name in lower case; "" for a rule, or where nobody can tell which it is.
	Setting string
	// Rule is the line of Server.Rules, "" for none.
	Rule string
	// Problem says what happens, with the server's own words where it has said some.
	Problem string
	// Remedy says what to do about it.
	Remedy string
}

// Judge says what speaks against s by what its host has answered, where changed are the settings
// that the present server has otherwise. What is so already is no fault of the change, and left
// out.
func Judge(s Server, changed []string, a Answer) []Fault {
	var found []Fault
	f, tooMuch := s.memory(a, changed)
	if tooMuch {
		found = append(found, f)
	}
	for _, c := range a.Complaints {
		if !tooMuch || !strings.Contains(c.Text, "shared memory") {
			found = append(found, s.complaint(c, changed))
		}
	}
	for _, n := range s.needs() {
		if slices.Contains(a.Lacks, n.kind+" "+n.path) &&
			(s.New || slices.Contains(changed, n.setting)) {
			found = append(found, n.fault())
		}
	}
	return found
}

// complaint lays a message to a setting or a rule.
func (s Server) complaint(c Complaint, changed []string) Fault {
	f := Fault{Problem: "PostgreSQL does not start with it: " + c.Text,
		Remedy: "give a value that it takes"}
	if strings.HasPrefix(c.Text, "invalid ") {
		f.Problem = "PostgreSQL does not take it: " + c.Text
	}
	switch names := s.names(); {
	case strings.HasSuffix(c.File, ".hba") && c.Line > 0 && c.Line <= len(s.Rules):
		f.Rule = s.Rules[c.Line-1]
		f.Problem, f.Remedy = "PostgreSQL does not take the rule: "+c.Text,
			"put the rule right, or delete it"
		return f
	case strings.HasSuffix(c.File, ".ident"):
		f.Problem, f.Remedy = "PostgreSQL does not take a line of pg_ident: "+c.Text, "put it right"
		return f
	case strings.HasSuffix(c.File, ".conf") && c.Line > 1 && c.Line-2 < len(names):
		f.Setting = names[c.Line-2]
	default:
		f.Setting = s.blamed(c.Text, changed)
	}
	switch {
	case strings.Contains(c.Text, "could not access file") &&
		slices.Contains([]string{"shared_preload_libraries", ""}, f.Setting):
		f.Setting, f.Remedy = "shared_preload_libraries",
			"install the library on every database host first, or take it out of the list"
	case f.Setting == "":
		f.Problem += " (what changes: " + strings.Join(changed, ", ") + ")"
	case strings.Contains(c.Text, "No such file"):
		f.Remedy = "put the file there on every database host first, where user postgres can " +
			"read it"
	}
	return f
}

// blamed finds the setting that a message is about: by its name in quotes, by its value, or by its
// name among the words. Those that changed come first, and a single one is it in the end.
func (s Server) blamed(text string, changed []string) string {
	names := append(slices.Clone(changed), s.names()...)
	lower := strings.ToLower(text)
	for _, name := range names {
		if strings.Contains(lower, `"`+name+`"`) {
			return name
		}
	}
	for _, name := range names {
		for part := range strings.SplitSeq(s.Settings[name], ",") {
			if part = strings.Trim(part, ` "`); len(part) > 3 && strings.Contains(text, part+`"`) {
				return name
			}
		}
	}
	for _, name := range names {
		if strings.Contains(name, "_") && slices.Contains(strings.FieldsFunc(lower,
			func(r rune) bool { return r != '_' && r != '.' && !('a' <= r && r <= 'z') }), name) {
			return name
		}
	}
	if len(changed) == 1 {
		return changed[0]
	}
	return ""
}

// sizes are the settings that the size of shared memory comes from, the most likely first.
var sizes = []string{"shared_buffers", "min_dynamic_shared_memory", "max_connections",
	"wal_buffers", "max_prepared_transactions",
	"max_locks_per_transaction", "max_pred_locks_per_transaction", "max_wal_senders",
	"max_worker_processes",
	"track_activity_query_size"}

// memory compares what the server would ask for with what the host can give at all.
func (s Server) memory(a Answer, changed []string) (Fault, bool) {
	asks := a.SharedMemory * 1024 // kB
	if asks == 0 {
		asks = s.buffers()
	}
	setting := ""
	for _, name := range sizes {
		if slices.Contains(changed, name) {
			setting = name
			break
		}
	}
	have, of := a.Memory["MemTotal"], "the host's memory"
	if limit := a.Memory["CommitLimit"]; a.Memory["Overcommit"] == 2 && limit > 0 && limit < have {
		have, of = limit, "what the host lends (vm.overcommit_memory is 2)"
	}
	if setting != "" && have > 0 && asks > have {
		return Fault{Setting: setting,
			Problem: fmt.Sprintf(
				"PostgreSQL does not start with it: it asks for %d MB of shared memory, and %s "+
					"is %d MB",
				asks/1024, of, have/1024),
			Remedy: fmt.Sprintf("a quarter of the memory, %d MB, is a good value of shared_buffers",
				have/1024/4)}, true
	}
	pages, size := a.Memory["HugePages_Total"], a.Memory["Hugepagesize"]
	if strings.EqualFold(s.Settings["huge_pages"], "on") &&
		(setting != "" || slices.Contains(changed, "huge_pages")) && size > 0 &&
		(asks+size-1)/size > pages {
		return Fault{Setting: "huge_pages",
			Problem: fmt.Sprintf(
				"PostgreSQL does not start with it: it asks for %d huge pages of %d kB, and the "+
					"host has %d",
				(asks+size-1)/size, size, pages),
			Remedy: fmt.Sprintf(
				"write huge_pages: try, or set vm.nr_hugepages to %d or more on every database "+
					"host first",
				(asks+size-1)/size)}, true
	}
	return Fault{}, false
}

// buffers is shared_buffers in kB, for a version that does not tell more.
func (s Server) buffers() int {
	b := pgsetting.Of(s.Version)["shared_buffers"]
	n, err := b.Number(s.Settings["shared_buffers"])
	if err != nil {
		return 0
	}
	_, page := pgsetting.Family(b.Unit)
	return int(n * page / 1024)
}

// fault says what is missing.
func (n need) fault() Fault {
	f := Fault{Setting: n.setting}
	switch n.kind {
	case "x":
		f.Problem = fmt.Sprintf("there is no program %s that user postgres can run: %s", n.path,
			n.effect)
		f.Remedy = "install it on every database host first"
	case "w":
		f.Problem = fmt.Sprintf("user postgres can neither write to %s nor make it: %s", n.path,
			n.effect)
		f.Remedy = "make it on every database host first: install -d -o postgres -g postgres " +
			"-m 0700 " +
			n.path
	default:
		f.Problem = fmt.Sprintf("there is no %s that user postgres can read: %s", n.path, n.effect)
		f.Remedy = "put it there on every database host first"
		if path.Ext(n.path) == ".so" {
			f.Problem = fmt.Sprintf("there is no library %s: %s", n.path, n.effect)
			f.Remedy = "install it on every database host first, or take it out of the list"
		}
	}
	return f
}
