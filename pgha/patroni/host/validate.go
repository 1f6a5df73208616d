package host

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/internal/syntax"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/scram"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/pki"
)

var (
	namePattern = regexp.MustCompile(syntax.Name)
	slotPattern = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)
)

// Validate refuses options that cannot work, and those that Patroni would silently change into
// others. The error gathers everything that is wrong; it matches patroni.ErrInvalid. Pure
// computation: nothing is looked at on any host.
func (o Options) Validate() error {
	o = o.WithDefaults()
	var wrong []error
	for _, check := range []func(Options) []error{
		checkTimings, checkMembers, checkRoles, checkServer, checkParameters, checkSlots,
		checkRules,
		checkExtra, checkCertificates, checkFailover,
	} {
		wrong = append(wrong, check(o)...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", rest.ErrInvalid, errs.Join(wrong...))
}

// checkTimings follows Patroni's rules, which it enforces by changing the values and logging a
// warning.
func checkTimings(o Options) (problems []error) {
	seconds := map[string]time.Duration{"ttl": o.TTL, "loop_wait": o.LoopWait,
		"retry_timeout":    o.RetryTimeout,
		"member_slots_ttl": o.MemberSlotsTTL}
	if o.PrimaryStartTimeout != nil {
		seconds["primary_start_timeout"] = *o.PrimaryStartTimeout
	}
	for _, name := range slices.Sorted(maps.Keys(seconds)) {
		if d := seconds[name]; d < 0 || d%time.Second != 0 {
			problems = append(problems, fmt.Errorf("%s %s: must be whole seconds and not negative",
				name, d))
		}
	}
	for _, min := range []struct {
		name         string
		value, least time.Duration
	}{{"ttl", o.TTL, 20 * time.Second}, {"loop_wait", o.LoopWait, time.Second},
		{"retry_timeout", o.RetryTimeout, 3 * time.Second}} {
		if min.value < min.least {
			problems = append(problems, fmt.Errorf("%s %s: Patroni takes nothing below %s",
				min.name,
				min.value, min.least))
		}
	}
	if o.LoopWait+2*o.RetryTimeout > o.TTL {
		problems = append(problems,
			fmt.Errorf("loop_wait %s + 2 * retry_timeout %s is more than ttl %s: a leader could "+
				"lose its lock while it still retries", o.LoopWait, o.RetryTimeout, o.TTL))
	}
	if *o.MaximumLagOnFailover < 0 {
		problems = append(problems, fmt.Errorf("maximum_lag_on_failover %d: must not be negative",
			*o.MaximumLagOnFailover))
	}
	return problems
}

func checkMembers(o Options) (problems []error) {
	if len(o.Members) == 0 {
		problems = append(problems, errors.New("no members"))
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for _, m := range o.Members {
		if !namePattern.MatchString(m.Name) {
			problems = append(problems,
				fmt.Errorf("member name %q: use letters, digits, dot, hyphen and underscore",
					m.Name))
		}
		ip, err := netip.ParseAddr(m.Address)
		if err != nil || ip.IsUnspecified() || ip.IsLoopback() || ip.Zone() != "" {
			problems = append(problems,
				fmt.Errorf("member %s: address %q must be an IP address that the other members "+
					"can reach",
					m.Name, m.Address))
		}
		if names[m.Name] {
			problems = append(problems, fmt.Errorf("two members are called %q: both could become "+
				"leader", m.Name))
		}
		if addresses[m.Address] {
			problems = append(problems, fmt.Errorf("two members have the address %q", m.Address))
		}
		names[m.Name], addresses[m.Address] = true, true
		if o.Watchdog == WatchdogRequired && !m.HasWatchdog {
			problems = append(problems, fmt.Errorf("member %s: a watchdog is required but the "+
				"host has none", m.Name))
		}
	}
	if len(o.EtcdEndpoints) == 0 {
		problems = append(problems, errors.New("no etcd endpoints"))
	}
	for _, e := range o.EtcdEndpoints {
		if _, err := netip.ParseAddrPort(e); err != nil {
			problems = append(problems, fmt.Errorf("etcd endpoint %q: must be \"ip:port\" "+
				"without a scheme", e))
		}
	}
	return problems
}

func checkRoles(o Options) (problems []error) {
	seen := map[string]string{}
	for _, r := range []struct {
		what string
		Credentials
	}{{"superuser", o.Superuser}, {"replication", o.Replication}, {"rewind", o.Rewind}} {
		if badRole(r.Username) {
			problems = append(problems, fmt.Errorf("%s: role name %q cannot be used in pg_hba.conf",
				r.what, r.Username))
		}
		password := string(r.Password.Reveal())
		if password == "" {
			problems = append(problems, fmt.Errorf("%s: no password", r.what))
		}
		if strings.ContainsAny(password, "\x00\r\n") || !utf8.ValidString(password) {
			problems = append(problems,
				fmt.Errorf("%s: the password holds a line break or is no text, which libpq's "+
					"password file cannot hold", r.what))
		}
		if password != "" && !scram.Verifies(r.Verifier, r.Password) {
			problems = append(problems,
				fmt.Errorf("%s: the verifier is missing or another password's: make one with "+
					"NewVerifier", r.what))
		}
		if other, taken := seen[r.Username]; taken {
			problems = append(problems, fmt.Errorf("%s and %s are the same role %q: each needs "+
				"its own",
				other, r.what, r.Username))
		}
		seen[r.Username] = r.what
	}
	return problems
}

func checkServer(o Options) (problems []error) {
	if !namePattern.MatchString(o.Scope) {
		problems = append(problems, fmt.Errorf("scope %q: use letters, digits, dot, hyphen and "+
			"underscore", o.Scope))
	}
	if !strings.HasPrefix(o.Namespace, "/") {
		problems = append(problems, fmt.Errorf("namespace %q: must begin with a slash",
			o.Namespace))
	}
	if o.PostgreSQLVersion < 13 || o.PostgreSQLVersion > 99 {
		problems = append(problems, fmt.Errorf("PostgreSQL version %d: must be a major version, "+
			"13 or later",
			o.PostgreSQLVersion))
	}
	for what, dir := range map[string]string{"data directory": o.DataDir,
		"program directory": o.BinDir} {
		if !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" {
			problems = append(problems, fmt.Errorf("%s %q: must be an absolute, clean path",
				what, dir))
		}
	}
	for what, port := range map[string]int{"PostgreSQL": o.ListenPort, "REST API": o.RESTPort} {
		if port < 1 || port > 65535 {
			problems = append(problems, fmt.Errorf("%s port %d: out of range", what, port))
		}
	}
	if o.ListenPort == o.RESTPort {
		problems = append(problems, fmt.Errorf("PostgreSQL and the REST API share port %d",
			o.ListenPort))
	}
	if !slices.Contains([]SynchronousMode{SynchronousOff, SynchronousOn, SynchronousStrict,
		SynchronousQuorum},
		o.SynchronousMode) {
		problems = append(problems, fmt.Errorf("synchronous mode %q: must be off, on, strict or "+
			"quorum",
			o.SynchronousMode))
	}
	if !slices.Contains([]WatchdogMode{WatchdogAutomatic, WatchdogOff, WatchdogRequired},
		o.Watchdog) {
		problems = append(problems, fmt.Errorf("watchdog %q: must be automatic, off or required",
			o.Watchdog))
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}

func checkParameters(o Options) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(o.Parameters)) {
		if value := o.Parameters[name]; value != nil {
			if err := dynamic.CheckParameter(name, value,
				o.SynchronousMode != SynchronousOff); err != nil {
				problems = append(problems, err)
			}
		}
	}
	return problems
}

// checkSlots refuses what Patroni would leave out with a line in its log, or would drop.
func checkSlots(o Options) (problems []error) {
	seen := map[string]bool{}
	for _, s := range o.Slots {
		switch {
		case !slotPattern.MatchString(s.Name):
			problems = append(problems, fmt.Errorf("slot %q: use up to 63 lower-case letters, "+
				"digits and underscores", s.Name))
		case seen[s.Name]:
			problems = append(problems, fmt.Errorf("two slots are called %q", s.Name))
		case (s.Database == "") != (s.Plugin == ""):
			problems = append(problems, fmt.Errorf("slot %s: a logical slot has a database and a "+
				"plugin, a physical one neither", s.Name))
		case o.NoSlots:
			problems = append(problems, fmt.Errorf("slot %s: NoSlots keeps no slots at all", s.Name))
		}
		seen[s.Name] = true
	}
	return problems
}

func checkRules(o Options) (problems []error) {
	for _, line := range o.PgHBA {
		fields, ok := hba.Fields(line)
		switch {
		case strings.ContainsAny(line, "\r\n\x00"):
			problems = append(problems, fmt.Errorf("pg_hba rule %q: one rule a line", line))
		case !ok || strings.HasPrefix(fields[0], "include"):
			problems = append(problems, fmt.Errorf("pg_hba rule %q: write the rule itself", line))
		case slices.Contains(fields, "trust") || slices.Contains(fields, "md5") ||
			slices.Contains(fields, "password"):
			problems = append(problems,
				fmt.Errorf("pg_hba rule %q: trust, password and md5 are refused; use "+
					"scram-sha-256, cert or peer", line))
		}
	}
	networks := func(what string, cidrs []string) {
		for _, cidr := range cidrs {
			if _, err := netip.ParsePrefix(cidr); err != nil {
				problems = append(problems,
					fmt.Errorf("%s network %q: must be address/bits", what, cidr))
			}
		}
	}
	networks("application", o.ApplicationCIDRs)
	networks("superuser", o.SuperuserCIDRs)
	for _, a := range o.Access {
		if badRole(a.Role) || badRole(a.Database) {
			problems = append(problems,
				fmt.Errorf("access of role %q to database %q: a name cannot be used in pg_hba.conf",
					a.Role, a.Database))
		}
		networks("access", a.CIDRs)
	}
	return problems
}

// checkExtra keeps the roles' passwords from being lost: Patroni runs one such command only.
func checkExtra(o Options) (problems []error) {
	bootstrap, _ := o.Extra["bootstrap"].(map[string]any)
	for _, name := range []string{"post_bootstrap", "post_init"} {
		if _, there := bootstrap[name]; there {
			problems = append(problems,
				fmt.Errorf("extra: bootstrap.%s: that command sets the roles' passwords; run "+
					"your own SQL once the cluster is there", name))
		}
	}
	return problems
}

// checkCertificates looks for what would only show as a failed handshake on a host: a key that
// belongs to another certificate, a server certificate without the name it is asked for.
func checkCertificates(o Options) (problems []error) {
	for what, pem := range map[string][]byte{"etcd CA": o.EtcdCA, "REST CA": o.RESTCA,
		"PostgreSQL CA": o.PostgresCA} {
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			problems = append(problems, fmt.Errorf("%s: no certificate in it", what))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	check := func(what string, pair pki.KeyPair, names ...string) {
		cert, err := pair.TLS()
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", what, err))
			return
		}
		for _, name := range names {
			if err := cert.Leaf.VerifyHostname(name); err != nil {
				problems = append(problems, fmt.Errorf("%s: does not cover %s", what, name))
			}
		}
	}
	check("operator certificate", o.Operator)
	for _, m := range o.Members {
		check("member "+m.Name+": etcd client certificate", m.EtcdClient)
		check("member "+m.Name+": REST server certificate", m.REST, m.Address)
		check("member "+m.Name+": REST client certificate", m.RESTClient)
		check("member "+m.Name+": PostgreSQL server certificate", m.Postgres, m.Address,
			"localhost")
	}
	return problems
}
