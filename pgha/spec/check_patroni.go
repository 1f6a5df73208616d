package spec

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/scalar"
	"github.com/pgha/toolkit/internal/suggest"
)

var namespaceSyntax = regexp.MustCompile(`^(?:/[A-Za-z0-9._-]+)+/?$`)

func (c *checker) patroni() {
	p := c.Patroni
	if !namespaceSyntax.MatchString(p.Namespace) {
		remedy := "write a path such as /service/"
		if near := "/" + strings.Trim(p.Namespace, "/") + "/"; namespaceSyntax.MatchString(near) {
			remedy = "write " + near
		}
		c.bad("patroni.namespace", quoted(p.Namespace)+" cannot be a prefix of keys", remedy)
	}
	oneOf(c, "patroni.profile", p.Profile, ProfileSafe, ProfileFast)
	oneOf(c, "patroni.synchronous_mode", p.SynchronousMode, SynchronousOff, SynchronousOn,
		SynchronousStrict, SynchronousQuorum)
	oneOf(c, "patroni.watchdog", p.Watchdog, WatchdogAutomatic, WatchdogOff, WatchdogRequired)
	within(c, "patroni.maximum_lag_on_failover", p.MaximumLagOnFailover, 0, 1<<40)
	if p.SynchronousMode == SynchronousStrict && len(c.Databases()) == 1 {
		c.bad("patroni.synchronous_mode",
			"strict stops every write while there is no replica, and one database host has none",
			"add two database hosts, or write off")
	}
	c.fastFailover()
	extraChecker{c}.all()
}

// fastFailover refuses what it could not be proven safe with, or would not help.
func (c *checker) fastFailover() {
	const field, after = "patroni.fast_failover", "patroni.fast_failover.suspect_after"
	f := c.Patroni.FastFailover
	if c.d.isLost(field) || c.d.isLost(after) || f.SuspectAfter == 0 {
		return
	}
	switch {
	case f.SuspectAfter < 2*time.Second:
		c.bad(after, scalar.Short(f.SuspectAfter)+
			" is too short: a host that only stalls would be taken for lost", "write 2s or more")
	case f.SuspectAfter > 30*time.Second:
		c.bad(after, scalar.Short(f.SuspectAfter)+" is no sooner than the lease of a lost leader ends",
			"write 30s or less, or leave fast_failover out")
	}
	if c.Patroni.SynchronousMode == SynchronousOff {
		c.bad(field, "a leader that is cut off acknowledges commits to the end of its lease while "+
			"patroni.synchronous_mode is off: the new leader would not have them",
			"write synchronous_mode: quorum, or leave fast_failover out")
	}
	if n := len(c.Databases()); n < 3 {
		c.bad(field, fmt.Sprintf("more than half of the database hosts have to agree without the "+
			"leader's, and there are %d", n), "have three database hosts, or leave fast_failover out")
	}
}

// longest is what any of Patroni's times may be.
const longest = 24 * time.Hour

// timings follows Patroni's rules, which Patroni enforces by changing the values.
func (c *checker) timings() {
	p := c.Patroni
	fine := true
	for _, t := range []struct {
		field                string
		value, least, enough time.Duration // enough beside the others
	}{
		{"ttl", p.TTL, 20 * time.Second, max(20*time.Second, p.LoopWait+2*p.RetryTimeout)},
		{"loop_wait", p.LoopWait, time.Second, time.Second},
		{"retry_timeout", p.RetryTimeout, 3 * time.Second, 3 * time.Second},
		{"primary_start_timeout", *p.PrimaryStartTimeout, 0, 0},
	} {
		field := "patroni." + t.field
		switch {
		case c.d.isLost(field):
			fine = false
		case t.value < t.least:
			fine = false
			c.bad(field, fmt.Sprintf("%s is too short: Patroni would silently take %s",
				scalar.Short(t.value), t.least), "write "+scalar.Short(t.enough)+" or more")
		case t.value%time.Second != 0:
			fine = false
			c.bad(field, scalar.Short(t.value)+" is not in whole seconds",
				"write "+scalar.Short(t.value.Truncate(time.Second)+time.Second))
		case t.value > longest:
			fine = false
			c.bad(field, scalar.Short(t.value)+" is longer than a day",
				"write seconds or a duration, such as 10s or 30s")
		}
	}
	if need := p.LoopWait + 2*p.RetryTimeout; fine && need > p.TTL {
		c.bad(c.blame("patroni.ttl", "patroni.retry_timeout", "patroni.loop_wait"),
			fmt.Sprintf(
				"loop_wait %s + 2 * retry_timeout %s = %s is more than ttl %s: Patroni would "+
					"silently change them",
				seconds(p.LoopWait), seconds(p.RetryTimeout), seconds(need), seconds(p.TTL)),
			timingRemedy(p, need))
	}
}

// timingRemedy names the nearest values that work.
func timingRemedy(p Patroni, need time.Duration) string {
	var ways []string
	if need <= longest {
		ways = append(ways, "raise ttl to "+seconds(need))
	}
	if retry := ((p.TTL - p.LoopWait) / 2).Truncate(time.Second); retry >= 3*time.Second {
		ways = append(ways, "lower retry_timeout to "+seconds(retry))
	}
	if len(ways) == 0 {
		return "lower loop_wait to 10 and retry_timeout to 5"
	}
	return strings.Join(ways, " or ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%d", int64(d/time.Second)) }

