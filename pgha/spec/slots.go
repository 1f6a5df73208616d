package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// SlotType says what is read through a replication slot.
type SlotType string

// The types of replication slots.
const (
	// SlotLogical is decoded by a plugin: change data capture, subscriptions.
	SlotLogical SlotType = "logical"
	// SlotPhysical is WAL as it is: a standby elsewhere, pg_receivewal.
	SlotPhysical SlotType = "physical"
)

// Slot is a replication slot that outlives a switchover and a failover: Patroni makes it on the
// leader, and keeps a copy on every member that may lead.
type Slot struct {
	// Name of the slot: up to 63 lower-case letters, digits and underscores. No default.
	Name string `yaml:"name"`
	// Type is SlotLogical or SlotPhysical. Default: SlotLogical.
	Type SlotType `yaml:"type"`
	// Database that a logical slot is of, which must exist. No default.
	Database string `yaml:"database,omitempty"`
	// Plugin that decodes a logical slot: pgoutput and test_decoding are PostgreSQL's own, any
	// other must be installed on every database host. Default: "pgoutput".
	Plugin string `yaml:"plugin,omitempty"`
}

// CorePlugins are the output plugins that come with PostgreSQL.
func CorePlugins() []string { return []string{"pgoutput", "test_decoding"} }

// LogicalSlots are the slots with SlotLogical in the spec's order.
func (s *Spec) LogicalSlots() []Slot {
	return slices.DeleteFunc(slices.Clone(s.PostgreSQL.Slots),
		func(slot Slot) bool { return slot.Type != SlotLogical })
}

// deriveSlots fills in the slots' defaults, and the settings of PostgreSQL that they need unless
// they are named.
func (s *Spec) deriveSlots(d *decoder) {
	for i := range s.PostgreSQL.Slots {
		slot, field := &s.PostgreSQL.Slots[i], element(slotsField, i)
		fill(d, field+".type", &slot.Type, SlotLogical)
		if slot.Type == SlotLogical {
			fill(d, field+".plugin", &slot.Plugin, "pgoutput")
		}
	}
	if len(s.LogicalSlots()) > 0 {
		s.deriveParameter("wal_level", "logical")
	}
	const own = 10 // PostgreSQL's default, and Patroni's
	if need := s.leastSlots(); need > own {
		s.deriveParameter("max_replication_slots", need)
		s.deriveParameter("max_wal_senders", need)
	}
}

func (s *Spec) deriveParameter(name string, value any) {
	if _, named := lookup(s.PostgreSQL.Parameters, name); !named {
		s.PostgreSQL.Parameters[name] = value
	}
}

// leastSlots is how many slots a member has at most, and how many read from it: one for each other
// member, one while a member is copied again, and those of the spec.
func (s *Spec) leastSlots() int { return len(s.Databases()) + len(s.PostgreSQL.Slots) }

const slotsField = "postgresql.slots"

var (
	slotSyntax   = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)
	pluginSyntax = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)
)

// slots checks the replication slots, and the settings that they need.
func (c *checker) slots() {
	taken := map[string]int{}
	for i, s := range c.PostgreSQL.Slots {
		field := element(slotsField, i)
		c.slotName(field+".name", s.Name)
		if first, again := taken[s.Name]; again && s.Name != "" {
			c.bad(field+".name", fmt.Sprintf("%q is the name of %s, too", s.Name,
				element(slotsField, first)), "give each slot its own")
		} else {
			taken[s.Name] = i
		}
		oneOf(c, field+".type", s.Type, SlotLogical, SlotPhysical)
		if s.Type == SlotPhysical {
			c.physicalSlot(field, s)
		} else {
			c.logicalSlot(field, s)
		}
	}
	c.failoverSlots()
	if len(c.PostgreSQL.Slots) == 0 {
		return
	}
	if !c.Patroni.UseSlots {
		c.bad(c.blame("patroni.use_slots", slotsField),
			"postgresql.slots need patroni.use_slots: without it Patroni keeps no slots at all",
			"delete use_slots: false, or the slots")
	}
	if len(c.LogicalSlots()) > 0 {
		c.logicalSettings()
	}
}

