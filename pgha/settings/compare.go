package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
)

// ofMember are settings in which members differ rightly, because of what they are at the moment.
var ofMember = []string{
	"primary_conninfo", "primary_slot_name", "recovery_target_timeline", "restore_command",
	"synchronous_standby_names",
}

// compareConfigs makes the rows: Patroni's settings, then PostgreSQL's, each in the order of their
// names.
func compareConfigs(spec, dcs, problems map[string]string, members []memberConfig) []ConfigRow {
	declared := []map[string]string{spec, dcs}
	actual := map[string]string{}
	for _, m := range members {
		declared = append(declared, onlyParameters(m.file), onlyParameters(m.wanted))
		for name, s := range m.settings {
			if slices.Contains([]string{"command line", "configuration file", "database",
				"database user",
				"environment variable", "user"}, s.Source) {
				actual[configtree.Parameters+name] = ""
			}
		}
	}
	var ofPatroni, ofPostgres []ConfigRow
	for _, key := range configtree.SortedKeys(append(declared, actual)...) {
		c := comparison{row: ConfigRow{Key: key, Spec: value(spec, key), DCS: value(dcs, key)},
			members: members}
		if problem, found := problems[key]; found && c.row.DCS != nil {
			c.because("", "Patroni does not take it: %s", problem)
		}
		if name, isParameter := strings.CutPrefix(key, configtree.Parameters); isParameter {
			ofPostgres = append(ofPostgres, c.parameter(name))
		} else {
			ofPatroni = append(ofPatroni, c.patroni())
		}
	}
	return append(ofPatroni, ofPostgres...)
}

func onlyParameters(file map[string]string) map[string]string {
	found := map[string]string{}
	for key, value := range file {
		if strings.HasPrefix(key, configtree.Parameters) {
			found[key] = value
		}
	}
	return found
}

func value(config map[string]string, key string) *string {
	if text, ok := config[key]; ok {
		return &text
	}
	return nil
}

// comparison collects what is to be said of one setting.
type comparison struct {
	row     ConfigRow
	members []memberConfig
	reasons []reason
}

// reason is one difference, with the members it is found on. Its text has {} where they go.
type reason struct {
	text    string
	members []string
}

// because adds a reason, or a member to one that is there already.
func (c *comparison) because(member, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	for i, r := range c.reasons {
		if r.text == text {
			c.reasons[i].members = append(r.members, member)
			return
		}
	}
	c.reasons = append(c.reasons, reason{text, []string{member}})
}

// done returns the row with the reasons in words.
func (c *comparison) done() ConfigRow {
	var texts []string
	for _, r := range c.reasons {
		texts = append(texts, strings.ReplaceAll(r.text, "{}", strings.Join(r.members, ", ")))
	}
	c.row.Differs, c.row.Why = len(texts) > 0, texts
	return c.row
}

// places compares the specification with the DCS.
func (c *comparison) places(same func(a, b string) bool) {
	spec, dcs := c.row.Spec, c.row.DCS
	switch {
	case spec == nil && dcs != nil:
		c.because("", "set in the DCS, not in the specification: apply leaves it alone")
	case spec != nil && dcs == nil:
		c.because("", "not in the DCS: the next apply sets it")
	case spec != nil && !same(*spec, *dcs) && c.row.Key == "ignore_slots":
		c.because("", "the DCS has a list of somebody else's: apply leaves it alone")
	case spec != nil && !same(*spec, *dcs):
		c.because("", "the next apply puts the specification's value back")
	}
}

// patroni compares a setting of Patroni's. What Patroni itself uses cannot be asked for; what a
// config.yml does to it can be told.
func (c *comparison) patroni() ConfigRow {
	c.places(func(a, b string) bool { return a == b })
	for _, m := range c.members {
		file := value(m.file, c.row.Key)
		if file == nil {
			continue
		}
		if c.row.Members == nil {
			c.row.Members = map[string]MemberSetting{}
		}
		c.row.Members[m.name] = MemberSetting{File: file}
		switch overrides := strings.HasPrefix(c.row.Key, "postgresql.") &&
			c.row.Key != "postgresql.use_slots"; {
		case !overrides:
			c.because(m.name, "config.yml of {} sets it, without effect: Patroni takes it from "+
				"the DCS alone")
		case c.row.DCS == nil || *file != *c.row.DCS:
			c.because(m.name, "config.yml of {} overrides the DCS with %s", *file)
		}
	}
	return c.done()
}