func (c *checker) balancer() {
	within(c, "balancer.max_connections", c.Balancer.MaxConnections, 1, 1000000)
	c.between("balancer.client_timeout", c.Balancer.ClientTimeout, time.Second, 24*24*time.Hour,
		time.Millisecond)
	c.between("balancer.connect_timeout", c.Balancer.ConnectTimeout, 50*time.Millisecond,
		10*time.Second, time.Millisecond)
	c.between("balancer.check_interval", c.Balancer.CheckInterval, 100*time.Millisecond,
		time.Minute, time.Millisecond)
}

func (c *checker) tls() {
	oneOf(c, "tls.key_algorithm", c.TLS.KeyAlgorithm, KeyECDSA, KeyRSA)
	within(c, "tls.ca_lifetime_days", c.TLS.CALifetimeDays, 1, 36500)
	within(c, "tls.leaf_lifetime_days", c.TLS.LeafLifetimeDays, 1, 36500)
	if c.TLS.LeafLifetimeDays > c.TLS.CALifetimeDays && c.TLS.CALifetimeDays > 0 {
		c.bad(c.blame("tls.leaf_lifetime_days", "tls.ca_lifetime_days"),
			fmt.Sprintf("leaf_lifetime_days %d is more than ca_lifetime_days %d: no certificate "+
				"outlives its CA",
				c.TLS.LeafLifetimeDays, c.TLS.CALifetimeDays),
			fmt.Sprintf("write leaf_lifetime_days: %d or less", c.TLS.CALifetimeDays))
	}
	if _, given := c.d.at["tls.leaf_lifetime"]; !given && c.TLS.LeafLifetime == 0 {
		return
	}
	authority := time.Duration(min(c.TLS.CALifetimeDays, 36500)) * 24 * time.Hour
	c.between("tls.leaf_lifetime", c.TLS.LeafLifetime, 5*time.Minute,
		max(authority, 24*time.Hour), time.Second)
	if _, both := c.d.at["tls.leaf_lifetime_days"]; both {
		c.bad("tls.leaf_lifetime", "leaf_lifetime_days says it as well",
			"delete leaf_lifetime_days")
	}
}

// knownTags are Patroni's own, with the type of their value.
var knownTags = map[string]string{
	"nofailover": "boolean", "noloadbalance": "boolean", "clonefrom": "boolean",
	"nosync":            "boolean",
	"nostream":          "boolean",
	"failover_priority": "number", "sync_priority": "number", "replicatefrom": "member",
}

func (c hostChecker) tags(field string, h Host) {
	for _, name := range slices.Sorted(maps.Keys(h.Tags)) {
		at, value := join(field, name), h.Tags[name]
		switch knownTags[name] {
		case "boolean":
			if _, ok := value.(bool); !ok {
				c.bad(at, fmt.Sprintf("%v is not a boolean", value),
					unquotedOr(value, "write true or false"))
			}
		case "number":
			if n, ok := value.(int); !ok || n < 0 {
				c.bad(at, fmt.Sprintf("%v is not a whole number from 0 on", value),
					unquotedOr(value, "write a number such as 1; 0 means never"))
			}
		case "member":
			c.replicateFrom(at, h, fmt.Sprint(value))
		default:
			if near := suggest.Nearest(name, slices.Sorted(maps.Keys(knownTags))); near != "" {
				c.bad(at, "is not a tag of Patroni but nearly one", "did you mean "+near+"?")
			}
			switch value.(type) {
			case nil, []any, map[string]any:
				c.bad(at, "is not a single value", "write text, a number, true or false")
			}
		}
	}
	if priority, ok := h.Tags["failover_priority"].(int); ok && h.Tags["nofailover"] == true &&
		priority > 0 {
		c.bad(join(field, "failover_priority"), fmt.Sprintf("%d contradicts nofailover: true",
			priority),
			"keep one of the two")
	}
	if priority, ok := h.Tags["sync_priority"].(int); ok && h.Tags["nosync"] == true &&
		priority > 0 {
		c.bad(join(field, "sync_priority"), fmt.Sprintf("%d contradicts nosync: true", priority),
			"keep one of the two")
	}
	if h.Tags["nostream"] == true {
		c.noStream(field, h)
	}
}

// unquotedOr is the remedy for text where quotes alone may be wrong.
func unquotedOr(value any, remedy string) string {
	text, ok := value.(string)
	if !ok {
		return remedy
	}
	_, noBool := scalar.Bool(text)
	n, noNumber := scalar.Whole(text)
	if (noBool == nil && strings.Contains(remedy, "true")) ||
		(noNumber == nil && n >= 0 && strings.Contains(remedy, "number")) {
		return "write " + text + " without quotes"
	}
	return remedy
}

func (c hostChecker) replicateFrom(field string, h Host, source string) {
	var others []string
	for _, o := range c.Databases() {
		if o.Member != h.Member {
			others = append(others, o.Member)
		}
	}
	if !slices.Contains(others, source) {
		c.bad(field, quoted(source)+" is not another member", didYouMean(source, others))
	}
}
