package doctor

// refused are values of the specification that the cluster does not have and that apply will not give it. What else differs
// is told beside it: files would follow a specification that is wrong.
func refused(f Facts) []Finding {
	var list []Finding
	for _, r := range f.Refused {
		list = append(list, Finding{
			ID: "specification-refused", Host: r.Host, Subject: r.Field, Severity: Error,
			Title:       "the specification is not of the cluster that runs: " + r.Field,
			Consequence: "apply and plan refuse it, so no change gets through; a member that was restarted with it would not come back to the others",
			Evidence:    []string{r.Problem},
			Advice:      r.Remedy,
			explains:    followsWrongSpecification(),
		})
	}
	return list
}

// followsWrongSpecification are what the other rules come to when they look for the cluster where it is not.
func followsWrongSpecification() []symptom {
	var list []symptom
	for _, id := range []string{
		"etcd-member-unknown", "etcd-member-missing", "etcd-not-answering", "etcd-quorum-lost", "wrong-system-identifier",
		"patroni-not-answering", "postgres-not-answering", "replication-login-fails", "no-primary", "port-blocked",
		"pg-hba-differs", "pgpass-differs", "etcd-config-differs", "patroni-config-differs", "haproxy-config-differs",
		"keepalived-config-differs", "file-differs", "settings-differ",
	} {
		list = append(list, symptom{id: id})
	}
	return list
}
