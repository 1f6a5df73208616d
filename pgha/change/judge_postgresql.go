package change

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/pglocale"
	"github.com/pgha/toolkit/pgha/spec"
)

// postgresql compares what a server reads when it starts, and the data that it would find.
func (j *judge) postgresql() {
	pg := j.PostgreSQL
	j.same("postgresql.data_dir", pg.DataDir, "the data is in", func(_ spec.Host, h Host) string {
		switch used := h.dataInUse(); {
		case h.Server != nil:
			return h.Server.DataDir
		case used != "":
			return used
		}
		return ""
	})
	j.same("postgresql.version", strconv.Itoa(pg.Version), "the data belongs to version",
		func(_ spec.Host, h Host) string {
			return number(h.Data[h.dataInUse()].Version)
		})
	j.same("postgresql.port", number(pg.Port), "PostgreSQL listens on port",
		func(s spec.Host, h Host) string {
			if m, ok := j.scopeMember(s.Member); ok {
				return portOf(m.PostgreSQL)
			}
			switch {
			case h.Server != nil:
				return number(h.Server.Port)
			case h.Patroni != nil:
				return number(h.Patroni.Port)
			}
			return ""
		})
	j.same("postgresql.data_checksums", strconv.FormatBool(pg.DataChecksums), "data_checksums is",
		func(_ spec.Host, h Host) string {
			if sums := h.Data[h.dataInUse()].Checksums; sums != nil {
				return strconv.FormatBool(*sums)
			}
			return ""
		})
	j.identifiers()
}

// dataInUse is the directory that Patroni uses, "" where it has no data.
func (h Host) dataInUse() string {
	if h.Patroni != nil {
		if _, ok := h.Data[h.Patroni.DataDir]; ok {
			return h.Patroni.DataDir
		}
	}
	return ""
}

// identifiers compares the clusters that the hosts' data belongs to with the one that etcd knows:
// Patroni refuses a member with another one's data.
func (j *judge) identifiers() {
	own, ok := j.ownScope()
	if !ok || own.SystemIdentifier == "" {
		return
	}
	for _, s := range j.inUse(func(_ spec.Host, h Host) string {
		return h.Data[j.PostgreSQL.DataDir].SystemIdentifier
	}) {
		if s.value != own.SystemIdentifier {
			j.add(Refusal{Field: "postgresql.data_dir", Hosts: s.hosts,
				Problem: fmt.Sprintf(
					"%s on %s holds the data of another cluster, with the system identifier %s "+
						"in place of %s",
					j.PostgreSQL.DataDir, strings.Join(s.hosts, ", "), s.value,
					own.SystemIdentifier),
				Way: fmt.Sprintf(
					"if nobody needs it, move it away there (mv %[1]s %[1]s.old): the member is "+
						"then copied from the leader", j.PostgreSQL.DataDir)})
		}
	}
}

// databases compares what was chosen when the cluster was made with what PostgreSQL says of itself;
// where it says nothing, the names of the roles are those in Patroni's file.
func (j *judge) databases() {
	pg := j.PostgreSQL
	j.same("postgresql.encoding", pglocale.Encoding(pg.Encoding), "the encoding is",
		func(_ spec.Host, h Host) string {
			if h.Databases == nil {
				return ""
			}
			return pglocale.Encoding(h.Databases.Encoding)
		})
	j.same("postgresql.locale", pglocale.Locale(pg.Locale), "the locale is",
		func(_ spec.Host, h Host) string {
			if h.Databases == nil {
				return ""
			}
			return pglocale.Locale(h.Databases.Locale)
		})
	for _, role := range []struct {
		field, wanted string
		used          func(Patroni) string
	}{
		{"postgresql.superuser", pg.Superuser, func(p Patroni) string { return p.Superuser }},
		{"postgresql.replication_user", pg.ReplicationUser,
			func(p Patroni) string { return p.Replication }},
		{"postgresql.rewind_user", pg.RewindUser, func(p Patroni) string { return p.Rewind }},
	} {
		j.same(role.field, role.wanted, "the role is", func(_ spec.Host, h Host) string {
			if h.Patroni == nil || h.Databases != nil &&
				slices.Contains(h.Databases.Roles, role.wanted) {
				return ""
			}
			return role.used(*h.Patroni)
		})
	}
}
