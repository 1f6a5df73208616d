package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/pgha/errs"
)

// addressRefuses reports rules of pg_hba.conf by which no login works through the balancers:
// sessions come from their addresses, whatever network the clients are in.
func addressRefuses(f Facts) []Finding {
	var list []Finding
	pg := f.Spec.PostgreSQL
	for _, h := range f.sqlHosts() {
		if len(h.SQL.HBARules) == 0 {
			continue
		}
		for _, b := range f.Spec.Balancers() {
			from, err := netip.ParseAddr(b.Address)
			if err != nil {
				continue
			}
			i, refused := hba.Refuser(h.SQL.HBARules, from, pg.Superuser, pg.ReplicationUser,
				pg.RewindUser)
			if !refused {
				continue
			}
			why := fmt.Sprintf("no line of pg_hba.conf lets anybody in from %s, %s", b.Name,
				b.Address)
			if i >= 0 {
				why = fmt.Sprintf("line %d of pg_hba.conf sends away whoever comes from %s, %s: %s",
					h.SQL.HBARules[i].Line, b.Name, b.Address, h.SQL.HBARules[i])
			}
			remedy := apply()
			if h.Data != nil && len(h.Data.HBAWanted) > 0 &&
				!slices.Equal(h.Data.HBA, h.Data.HBAWanted) {
				remedy = rewriteHBA(f, h)
			}
			list = append(list, Finding{ID: "address-refuses-everybody", Host: h.Name,
				Severity:    Error,
				Title:       "nobody can log in through the address",
				Consequence: "applications are refused: no pg_hba.conf entry, or one that rejects",
				Evidence:    []string{why}, Remedy: remedy,
				Advice: errs.Text(
					"to PostgreSQL, sessions through the balancers come from the balancers' " +
						"addresses: lines of postgresql.pg_hba have to let these in"),
				explains: []symptom{{"pg-hba-differs", h.Name, ""}}})
			break
		}
	}
	return list
}

// roleRights reports what Patroni's roles may not do any more. Roles and rights are the same on
// every member, so the primary's answer is enough.
func roleRights(f Facts) []Finding {
	primary := f.primary()
	if primary == nil || len(primary.SQL.Lacking) == 0 {
		return nil
	}
	found := Finding{ID: "role-lacks-right", Host: primary.Name, Severity: Error,
		Title: "a role that Patroni works with lacks a right",
		Consequence: "pg_rewind or replication fails the next time it is needed: a former leader, " +
			"or a replica that starts, is left behind",
		Evidence: primary.SQL.Lacking, Remedy: apply()}
	for _, lacks := range primary.SQL.Lacking {
		if strings.HasPrefix(lacks, "role "+f.Spec.PostgreSQL.ReplicationUser+" ") {
			found.explains = append(found.explains, symptom{id: "replication-login-fails"},
				symptom{id: "replica-not-streaming"})
		} else {
			found.explains = append(found.explains, symptom{id: "replica-on-old-timeline"})
		}
	}
	return []Finding{found}
}
