package change

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/pgsetting"
)

//go:embed inuse.sql
var inUseSQL string

// InUse is what a server has that a setting must leave room for: settings that are read at start,
// and that a server with more than they allow refuses to start with, or starts with and turns
// clients away.
type InUse struct {
	// Slots are the replication slots that outlive a restart.
	Slots []Slot
	// Databases are those that take sessions.
	Databases []string
	// Prepared are the prepared transactions, Senders the walsenders, Sessions those of clients.
	Prepared, Senders, Sessions int
}

// Slot is a replication slot.
type Slot struct {
	Name    string
	Logical bool
	// Synced is a copy of the leader's slot on a replica, where nobody can drop it.
	Synced bool
	// Database and Plugin are those of a logical slot.
	Database, Plugin string
	// Active tells whether somebody reads it just now, Failover whether it was made with failover,
	// which PostgreSQL itself copies to the replicas.
	Active, Failover bool
}

// MemberInUse is what one member has.
type MemberInUse struct {
	Member string
	InUse
}

// InUseQuestion is the SQL that asks a server, primary or replica, for its InUse; ReadInUse reads
// its one column.
func InUseQuestion() string { return inUseSQL }

// ReadInUse reads the answer to InUseQuestion, a row a line. What is no such line is left out.
func ReadInUse(text string) InUse {
	var u InUse
	counts := map[string]*int{"prepared": &u.Prepared, "senders": &u.Senders,
		"sessions": &u.Sessions}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case kind == "database":
			u.Databases = append(u.Databases, rest)
		case kind == "slot-of":
			u.detail(rest)
		case len(f) == 3 && f[0] == "slot":
			u.Slots = append(u.Slots, Slot{Name: f[2], Logical: f[1] != "physical",
				Synced: f[1] == "synced"})
		case len(f) == 2 && counts[f[0]] != nil:
			*counts[f[0]], _ = strconv.Atoi(f[1])
		}
	}
	return u
}

// detail adds to a slot what a line of JSON says of it.
func (u *InUse) detail(line string) {
	var of Slot
	if json.Unmarshal([]byte(line), &of) != nil {
		return
	}
	for i, s := range u.Slots {
		if s.Name == of.Name {
			of.Logical, of.Synced = s.Logical, s.Synced
			u.Slots[i] = of
		}
	}
}

// defaults are the settings that InUse judges, with what Patroni 4 and the toolkit give where
// nobody says anything.
var defaults = map[string]string{
	"wal_level": "replica", "max_connections": "100", "max_prepared_transactions": "0",
	"max_replication_slots": "10", "max_wal_senders": "10",
}

// Crowded are the settings that InUse judges, in order.
func Crowded() []string { return slices.Sorted(maps.Keys(defaults)) }

// Room says why the members cannot have a value of a setting, by what they have, and what to do; ""
// where they can. The value "" is the default.
func Room(name, value string, members []MemberInUse) (problem, way string) {
	value = cmp.Or(value, defaults[name])
	if name == "wal_level" {
		return logicalRoom(value, members)
	}
	n, err := pgsetting.Setting{Type: "integer"}.Number(value)
	if err != nil {
		return "", "" // others tell that it is no number
	}
	room := map[string]struct {
		count     func(InUse) int
		what, way string
	}{
		"max_connections": {func(u InUse) int { return u.Sessions },
			"sessions, more than that after a restart would be turned away",
			"end those that nobody needs first (pg_stat_activity lists them)"},
		"max_prepared_transactions": {func(u InUse) int { return u.Prepared },
			"prepared transactions, and would not start",
			"finish them first (pg_prepared_xacts lists them; COMMIT PREPARED or ROLLBACK PREPARED)"},
		"max_replication_slots": {func(u InUse) int { return len(u.Slots) },
			"replication slots, and would not start",
			"drop those that nobody needs first (pg_replication_slots lists them; SELECT " +
				"pg_drop_replication_slot(...))"},
		"max_wal_senders": {func(u InUse) int { return u.Senders },
			"walsenders, more than that after a restart would be turned away",
			"end what streams and is not needed first (pg_stat_replication lists them)"},
	}[name]
	if room.count == nil {
		return "", ""
	}
	var has []string
	most := 0
	for _, m := range members {
		if used := room.count(m.InUse); float64(used) > n {
			has = append(has, fmt.Sprintf("%s has %d", m.Member, used))
			most = max(most, used)
		}
	}
	if len(has) == 0 {
		return "", ""
	}
	return fmt.Sprintf("%s is %s, but %s %s", name, value, strings.Join(has, " and "), room.what),
		fmt.Sprintf("%s, or write %d or more", room.way, most)
}

// logicalRoom says which logical slots keep wal_level where it is: a server does not start with one
// below logical.
func logicalRoom(value string, members []MemberInUse) (problem, way string) {
	if strings.EqualFold(strings.TrimSpace(value), "logical") {
		return "", ""
	}
	var synced, own, names []string
	for _, m := range members {
		for _, s := range m.Slots {
			switch {
			case !s.Logical:
				continue
			case s.Synced:
				synced = append(synced, s.Name+" on "+m.Member)
			default:
				own = append(own, s.Name+" on "+m.Member)
			}
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	if len(names) == 0 {
		return "", ""
	}
	problem = fmt.Sprintf(
		"wal_level is %s, but there are logical replication slots, and a server that has one "+
			"would not start: %s",
		value, strings.Join(append(own, synced...), ", "))
	if len(synced) > 0 {
		problem += " (" + strings.Join(synced, ", ") +
			": a copy of the leader's, which cannot be dropped there)"
	}
	drops := make([]string, len(names))
	for i, name := range names {
		drops[i] = fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", name)
	}
	way = "if nobody needs them, drop them on the leader first (" + strings.Join(drops, "; ") + ")"
	if len(synced) > 0 {
		way += " while sync_replication_slots is on, so that the replicas drop their copies"
	}
	return problem, way + "; or write logical"
}
