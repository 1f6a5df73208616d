package doctor

import (
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
)

// refused are values of the specification that the cluster does not have and that apply will not
// give it. What else differs is reported beside it: files would follow a specification that is
// wrong.
func refused(f Facts) []Finding {
	var list []Finding
	for _, r := range f.Refused {
		list = append(list, Finding{
			ID: "specification-refused", Host: r.Host, Subject: r.Field, Severity: Error,
			Title: "the specification is not of the cluster that runs: " + r.Field,
			Consequence: "apply and plan refuse it, so no change gets through; a member that was " +
				"restarted with it would not come back to the others",
			Evidence: []string{r.Text()},
			Advice:   r.Remedy,
			explains: followsWrongSpecification(),
		})
	}
	return list
}

// followsWrongSpecification are what the other rules come to when they look for the cluster where
// it is not.
func followsWrongSpecification() []symptom {
	var list []symptom
	for _, id := range []string{
		"etcd-member-unknown", "etcd-member-missing", "etcd-not-answering", "etcd-quorum-lost",
		"wrong-system-identifier",
		"patroni-not-answering", "postgres-not-answering", "replication-login-fails", "no-primary",
		"port-blocked",
		"pg-hba-differs", "pgpass-differs", "etcd-config-differs", "patroni-config-differs",
		"haproxy-config-differs",
		"keepalived-config-differs", "file-differs", "settings-differ",
	} {
		list = append(list, symptom{id: id})
	}
	return list
}

// refusedLines are lines of PostgreSQL's files that it does not take. Those of pg_hba.conf have a
// rule of their own.
func refusedLines(f Facts) []Finding {
	var list []Finding
	for _, h := range f.sqlHosts() {
		lines := slices.DeleteFunc(slices.Clone(h.SQL.Refused),
			func(l string) bool { return strings.Contains(l, " of pg_hba.conf: ") })
		if len(lines) == 0 {
			continue
		}
		list = append(list, Finding{ID: "settings-invalid", Host: h.Name, Severity: Error,
			Title: "PostgreSQL refuses what stands in its files",
			Consequence: "it keeps what it read before, and does not start with these lines: the " +
				"next restart ends it",
			Evidence: lines,
			Advice: errs.Text("put right what the line says: %s, the specification, "+
				"or ALTER SYSTEM RESET for postgresql.auto.conf", errs.Verb(Config, "set")),
			explains: []symptom{{"settings-differ", h.Name, ""},
				{"settings-altered-by-hand", h.Name, ""},
				{"restart-pending", h.Name, ""}}})
	}
	return list
}