// parameter compares a setting of PostgreSQL's.
func (c *comparison) parameter(name string) ConfigRow {
	c.row.Members = map[string]MemberSetting{}
	var catalogue pgsetting.Setting
	for _, m := range c.members {
		if s, known := m.settings[name]; known {
			catalogue = s
		}
	}
	c.local(catalogue)
	if !c.row.Local {
		c.places(catalogue.Same)
	}
	for _, m := range c.members {
		found, s, known := m.uses(name)
		found.File = value(m.file, c.row.Key)
		c.row.Members[m.name] = found
		c.file(m, name, catalogue)
		switch {
		case known:
			c.actual(m, name, s)
		case m.settings != nil && c.row.DCS != nil && !strings.Contains(name, "."):
			c.because(m.name, "PostgreSQL has no such setting on {}")
		}
	}
	if c.undeclared() && len(c.reasons) == 0 && !slices.Contains(ofMember, name) {
		c.alike(name)
	}
	return c.done()
}

// local finds the settings that apply writes into every member's config.yml.
func (c *comparison) local(s pgsetting.Setting) {
	if c.row.Spec != nil {
		return
	}
	for _, m := range c.members {
		wanted := value(m.wanted, c.row.Key)
		if wanted == nil || c.row.Spec != nil && !s.Same(*wanted, *c.row.Spec) {
			c.row.Spec, c.row.Local = nil, wanted != nil
			return
		}
		c.row.Spec, c.row.Local = wanted, true
	}
}

// undeclared reports that nobody but PostgreSQL knows the setting.
func (c *comparison) undeclared() bool {
	if c.row.Spec != nil || c.row.DCS != nil || c.row.Local {
		return false
	}
	for _, m := range c.row.Members {
		if m.File != nil {
			return false
		}
	}
	return true
}

// file compares the member's config.yml with what apply would write there.
func (c *comparison) file(m memberConfig, name string, s pgsetting.Setting) {
	file, wanted := value(m.file, c.row.Key), value(m.wanted, c.row.Key)
	switch {
	case file != nil && dynamic.DCSOnly(name):
		c.because(m.name, "config.yml of {} sets it, without effect: Patroni takes it from the "+
			"DCS alone")
	case file != nil && wanted == nil:
		c.because(m.name, "config.yml of {} overrides the DCS with %s: apply takes that out", *file)
	case file == nil && wanted != nil && m.file != nil:
		c.because(m.name, "config.yml of {} lacks it: apply puts it there")
	case file != nil && !s.Same(*file, *wanted):
		c.because(m.name, "config.yml of {} says %s: apply puts %s back", *file, *wanted)
	}
}

// actual compares what PostgreSQL uses with what it was told.
func (c *comparison) actual(m memberConfig, name string, s pgsetting.Setting) {
	told := c.row.DCS
	if file := value(m.file, c.row.Key); file != nil && !dynamic.DCSOnly(name) {
		told = file
	}
	line, inEffect := m.lines[name]
	agrees := told != nil && (s.Same(*told, s.Value) || inEffect && line == *told)
	waits := m.waits(name, s)
	switch byAlterSystem := c.altered(m, name, s, agrees, waits); {
	case byAlterSystem:
	case waits:
		c.because(m.name, "waits for a restart on {}")
	case told == nil || agrees:
	case strings.Contains(s.Source, "database") || strings.Contains(s.Source, "user"):
		c.because(m.name, "ALTER DATABASE or ALTER ROLE sets another value for the superuser's "+
			"own sessions on {}")
	case m.rejected[name] || s.Refuses(*told):
		c.because(m.name, "PostgreSQL on {} does not take this value, and keeps the one it had")
	default:
		c.because(m.name, "not in effect on {}")
	}
}

// altered reports ALTER SYSTEM, and whether that is all there is to tell.
func (c *comparison) altered(m memberConfig, name string, s pgsetting.Setting, agrees,
	waits bool) bool {
	text, isAltered := m.altered[name]
	if !isAltered {
		return false
	}
	text = configtree.HidePasswords(text)
	switch {
	case dynamic.DCSOnly(name):
		c.because(m.name, "ALTER SYSTEM on {} says %s, without effect: Patroni's command line wins",
			text)
		return false
	case strings.HasSuffix(s.SourceFile, autoConf) && agrees:
		c.because(m.name,
			"ALTER SYSTEM on {} sets the same, and hides every change in the DCS (ALTER SYSTEM "+
				"RESET ends it)")
	case strings.HasSuffix(s.SourceFile, autoConf):
		c.because(m.name, "ALTER SYSTEM on {} (ALTER SYSTEM RESET ends it)")
	case waits:
		c.because(m.name, "ALTER SYSTEM on {} says %s, and waits for a restart", text)
	default:
		c.because(m.name, "ALTER SYSTEM on {} says %s, without effect yet", text)
	}
	return true
}

// alike finds what members use differently although nothing says so.
func (c *comparison) alike(name string) {
	used := map[string]bool{}
	for _, m := range c.members {
		if s, known := m.settings[name]; known {
			used[s.Value] = true
		}
	}
	if len(used) > 1 {
		c.because("", "members use different values, and neither the specification nor the DCS "+
			"names one")
	}
}
