package spec

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/internal/scalar"
	"github.com/pgha/toolkit/pgha/errs"
)

// checker reports what is wrong with a spec whose defaults are filled in. Sections with many rules
// of their own have a type of their own, which embeds it.
type checker struct {
	*Spec
	d *decoder
}

func check(s *Spec, d *decoder) {
	c := &checker{s, d}
	c.general()
	sshChecker{c}.all()
	hostChecker{c}.hosts()
	c.addresses()
	hostChecker{c}.members()
	c.ports()
	c.vip()
	c.postgresql()
	parameterChecker{c}.all()
	c.slots()
	c.hba()
	contentChecker{c}.all()
	c.etcd()
	c.patroni()
	c.timings()
	c.balancer()
	poolChecker{c}.all()
	c.backup()
	c.monitoring()
	c.tls()
	c.secrets()
	c.slo()
	c.lines()
}

// bad reports a problem of a field, unless the field could not be read in the first place.
func (c *checker) bad(field, problem, todo string) { c.wrong(field, problem, remedy(todo)) }

// wrong does what bad does, for a remedy that refers to verbs.
func (c *checker) wrong(field, problem string, remedy errs.Next) {
	at, formal := c.d.formal[field]
	switch {
	case c.d.isLost(field):
	case formal:
		c.d.errs[at].Problem += ", and " + problem
		c.d.errs[at].Remedy = remedy
	default:
		c.d.reportNext(field, problem, remedy)
	}
}

// blame returns the first of the fields that stands in the file: where two contradict each other,
// and one is a default, the other one is to be changed.
func (c *checker) blame(fields ...string) string {
	for _, f := range fields {
		if _, given := c.d.at[f]; given {
			return f
		}
	}
	return fields[0]
}

func (c *checker) general() {
	switch c.Version {
	case 1:
	case 0:
		c.bad("version", "is missing", "write version: 1")
	default:
		c.bad("version", fmt.Sprintf("%d is not a version of this format", c.Version),
			"write version: 1")
	}
	// The cluster's name becomes part of a CA's common name, which may have 64 characters.
	if !clusterSyntax.MatchString(c.Cluster) {
		c.bad("cluster", quoted(c.Cluster)+" cannot name a cluster",
			"write up to 50 letters, digits, dots, hyphens and underscores, a letter or digit first")
	}
	if c.Timezone != "" {
		c.timezone()
	}
}

var (
	clusterSyntax  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$`)
	timezoneSyntax = regexp.MustCompile(`^[A-Za-z0-9+-]+(?:[_/][A-Za-z0-9+-]+)*$`)
)

// timezone looks the zone up where this machine has the time zone database, as any host has.
func (c *checker) timezone() {
	const remedy = "write one that timedatectl list-timezones shows, such as Europe/Madrid"
	if !timezoneSyntax.MatchString(c.Timezone) || c.Timezone == "Local" {
		c.bad("timezone", quoted(c.Timezone)+" cannot be a time zone", remedy)
		return
	}
	if _, err := time.LoadLocation("Europe/Madrid"); err != nil {
		return // no database here
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		c.bad("timezone", quoted(c.Timezone)+" is not a time zone", remedy)
	}
}

// oneOf reports a word that is none of those allowed.
func oneOf[T ~string](c *checker, field string, value T, allowed ...T) {
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	meant, isTruth := scalar.Truth(string(value))
	switch {
	case slices.Contains(allowed, value):
	case isTruth && meant && slices.Contains(words, "on"):
		c.bad(field, quoted(string(value))+" is not one of "+strings.Join(words, ", "), "write on")
	case isTruth && !meant && slices.Contains(words, "off"):
		c.bad(field, quoted(string(value))+" is not one of "+strings.Join(words, ", "), "write off")
	case value == "":
		c.bad(field, "is missing", didYouMean("", words))
	default:
		c.bad(field, quoted(string(value))+" is not one of "+strings.Join(words, ", "),
			didYouMean(string(value), words))
	}
}

// within reports a number out of its range.
func within[T int | int64](c *checker, field string, value, least, most T) {
	if value < least || value > most {
		c.bad(field, fmt.Sprintf("%d is out of range", value),
			fmt.Sprintf("write a number from %d to %d", least, most))
	}
}

// between reports a duration out of its range, or finer than step.
func (c *checker) between(field string, value, least, most, step time.Duration) {
	number, bare := c.d.bare[field]
	switch {
	case bare:
		c.d.withUnit(field, number, least, most, step)
	case value < least || value > most:
		c.bad(field, scalar.Short(value)+" is out of range",
			fmt.Sprintf("write a duration from %s to %s", scalar.Short(least), scalar.Short(most)))
	case value%step != 0:
		c.bad(field, scalar.Short(value)+" is too fine",
			"write "+scalar.Short(value.Truncate(step))+", a multiple of "+scalar.Short(step))
	}
}

// lines refuses line ends and other control characters in every text of the spec: nearly all reach
// a file on a host that has one value a line, and one that is broken off there keeps a service from
// starting. Commands that run on this machine alone may have several lines. A field that has a
// problem already keeps that one.
func (c *checker) lines() { c.walk("", reflect.ValueOf(c.Spec).Elem()) }

func (c *checker) walk(field string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			c.walk(field, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name != "" && !strings.HasSuffix(name, "_command") {
				c.walk(join(field, name), v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.walk(element(field, i), v.Index(i))
		}
	case reflect.Map:
		keys := slices.Sorted(maps.Keys(stringKeys(v)))
		for _, key := range keys {
			c.line(field, key)
			c.walk(join(field, key), v.MapIndex(reflect.ValueOf(key)))
		}
	case reflect.String:
		c.line(field, v.String())
	}
}

func stringKeys(m reflect.Value) map[string]bool {
	keys := map[string]bool{}
	for _, key := range m.MapKeys() {
		keys[fmt.Sprint(key.Interface())] = true
	}
	return keys
}

func (c *checker) line(field, text string) {
	problem, remedy := oneline.Fault(text)
	if problem == "" || slices.ContainsFunc(c.d.errs,
		func(e Error) bool { return e.Field == field }) {
		return
	}
	c.bad(field, problem, remedy)
}
