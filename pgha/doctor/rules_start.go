package doctor

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
)

// What PostgreSQL says when it doesn't start, in its own words.
var (
	wrongLine = regexp.MustCompile(
		`in file "([^"]+)" line (\d+)|line (\d+) of configuration file "([^"]+)"`)
	wrongParameter = regexp.MustCompile(
		`(?:invalid value for parameter|outside the valid range for parameter) "([A-Za-z0-9_.]+)"`)
	wrongFile = regexp.MustCompile(`configuration file "([^"]+)" contains errors`)
)

// brokenData are words of a PostgreSQL whose data no edit of a file mends.
var brokenData = []string{"checkpoint record", "checksum in control file", "global/pg_control",
	"is not a valid data directory", "database files are incompatible"}

// startFailed is a PostgreSQL that Patroni can't start. What keeps the data comes first: a copy
// from the leader is advised only where PostgreSQL says that the data is broken.
func startFailed(f Facts, h *Host) Finding {
	found := Finding{ID: "postgres-start-failed", Host: h.Name, Severity: Error,
		Title: "Patroni cannot start PostgreSQL", Consequence: "one copy of the data less",
		Evidence: append([]string{"Patroni's state: " + h.Patroni.State},
			h.journal(layout.PatroniUnit, 4)...),
		Advice: errs.Text("journalctl -u patroni says why; nothing is to be deleted for a line " +
			"in a file, a disk, a permission or too little memory"),
		explains: postgresSymptoms(h.Name)}
	if file, line := f.refusedAtStart(h); file != "" {
		if said := "journal of " + layout.PatroniUnit + ": " +
			clip(line); !slices.Contains(found.Evidence, said) {
			found.Evidence = append(found.Evidence, said)
		}
		found.Remedy, found.Advice = f.withoutLine(h, file, line)
		return found
	}
	if h.dataBroken() {
		found.Remedy, found.Advice = f.copyAnew(h)
	}
	return found
}

// refusedAtStart is the file that PostgreSQL refused at its last start, "" for none, and what it
// said of it.
func (f Facts) refusedAtStart(h *Host) (file, line string) {
	lines := h.sinceStart()
	for i, l := range slices.Backward(lines) {
		if m := wrongLine.FindStringSubmatch(l); m != nil {
			return m[1] + m[4], l
		}
		if strings.Contains(l, "LOG:  starting PostgreSQL") {
			break // what it said before, it has taken since
		}
		if m := wrongFile.FindStringSubmatch(l); m != nil {
			for _, before := range slices.Backward(lines[:i]) {
				if wrongLine.MatchString(before) || wrongParameter.MatchString(before) {
					return m[1], before
				}
			}
		}
	}
	return "", ""
}

// withoutLine makes a comment of what PostgreSQL refuses, in the files that it and operators write;
// Patroni writes the others, from what the specification says. The file is kept beside it. Only
// files that are known are named: what stands in a journal could have been put there.
func (f Facts) withoutLine(h *Host, file, line string) ([]Step, errs.Next) {
	own := []string{"postgresql.auto.conf", "postgresql.base.conf"}
	name := path.Base(file)
	if file != path.Join(f.Spec.PostgreSQL.DataDir, name) || !slices.Contains(own, name) {
		return apply(), errs.Text("Patroni writes %s from its configuration: if the "+
			"specification says what is wrong there, put that right first; %s shows where a "+
			"value comes from", name, errs.Verb(Config, "show"))
	}
	which := ""
	if m := wrongLine.FindStringSubmatch(line); m != nil {
		which = m[2] + m[3]
	} else if m := wrongParameter.FindStringSubmatch(line); m != nil {
		which = "/^[[:space:]]*" + regexp.QuoteMeta(m[1]) + "[[:space:]=]/"
	}
	return on(h.Name, fmt.Sprintf("runuser -u postgres -- sed -i.refused '%ss/^/# /' %s",
			which, file)),
		errs.Text("Patroni starts PostgreSQL again by itself; %s is the file as it was",
			name+".refused")
}

// dataBroken tells whether PostgreSQL says that its data is.
func (h *Host) dataBroken() bool {
	return slices.ContainsFunc(h.sinceStart(), func(l string) bool {
		said := slices.ContainsFunc(brokenData, func(words string) bool {
			return strings.Contains(l, words)
		})
		return said && slices.ContainsFunc([]string{"FATAL:", "PANIC:", "No such file"},
			func(word string) bool { return strings.Contains(l, word) })
	})
}

// sinceStart is Patroni's journal since PostgreSQL has last started well.
func (h *Host) sinceStart() []string {
	lines := h.Journals[layout.PatroniUnit]
	for i, l := range slices.Backward(lines) {
		if strings.Contains(l, "database system is ready to accept") {
			return lines[i+1:]
		}
	}
	return lines
}

// copyAnew is for data that is broken: while another member is the primary it has a whole copy.
func (f Facts) copyAnew(h *Host) ([]Step, errs.Next) {
	if primary := f.primary(); primary == nil || primary == h {
		return nil, errs.Text("its data is broken, and no other member is the primary to copy it " +
			"from: delete nothing; bring another member back first, or restore a backup")
	}
	return reinitialize(h), errs.Text("its data is broken; reinit copies it anew from the leader")
}

// asideWith moves a data directory aside, so that Patroni copies the cluster's from the leader:
// nothing is deleted.
func asideWith(f Facts, h *Host, id string) []Step {
	data := f.Spec.PostgreSQL.DataDir
	return on(h.Name, "systemctl stop "+layout.PatroniUnit,
		fmt.Sprintf("mv -T %s %s.of-%s", data, data, id),
		fmt.Sprintf("install -d -o postgres -g postgres -m 0700 %s", data),
		"systemctl start "+layout.PatroniUnit)
}
