package doctor

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/layout"
)

func permissions(f Facts) []Finding {
	var list []Finding
	for _, h := range f.members() {
		for _, p := range []struct {
			id, path, owner, title, consequence string
			modes                               []string
			explains                            []symptom
		}{
			{"data-directory-permissions", f.Spec.PostgreSQL.DataDir, "postgres",
				"PostgreSQL's data directory has a wrong owner or mode",
				"PostgreSQL refuses to start: the next restart or failover fails",
				[]string{"700", "750"},
				databaseSymptoms(h.Name)},
			{"etcd-data-permissions", f.Spec.Etcd.DataDir, "etcd",
				"etcd's data directory has a wrong owner or mode",
				"etcd cannot open it at its next start, and a vote is lost", []string{"700", "750"},
				etcdSymptoms(h.Name)},
			{"pgpass-permissions", layout.PasswordFile, "postgres",
				"the password file has a wrong owner or mode",
				"libpq ignores a password file that others may read: replicas cannot connect, " +
					"pg_rewind fails",
				[]string{"600", "400"},
				append(postgresSymptoms(h.Name), symptom{"pgpass-differs", h.Name, ""},
					symptom{"configuration-not-loaded", h.Name, layout.PatroniUnit})},
		} {
			file, ok := h.Files[p.path]
			if !ok || file.Owner == p.owner && slices.Contains(p.modes, file.Mode) {
				continue
			}
			found := Finding{ID: p.id, Host: h.Name, Severity: Error, Title: p.title,
				Consequence: p.consequence,
				Evidence: []string{fmt.Sprintf("%s: mode %s, owner %s; right is %s, %s", p.path,
					file.Mode, file.Owner, p.modes[0], p.owner)},
				Remedy: on(h.Name, fmt.Sprintf("chown %s:%s %s && chmod 0%s %s", p.owner, p.owner,
					p.path, p.modes[0], p.path)),
				explains: append(p.explains, symptom{"file-differs", h.Name, p.path})}
			if p.path == layout.PasswordFile {
				found.Remedy = apply() // which looks at its content, too
			}
			list = append(list, found)
		}
	}
	return list
}

// invalidConfigurations are files that the program which reads them refuses.
func invalidConfigurations(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		if h.Data.ConfigError == "" {
			continue
		}
		list = append(list, Finding{ID: "patroni-config-invalid", Host: h.Name,
			Subject: "/etc/patroni/config.yml", Severity: Error,
			Title: "Patroni's configuration cannot be read",
			Consequence: "Patroni keeps what it read last and cannot start again: after its next " +
				"stop PostgreSQL stays down",
			Evidence: append([]string{"/etc/patroni/config.yml: " + h.Data.ConfigError},
				h.journal(layout.PatroniUnit, 2)...),
			Remedy: startAfterApply(h, layout.PatroniUnit),
			explains: append(databaseSymptoms(h.Name),
				symptom{"patroni-config-differs", h.Name, ""},
				symptom{"unit-stopped", h.Name, ""}, symptom{"pg-hba-differs", h.Name, ""},
				symptom{"pg-hba-no-local-replication", h.Name, ""})})
	}
	for _, h := range f.balancers() {
		if h.HAProxy.ConfigError == "" {
			continue
		}
		list = append(list, Finding{ID: "haproxy-config-invalid", Host: h.Name,
			Subject: "/etc/haproxy/haproxy.cfg", Severity: Error,
			Title:       "HAProxy's configuration is invalid",
			Consequence: "HAProxy goes on with what it read last, but cannot start again",
			Evidence: append([]string{"haproxy -c: " + h.HAProxy.ConfigError},
				h.journal(layout.HAProxyUnit, 2)...),
			Remedy: startAfterApply(h, layout.HAProxyUnit),
			explains: append(balancerSymptoms(h.Name),
				symptom{"haproxy-config-differs", h.Name, ""},
				symptom{"unit-stopped", h.Name, layout.HAProxyUnit})})
	}
	return list
}

// startAfterApply puts the file right; a unit that systemd starts again and again, or has given up,
// is stopped first, so that apply meets it in one state.
func startAfterApply(h *Host, unit string) []Step {
	var steps []Step
	if !h.active(unit) {
		steps = on(h.Name, "systemctl stop "+unit+"; systemctl reset-failed "+unit)
	}
	return append(steps, apply()...)
}

