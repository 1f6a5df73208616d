package spec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// checker reports what is wrong with a spec whose defaults are filled in.
type checker struct {
	*Spec
	d *decoder
}

func check(s *Spec, d *decoder) {
	c := &checker{s, d}
	c.general()
	c.ssh()
	c.hosts()
	c.addresses()
	c.members()
	c.ports()
	c.vip()
	c.postgresql()
	c.parameters()
	c.hba()
	c.etcd()
	c.patroni()
	c.timings()
	c.balancer()
	c.tls()
	c.secrets()
	c.slo()
}

// bad reports a problem of a field, unless the field could not be read in the first place.
func (c *checker) bad(field, problem, remedy string) {
	if !c.d.isLost(field) {
		c.d.report(field, problem, remedy)
	}
}

// blame returns the first of the fields that stands in the file: where two contradict each other, and one is a default, the
// other one is to be changed.
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
		c.bad("version", fmt.Sprintf("%d is not a version of this format", c.Version), "write version: 1")
	}
	// The cluster's name becomes part of a CA's common name, which may have 64 characters.
	if !clusterSyntax.MatchString(c.Cluster) {
		c.bad("cluster", quoted(c.Cluster)+" cannot name a cluster", "write up to 50 letters, digits, dots, hyphens and underscores, a letter or digit first")
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
	switch {
	case slices.Contains(allowed, value):
	case value == "":
		c.bad(field, "is missing", didYouMean("", words))
	default:
		c.bad(field, quoted(string(value))+" is not one of "+strings.Join(words, ", "), didYouMean(string(value), words))
	}
}

// within reports a number out of its range.
func within[T int | int64](c *checker, field string, value, least, most T) {
	if value < least || value > most {
		c.bad(field, fmt.Sprintf("%d is out of range", value), fmt.Sprintf("write a number from %d to %d", least, most))
	}
}

// between reports a duration out of its range, or finer than step.
func (c *checker) between(field string, value, least, most, step time.Duration) {
	switch {
	case value < least || value > most:
		c.bad(field, value.String()+" is out of range", fmt.Sprintf("write a duration from %s to %s", short(least), short(most)))
	case value%step != 0:
		c.bad(field, value.String()+" is too fine", "write a multiple of "+short(step))
	}
}

// short writes a duration without its zero parts: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// directory reports a path on the hosts that cannot be a data directory.
func (c *checker) directory(field, dir string) {
	if !path.IsAbs(dir) || path.Clean(dir) != dir || strings.ContainsFunc(dir, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`"'\$%`, r) }) {
		c.bad(field, quoted(dir)+" is not a plain absolute path", "write a path such as /var/lib/postgresql/data")
		return
	}
	// The directory is owned by its service alone: one that belongs to the system must not be handed over.
	if strings.Count(dir, "/") < 2 || slices.Contains([]string{"/var/lib", "/var/log", "/var/run", "/usr/lib", "/usr/bin", "/usr/local", "/var/lib/postgresql"}, dir) {
		c.bad(field, quoted(dir)+" belongs to the system", "write a directory of its own, such as "+path.Join(dir, "pgha"))
	}
}
