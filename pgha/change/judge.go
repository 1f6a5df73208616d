package change

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// Refusal is a difference between the specification and what runs that apply does not bring about.
type Refusal struct {
	// Field is the row of the table: "postgresql.port".
	Field string
	// Hosts are those that say otherwise, by name; empty where etcd or the network says so.
	Hosts []string
	// Problem is what differs and why it is not changed, Way what to do.
	Problem, Way string
}

// String says it in one line.
func (r Refusal) String() string { return r.Problem + "; " + r.Way }

// Judge compares a specification with what runs, and returns what apply refuses: nothing where
// there is no cluster yet, or where everything that differs can be changed. A fact that
// nobody could tell refuses nothing.
func Judge(sp *spec.Spec, running Running) []Refusal {
	j := &judge{Spec: sp, seen: running.Hosts, store: running.Store}
	j.hosts()
	j.etcd()
	j.patroni()
	j.postgresql()
	j.databases()
	j.inUseSettings()
	j.slots()
	j.balancers()
	return append(j.rendered(), j.others...)
}

type judge struct {
	*spec.Spec
	seen        map[string]Host
	store       *Store
	differences []difference
	others      []Refusal
}

// difference is how a field differs: the facts, and what is in use for the way back.
type difference struct {
	field         string
	facts, values []string
	hosts         []string
}

// said is a value that is in use, and the hosts that say so.
type said struct {
	value string
	hosts []string
}

// inUse gathers what the hosts of databases and of etcd say of one thing, in the specification's
// order; "" is nothing.
func (j *judge) inUse(look func(spec.Host, Host) string) []said {
	var all []said
	for _, h := range j.MemberHosts() {
		seen, ok := j.seen[h.Name]
		if !ok {
			continue
		}
		value := look(h, seen)
		if value == "" {
			continue
		}
		i := slices.IndexFunc(all, func(s said) bool { return s.value == value })
		if i < 0 {
			all = append(all, said{value: value})
			i = len(all) - 1
		}
		all[i].hosts = append(all[i].hosts, h.Name)
	}
	return all
}

// same refuses a field unless all hosts that say anything of it say what the specification wants.
func (j *judge) same(name, wanted, subject string, look func(spec.Host, Host) string) {
	for _, s := range j.inUse(look) {
		if s.value != wanted {
			j.differ(name, fmt.Sprintf("%s is %s, but %s %s on %s", name, wanted, subject, s.value,
				strings.Join(s.hosts, ", ")), s.value, s.hosts...)
			return
		}
	}
}

// differ notes a fact that the field's row forbids to change. value is what is in use.
func (j *judge) differ(name, fact, value string, hosts ...string) {
	i := slices.IndexFunc(j.differences, func(d difference) bool { return d.field == name })
	if i < 0 {
		j.differences = append(j.differences, difference{field: name})
		i = len(j.differences) - 1
	}
	d := &j.differences[i]
	d.facts, d.values, d.hosts = append(d.facts, fact), append(d.values, value),
		append(d.hosts, hosts...)
}

// differs tells whether anything was noted of a field.
func (j *judge) differs(name string) bool {
	return slices.ContainsFunc(j.differences, func(d difference) bool { return d.field == name })
}

// rendered makes the refusals of the differences, with the table's reasons and ways.
func (j *judge) rendered() []Refusal {
	var all []Refusal
	for _, d := range j.differences {
		f := field(d.field)
		way := strings.Replace(f.Way, "%s", strings.Join(d.values, ", "), 1)
		all = append(all, Refusal{Field: d.field, Hosts: d.hosts,
			Problem: strings.Join(d.facts, ", ") + ": " + f.Why, Way: way})
	}
	return all
}

// add is for what no row says.
func (j *judge) add(r Refusal) { j.others = append(j.others, r) }

// number is a port as text; 0 is nothing.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