// configurationID names the finding for a file that differs from what apply would write.
func configurationID(path string) string {
	switch path {
	case layout.PasswordFile:
		return "pgpass-differs"
	case "/etc/etcd/etcd.env":
		return "etcd-config-differs"
	case "/etc/patroni/config.yml":
		return "patroni-config-differs"
	case "/etc/haproxy/haproxy.cfg":
		return "haproxy-config-differs"
	case "/etc/keepalived/keepalived.conf":
		return "keepalived-config-differs"
	}
	return "file-differs"
}

// configurationFiles are files that somebody has changed or removed since the last apply, or that
// the specification has outgrown.
func configurationFiles(f Facts) []Finding {
	var list []Finding
	for _, ch := range f.Drift {
		if ch.Kind != "file" && ch.Kind != "directory" || strings.HasSuffix(ch.Name, "ca.crt") {
			continue
		}
		found := Finding{ID: configurationID(ch.Name), Host: ch.Host, Subject: ch.Name,
			Severity: Warning,
			Title:    ch.Name + " is not what the specification asks for",
			Consequence: "what runs may still have the old file: the difference shows at the " +
				"next reload, restart or failover",
			Evidence: driftEvidence(ch), Remedy: apply(),
			Advice: errs.Text("if the change was meant, put it into the specification: apply " +
				"overwrites it"),
			explains: []symptom{{"configuration-not-loaded", ch.Host, ""}}}
		h := f.host(ch.Host)
		switch found.ID {
		case "pgpass-differs":
			found.Severity = Error
			found.Title = "the password file of Patroni is missing or has other passwords"
			found.Consequence = "replicas cannot connect to the primary, nor can pg_rewind"
			found.explains = append(found.explains, postgresSymptoms(ch.Host)...)
		case "etcd-config-differs":
			found.explains = append(found.explains, symptom{"etcd-initial-state-new", ch.Host, ""})
			found.explains = append(found.explains,
				h.blamed(layout.EtcdUnit, ch, etcdSymptoms(ch.Host))...)
			if h != nil && h.Data != nil && h.Data.InitialState == "new" {
				continue // it is reported by its own name
			}
		case "patroni-config-differs":
			found.explains = append(found.explains,
				h.blamed(layout.PatroniUnit, ch, databaseSymptoms(ch.Host))...)
		case "haproxy-config-differs":
			found.explains = append(found.explains, symptom{"backend-down", "", ""})
			found.explains = append(found.explains,
				h.blamed(layout.HAProxyUnit, ch, balancerSymptoms(ch.Host))...)
		case "keepalived-config-differs":
			found.explains = append(found.explains, symptom{"virtual-ip-twice", "", ""})
			found.explains = append(found.explains,
				h.blamed(layout.KeepalivedUnit, ch, keepalivedSymptoms(ch.Host))...)
		}
		list = append(list, found)
	}
	return list
}

// blamed returns the symptoms of a program that failed if its journal speaks of the file that
// differs: of its configuration, or of a value that somebody wrote into it. Else the difference is
// beside the point, and the trouble has a cause of its own.
func (h *Host) blamed(unit string, ch Difference, symptoms []symptom) []symptom {
	if h == nil {
		return nil
	}
	words := []string{"config", path.Base(ch.Name)}
	for line := range strings.Lines(ch.Diff) {
		if strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "---") {
			words = append(words,
				strings.FieldsFunc(line[1:], func(r rune) bool {
					return strings.ContainsRune(" \t\n\"',=[]", r)
				})...)
		}
	}
	words = slices.DeleteFunc(words, func(w string) bool { return len(w) < minWord })
	for _, l := range h.journal(unit, journalLines) {
		_, said, _ := strings.Cut(l, "]: ") // what stands before it names host and program
		said = strings.ToLower(said)
		if slices.ContainsFunc(words, func(w string) bool {
			return strings.Contains(said, strings.ToLower(w))
		}) {
			return symptoms
		}
	}
	return nil
}

const (
	// minWord is how long a word must be to mean something in a journal: "on" and "5" are
	// everywhere.
	minWord = 4
	// journalLines are more than a look holds of one unit.
	journalLines = 100
)

// driftEvidence shows the lines that differ.
func driftEvidence(ch Difference) []string {
	if ch.Action == "created" {
		return []string{ch.Name + " does not exist"}
	}
	evidence := []string{fmt.Sprintf("%s: would be %s by apply", ch.Name, ch.Action)}
	for line := range strings.Lines(ch.Diff) {
		line = strings.TrimRight(line, "\n")
		if len(line) < 2 || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "+++") {
			continue
		}
		switch line[0] {
		case '-':
			evidence = append(evidence, "there: "+clip(strings.TrimSpace(line[1:])))
		case '+':
			evidence = append(evidence, "right: "+clip(strings.TrimSpace(line[1:])))
		}
		if len(evidence) > 6 {
			return append(evidence, "...")
		}
	}
	return evidence
}