func (c *checker) slotName(field, name string) {
	if !slotSyntax.MatchString(name) {
		todo := "write up to 63 lower-case letters, digits and underscores"
		if near := SlotOf(name); slotSyntax.MatchString(near) {
			todo = "write " + near
		}
		c.bad(field, quoted(name)+" cannot name a replication slot", todo)
		return
	}
	for _, h := range c.Databases() {
		if SlotOf(h.Member) == name {
			c.bad(field, fmt.Sprintf("%q is the slot that Patroni keeps for member %s", name,
				h.Member), "give it another name, such as cdc_"+name)
		}
	}
}

func (c *checker) physicalSlot(field string, s Slot) {
	for _, f := range []struct{ name, value string }{{"database", s.Database},
		{"plugin", s.Plugin}} {
		if f.value != "" {
			c.bad(field+"."+f.name, "belongs to a logical slot, and this one is physical",
				"delete it, or write type: logical")
		}
	}
}

func (c *checker) logicalSlot(field string, s Slot) {
	switch {
	case s.Database == "":
		c.bad(field+".database", "is missing: a logical slot is of one database",
			"write the database whose changes are read")
	case s.Database == "template0" || len(s.Database) > 63:
		c.bad(field+".database", quoted(s.Database)+" cannot have a replication slot",
			"write the database whose changes are read")
	}
	if !pluginSyntax.MatchString(s.Plugin) {
		c.bad(field+".plugin", quoted(s.Plugin)+" cannot name an output plugin",
			"write a name such as pgoutput")
	}
}

// logicalSettings refuses settings of PostgreSQL with which logical slots cannot be.
func (c *checker) logicalSettings() {
	const parameters = "postgresql.parameters."
	why := fmt.Sprintf("the logical slots of postgresql.slots (%s) need ", c.slotNames())
	if level, named := lookup(c.PostgreSQL.Parameters, "wal_level"); named &&
		!strings.EqualFold(fmt.Sprint(level), "logical") {
		c.bad(c.blame(parameters+"wal_level", slotsField), why+"wal_level: logical",
			"delete it: the slots bring wal_level: logical with them")
	}
	if feedback, named := lookup(c.PostgreSQL.Parameters, "hot_standby_feedback"); named &&
		isOff(feedback) {
		c.bad(c.blame(parameters+"hot_standby_feedback", slotsField),
			why+"hot_standby_feedback on all replicas, and Patroni switches it on",
			"delete it")
	}
}

// failoverSlots refuses settings of PostgreSQL 17's failover slots that look as if they worked.
func (c *checker) failoverSlots() {
	const parameters, name = "postgresql.parameters.", "sync_replication_slots"
	set := func(name string) any {
		value, _ := lookup(c.PostgreSQL.Parameters, name)
		return value
	}
	if sync := set(name); sync != nil && !isOff(sync) {
		if !strings.EqualFold(fmt.Sprint(set("wal_level")), string(SlotLogical)) {
			c.bad(parameters+name, "copies nothing without wal_level: logical",
				"write wal_level: logical, too")
		}
		// With logical slots Patroni switches it on.
		feedback := set("hot_standby_feedback")
		if len(c.LogicalSlots()) == 0 && (feedback == nil || isOff(feedback)) {
			c.bad(parameters+name, "copies nothing without hot_standby_feedback: on",
				"write hot_standby_feedback: on, too")
		}
	}
	waits, _ := set("synchronized_standby_slots").(string)
	for slot := range strings.SplitSeq(waits, ",") {
		for _, h := range c.Databases() {
			if strings.TrimSpace(slot) == SlotOf(h.Member) {
				c.bad(parameters+"synchronized_standby_slots", fmt.Sprintf("names the slot of member "+
					"%s: while %s leads it has no such slot, and every logical consumer waits for ever",
					h.Member, h.Member), "delete it: all members have the same settings")
				return
			}
		}
	}
}

func (c *checker) slotNames() string {
	var names []string
	for _, s := range c.LogicalSlots() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
