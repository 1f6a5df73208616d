package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// slots compares the specification's replication slots with those that are there, with the
// databases and with the plugins that hosts have.
func (j *judge) slots() {
	members := j.membersInUse()
	for i, s := range j.PostgreSQL.Slots {
		field := fmt.Sprintf("postgresql.slots[%d]", i)
		j.otherSlot(field, s, members)
		if s.Type == spec.SlotLogical {
			j.slotDatabase(field+".database", s, members)
			j.slotPlugin(field+".plugin", s)
		}
	}
	for _, name := range j.removedSlots() {
		j.removedSlot(name, members)
	}
}

func (j *judge) membersInUse() []MemberInUse {
	var members []MemberInUse
	for _, h := range j.Databases() {
		if seen := j.seen[h.Name]; seen.InUse != nil {
			members = append(members, MemberInUse{h.Member, *seen.InUse})
		}
	}
	return members
}

// otherSlot refuses a slot of which there is another one by that name: Patroni drops that as soon
// as nobody reads it, and makes its own, which begins with what is written from then on.
func (j *judge) otherSlot(field string, s spec.Slot, members []MemberInUse) {
	for _, m := range members {
		for _, there := range m.Slots {
			if there.Name != s.Name {
				continue
			}
			switch {
			case there.Failover || there.Synced:
				j.add(Refusal{Field: field + ".name", Problem: fmt.Sprintf("%s.name: slot %s on %s "+
					"was made with failover: PostgreSQL itself copies it to the replicas, and "+
					"Patroni leaves it alone", field, s.Name, m.Member),
					Way: "delete it here, or give this one another name"})
			case string(s.Type) != typeOf(there):
				j.differ("postgresql.slots[].type", fmt.Sprintf("%s.type is %s, but slot %s on %s is %s", field,
					s.Type, s.Name, m.Member, typeOf(there)), typeOf(there))
			case there.Database != s.Database:
				j.differ("postgresql.slots[].database", fmt.Sprintf("%s.database is %s, but slot %s on %s is of "+
					"database %s", field, s.Database, s.Name, m.Member, there.Database),
					there.Database)
			case there.Plugin != s.Plugin:
				j.differ("postgresql.slots[].plugin", fmt.Sprintf("%s.plugin is %s, but slot %s on %s is decoded "+
					"by %s", field, s.Plugin, s.Name, m.Member, there.Plugin), there.Plugin)
			default:
				continue
			}
			return
		}
	}
}

func typeOf(s Slot) string {
	if s.Logical {
		return string(spec.SlotLogical)
	}
	return string(spec.SlotPhysical)
}

// slotDatabase refuses a slot of a database that is not there: Patroni would try again for ever,
// and make none of the slots of databases behind it.
func (j *judge) slotDatabase(field string, s spec.Slot, members []MemberInUse) {
	var databases []string
	for _, m := range members {
		databases = append(databases, m.Databases...)
	}
	switch {
	case slices.Contains(databases, s.Database):
	case len(databases) > 0:
		j.add(Refusal{Field: field, Problem: fmt.Sprintf("%s: there is no database %s", field,
			s.Database), Way: "create it first (CREATE DATABASE), or write one that is there"})
	case s.Database != "postgres" && s.Database != "template1" && j.fresh():
		j.add(Refusal{Field: field, Problem: fmt.Sprintf("%s: a new cluster has no database %s",
			field, s.Database),
			Way: "apply without the slot, create the database, then write the slot again"})
	}
}

// fresh tells whether the cluster is still to be made.
func (j *judge) fresh() bool {
	if _, made := j.ownScope(); made {
		return false
	}
	for _, h := range j.Databases() {
		if seen := j.seen[h.Name]; seen.Patroni != nil || len(seen.Data) > 0 {
			return false
		}
	}
	return true
}

// slotPlugin refuses a plugin that a host lacks: any member may have to decode.
func (j *judge) slotPlugin(field string, s spec.Slot) {
	if slices.Contains(spec.CorePlugins(), s.Plugin) {
		return
	}
	var lack []string
	for _, h := range j.Databases() {
		seen, asked := j.seen[h.Name]
		if asked && !slices.Contains(seen.Plugins, s.Plugin) {
			lack = append(lack, h.Name)
		}
	}
	if len(lack) > 0 {
		j.add(Refusal{Field: field, Hosts: lack, Problem: fmt.Sprintf("%s: there is no "+
			"/usr/lib/postgresql/%d/lib/%s.so on %s", field, j.PostgreSQL.Version, s.Plugin,
			strings.Join(lack, ", ")),
			Way: fmt.Sprintf("install its package there (apt-get install postgresql-%d-%s), on new "+
				"hosts after an apply without the slot; or write pgoutput", j.PostgreSQL.Version,
				s.Plugin)})
	}
}

func (j *judge) removedSlots() []string { return RemovedSlots(j.Spec, j.seen) }

// RemovedSlots are the names of the replication slots that an earlier apply wrote and the
// specification names no more. hosts are those of Running.
func RemovedSlots(sp *spec.Spec, hosts map[string]Host) []string {
	var removed []string
	for _, h := range sp.Databases() {
		p := hosts[h.Name].Patroni
		if p == nil {
			continue
		}
		for _, name := range p.Slots {
			named := slices.ContainsFunc(sp.PostgreSQL.Slots, func(s spec.Slot) bool {
				return s.Name == name
			})
			if !named && !slices.Contains(removed, name) {
				removed = append(removed, name)
			}
		}
	}
	return removed
}

// removedSlot refuses to take a slot away that somebody reads.
func (j *judge) removedSlot(name string, members []MemberInUse) {
	for _, m := range members {
		for _, s := range m.Slots {
			if s.Name == name && s.Active {
				j.add(Refusal{Field: "postgresql.slots[].name", Problem: fmt.Sprintf("postgresql.slots "+
					"has no %s any more, but somebody reads that slot on %s just now", name,
					m.Member),
					Way: fmt.Sprintf("stop its consumer first (pg_stat_replication names it), or "+
						"write the slot again: %s", spelled(s))})
				return
			}
		}
	}
}

// spelled is a slot as the specification has it.
func spelled(s Slot) string {
	if !s.Logical {
		return fmt.Sprintf("{name: %s, type: physical}", s.Name)
	}
	return fmt.Sprintf("{name: %s, database: %s, plugin: %s}", s.Name, s.Database, s.Plugin)
}