// drifted are differences that are no files.
func drifted(f Facts) []Finding {
	var list []Finding
	for _, ch := range f.Drift {
		switch {
		case ch.Kind == "setting":
			list = append(list, Finding{ID: "settings-differ", Subject: ch.Name, Severity: Warning,
				Title: "the cluster's " + ch.Name + " is not what the specification says",
				Consequence: "the dynamic configuration in etcd counts; a new cluster of this " +
					"specification would behave differently",
				Evidence: driftEvidence(ch), Remedy: apply(),
				Advice: errs.Text("%s has every setting of which there are two truths",
					errs.Verb(Config, "show"))})
		case ch.Kind == "unit" && (ch.Action == "restarted" || ch.Action == "reloaded"):
			list = append(list, Finding{ID: "configuration-not-loaded", Host: ch.Host,
				Subject:     ch.Name,
				Severity:    Warning,
				Title:       ch.Name + " runs with an older configuration than its files",
				Consequence: "it will behave differently after its next start",
				Evidence:    []string{"apply would have it " + ch.Action}, Remedy: apply()})
		}
	}
	return list
}

// hbaFiles compares pg_hba.conf with what Patroni was told to write.
func hbaFiles(f Facts) []Finding {
	var list []Finding
	for _, h := range f.databases() {
		d := h.Data
		if len(d.HBA) == 0 || len(d.HBAWanted) == 0 || slices.Equal(d.HBA, d.HBAWanted) {
			continue
		}
		path := f.Spec.PostgreSQL.DataDir + "/pg_hba.conf"
		missing := slices.DeleteFunc(slices.Clone(d.HBAWanted),
			func(l string) bool { return slices.Contains(d.HBA, l) })
		added := slices.DeleteFunc(slices.Clone(d.HBA),
			func(l string) bool { return slices.Contains(d.HBAWanted, l) })
		found := Finding{ID: "pg-hba-differs", Host: h.Name, Subject: path, Severity: Warning,
			Title: "pg_hba.conf was changed by hand",
			Consequence: "the change is gone after PostgreSQL's next start, and other members do " +
				"not have it",
			Remedy: rewriteHBA(f, h),
			Advice: errs.Text("a line that is needed belongs into the specification, so that " +
				"every member has it")}
		for _, l := range missing {
			found.Evidence = append(found.Evidence, "missing: "+l)
		}
		for _, l := range added {
			found.Evidence = append(found.Evidence, "added: "+l)
		}
		if len(found.Evidence) == 0 {
			found.Evidence = []string{"the lines stand in another order, and the first that fits " +
				"counts"}
		}
		if h.SQL != nil && len(h.SQL.HBAErrors) > 0 {
			found.ID, found.Severity, found.Title = "pg-hba-invalid", Error,
				"pg_hba.conf has a line that PostgreSQL refuses"
			found.Consequence = "PostgreSQL keeps the rules it read last and does not start " +
				"with these"
			found.Evidence = append(h.SQL.HBAErrors, found.Evidence...)
		}
		local := func(l string) bool {
			return strings.Contains(l, "replication") && strings.Contains(l, "127.0.0.1")
		}
		if slices.ContainsFunc(missing, local) {
			found.ID, found.Severity, found.Title = "pg-hba-no-local-replication", Error,
				"pg_hba.conf lacks the replication line for 127.0.0.1"
			found.Consequence = "all looks well until the next failover: then this member, once " +
				"it was the leader, never streams again, and the failover after that finds no " +
				"candidate"
		}
		found.explains = []symptom{{"replication-login-fails", h.Name, ""},
			{"replica-not-streaming", "", ""},
			{"postgres-not-answering", h.Name, ""}}
		list = append(list, found)
	}
	return list
}

// rewriteHBA writes the lines of Patroni's configuration again, which Patroni itself does only when
// PostgreSQL starts.
func rewriteHBA(f Facts, h *Host) []Step {
	dir := f.Spec.PostgreSQL.DataDir
	return on(h.Name,
		fmt.Sprintf(
			`lines=$(python3 -c 'import yaml; print("\n".join(yaml.safe_load(open("/etc/patroni/config.yml"))["postgresql"]["pg_hba"]))') && printf '%%s\n' "$lines" > %s/pg_hba.conf`, dir),
		fmt.Sprintf("runuser -u postgres -- /usr/lib/postgresql/%d/bin/pg_ctl reload -D %s",
			f.Spec.PostgreSQL.Version, dir))
}
