package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/internal/pgsetting"
)

// hba returns the lines of pg_hba.conf: PostgreSQL takes the first that matches.
//
// They live in config.yml and not in the DCS, so that a plan shows their difference, an emptied DCS
// cannot lose them, and anyone who may write to the DCS cannot open a door with them.
func (o Options) hba() []string {
	superuser, replication, rewind := hbaName(o.Superuser.Username),
		hbaName(o.Replication.Username),
		hbaName(o.Rewind.Username)
	var lines []string
	if o.Superuser.Username != "postgres" {
		// Patroni runs as the system's postgres, which is not this role's name.
		lines = append(lines, "local all "+superuser+" peer map="+identMap)
	}
	lines = append(lines, "local all all peer")
	// Patroni opens a local replication connection before it lets a former primary rejoin: without
	// this line everything looks well until the first failover.
	for _, loopback := range o.loopbacks() {
		lines = append(lines, "hostssl replication "+replication+" "+loopback+" scram-sha-256")
	}
	for _, m := range o.Members {
		lines = append(lines, "hostssl replication "+replication+" "+hostCIDR(m.Address)+
			" scram-sha-256")
	}
	if o.syncsSlots() {
		for _, m := range o.Members {
			lines = append(lines, "hostssl "+conninfoDatabase+" "+replication+" "+
				hostCIDR(m.Address)+" scram-sha-256")
		}
	}
	for _, m := range o.Members {
		lines = append(lines, "hostssl all "+rewind+" "+hostCIDR(m.Address)+" scram-sha-256")
	}
	// These two work for the members only, whatever networks applications come from.
	lines = append(lines, "host all "+replication+","+rewind+" all reject")
	// The toolkit itself logs in from the cluster's own hosts, directly and through the balancers.
	for _, network := range o.ownNetworks() {
		lines = append(lines, "hostssl all "+superuser+" "+network+" scram-sha-256")
	}
	lines = append(lines, o.rules()...)
	for _, loopback := range o.loopbacks() {
		lines = append(lines, "hostssl all all "+loopback+" scram-sha-256")
	}
	for _, cidr := range o.ApplicationCIDRs {
		lines = append(lines, "hostssl all all "+cidr+" scram-sha-256")
	}
	return lines
}

// conninfoDatabase is the database that Patroni writes into primary_conninfo.
const conninfoDatabase = "postgres"

// syncsSlots tells whether replicas copy the leader's failover slots (sync_replication_slots,
// PostgreSQL 17 and later). Their worker logs in as the replication role, but with an ordinary
// session to the database of primary_conninfo, which no line for replication lets in; it then tries
// for ever, and tells only the log.
func (o Options) syncsSlots() bool {
	value := o.parameters()["sync_replication_slots"]
	return value != nil && pgsetting.Setting{Type: "bool"}.Same(fmt.Sprint(value), "on")
}

// ownNetworks are the addresses of the cluster's hosts, each once.
func (o Options) ownNetworks() []string {
	networks := o.loopbacks()
	for _, m := range o.Members {
		networks = append(networks, hostCIDR(m.Address))
	}
	for _, address := range o.Balancers {
		if network := hostCIDR(address); !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	return networks
}

// rules returns the operator's lines with those for named roles, and with those that let sessions
// in which come through the balancers, whatever networks applications are in: PostgreSQL sees the
// balancers' addresses. They stand behind the operator's lines, which can so be stricter about a
// role or a database, but before the first of them that would leave nobody any way through the
// balancers.
func (o Options) rules() []string {
	rules := make([]hba.Rule, len(o.PgHBA))
	for i, line := range o.PgHBA {
		rules[i], _ = hba.Parse(line) // Validate has refused what is none
	}
	at := len(rules)
	var door []string
	for _, address := range o.Balancers {
		door = append(door, "hostssl all all "+hostCIDR(address)+" scram-sha-256")
		if ip, err := netip.ParseAddr(address); err == nil {
			if i, refused := hba.Refuser(rules, ip, o.Superuser.Username, o.Replication.Username,
				o.Rewind.Username); refused && i >= 0 {
				at = min(at, i)
			}
		}
	}
	return slices.Concat(o.PgHBA[:at], o.accessRules(), door, o.PgHBA[at:])
}

// accessRules returns the lines for roles that have rules of their own, and for the superuser: what
// stands behind them lets everybody in, so the last of a role's lines sends it away.
func (o Options) accessRules() []string {
	var lines, named []string
	for _, a := range o.Access {
		role := hbaName(a.Role)
		if !slices.Contains(named, role) {
			named = append(named, role)
		}
		networks := slices.Clone(a.CIDRs)
		for _, address := range o.Balancers {
			if network := hostCIDR(address); !slices.Contains(networks, network) {
				networks = append(networks, network)
			}
		}
		for _, network := range networks {
			lines = append(lines, "hostssl "+hbaDatabase(a.Database)+" "+role+" "+network+
				" scram-sha-256")
		}
	}
	for _, network := range o.SuperuserCIDRs {
		lines = append(lines, "hostssl all "+hbaName(o.Superuser.Username)+" "+network+
			" scram-sha-256")
	}
	for _, role := range append(named, hbaName(o.Superuser.Username)) {
		lines = append(lines, "host all "+role+" all reject")
	}
	return lines
}

// hbaDatabase quotes a database's name, unless it is one of the words that AccessRule has.
func hbaDatabase(name string) string {
	if name == "all" || name == "replication" {
		return name
	}
	return hbaName(name)
}

// identMap names the lines of pg_ident.conf by which the system's postgres is the superuser,
// whatever that one's name is.
const identMap = "pgha"

// ident returns the lines of pg_ident.conf, or nil where the names are the same.
func (o Options) ident() []string {
	if o.Superuser.Username == systemUser {
		return nil
	}
	return []string{identMap + " " + systemUser + " " + hbaName(o.Superuser.Username)}
}

// loopbacks are the networks that Patroni's connections to localhost come from.
func (o Options) loopbacks() []string {
	if slices.ContainsFunc(o.Members, func(m Member) bool { return isIPv6(m.Address) }) {
		return []string{"127.0.0.1/32", "::1/128"}
	}
	return []string{"127.0.0.1/32"}
}

func isIPv6(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Is6()
}

// hbaName quotes a role's name, so that no name is taken for a keyword (all, +group, /pattern,
// replication).
func hbaName(role string) string {
	for _, r := range role {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return `"` + role + `"`
		}
	}
	switch role {
	case "all", "sameuser", "samerole", "samegroup", "replication":
		return `"` + role + `"`
	}
	return role
}

// hostCIDR is the network of this address alone.
func hostCIDR(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address // Validate has refused it
	}
	return netip.PrefixFrom(ip, ip.BitLen()).String()
}

// badRole says what keeps a role's name from being written into pg_hba.conf.
func badRole(role string) bool {
	return role == "" || len(role) > 63 || strings.ContainsFunc(role, func(r rune) bool {
		return r < ' ' || r == '"' || r == 0x7f
	}) || strings.TrimSpace(role) != role
}
