package change

import (
	"fmt"
	"slices"
	"strings"
)

// inUseSettings compares the settings that are read at start with what the servers have at this
// moment.
func (j *judge) inUseSettings() {
	members := j.membersInUse()
	if len(members) == 0 {
		return
	}
	// What this apply takes away is in nobody's way.
	for i, removed := 0, j.removedSlots(); i < len(members); i++ {
		members[i].Slots = slices.DeleteFunc(slices.Clone(members[i].Slots),
			func(s Slot) bool { return slices.Contains(removed, s.Name) })
	}
	for _, name := range Crowded() {
		value, changes := j.parameter(name)
		// Sessions come and go: what an earlier apply has written, and waits for a restart, is not
		// held against this one.
		passing := slices.Contains([]string{"max_connections", "max_wal_senders"}, name)
		if value == "" || passing && !changes {
			continue
		}
		if problem, way := Room(name, value, members); problem != "" {
			j.add(Refusal{Field: "postgresql.parameters." + name,
				Problem: "postgresql.parameters." + problem, Way: way})
		}
	}
}

// parameter is the value that apply would write for a setting, "" where it writes none, and whether
// it wrote another before.
func (j *judge) parameter(name string) (value string, changes bool) {
	var written string
	for _, h := range j.Databases() {
		if p := j.seen[h.Name].Patroni; p != nil && p.Written[name] != "" {
			written = p.Written[name]
			break
		}
	}
	for given, v := range j.PostgreSQL.Parameters {
		if strings.EqualFold(given, name) {
			if value = defaults[name]; v != nil {
				value = fmt.Sprint(v)
			}
			return value, value != written
		}
	}
	if written == "" || written == defaults[name] {
		return "", false
	}
	return defaults[name], true // apply takes back what it wrote
}
