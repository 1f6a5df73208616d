package pooler

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/pgha/toolkit/pgha/layout"
)

//go:embed pgbouncer.ini.tmpl
var configTemplate string

// Instance is one of a balancer's two poolers.
type Instance string

// The instances.
const (
	Write Instance = "write"
	Read  Instance = "read"
)

// Instances are both, in the order in which they are shown.
func Instances() []Instance { return []Instance{Write, Read} }

// LookupDatabase is what the poolers call the database where passwords are looked up, and Console
// their own.
const (
	LookupDatabase = "pgha_lookup"
	Console        = "pgbouncer"
)

// model is what the template sees.
type model struct {
	Options
	Port, Size                                         int
	Server, SocketDir, Cert, Key, CAFile, Rules, Users string
	LookupDatabase                                     string
	Databases                                          []pool
}

// pool is a line of the databases.
type pool struct {
	Name string
	Mode Mode
	Size int
}

// Config renders the configuration of one of the poolers, the same for every balancer. PgBouncer
// 1.26 and later accept it. It holds no secret. Errors match ErrInvalid. Safe for concurrent use,
// changes nothing.
func Config(o Options, i Instance) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("render %s.ini: %w", i, err)
	}
	o = o.WithDefaults()
	at := layout.CertificateOf(layout.Pooler)
	m := model{Options: o, Port: o.port(i), Size: o.Sizes.of(i),
		Server:    "host=127.0.0.1 port=" + strconv.Itoa(o.serverPort(i)),
		SocketDir: socketDir(i), Cert: at.File, Key: at.Key, CAFile: at.CA, Rules: rulesPath,
		Users: usersPath, LookupDatabase: LookupDatabase}
	for _, d := range o.Databases {
		m.Databases = append(m.Databases, pool{d.Name, cmp.Or(d.Mode, o.Mode), d.Sizes.of(i)})
	}
	t, err := template.New(string(i)).Option("missingkey=error").Funcs(template.FuncMap{
		"name": name, "seconds": seconds}).Parse(configTemplate)
	if err != nil {
		return nil, fmt.Errorf("render %s.ini: %w", i, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, m); err != nil {
		return nil, fmt.Errorf("render %s.ini: %w: %w", i, ErrInvalid, err)
	}
	return out.Bytes(), nil
}

func (s Sizes) of(i Instance) int {
	if i == Read {
		return s.Read
	}
	return s.Write
}

func (o Options) port(i Instance) int {
	if i == Read {
		return o.ReadPort
	}
	return o.WritePort
}

func (o Options) serverPort(i Instance) int {
	if i == Read {
		return o.ServerReadPort
	}
	return o.ServerWritePort
}

// name makes s a key of an ini file.
func name(s string) (string, error) {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`",=;#[]%\'`, r)
	}) {
		return "", fmt.Errorf("%q can't stand in pgbouncer.ini", s)
	}
	return s, nil
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// rules are who gets in, as pg_hba.conf has it: over TLS and with a password, from the networks of
// clients, into databases alone; who reads statistics, into the console. The pooler's own account
// needs no rule for the console: PgBouncer knows it by its number, at the socket.
func (o Options) rules() ([]byte, error) {
	var b strings.Builder
	fmt.Fprintln(&b, "# Written by pgha.")
	if len(o.StatsRoles) > 0 {
		readers, err := quoted(o.StatsRoles)
		if err != nil {
			return nil, err
		}
		for _, network := range networks(o.StatsNetworks, o.Clients) {
			fmt.Fprintf(&b, "hostssl %s %s %s scram-sha-256\n", Console, readers, network)
		}
	}
	refused, err := quoted(append([]string{o.LookupRole}, o.Refused...))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "host %s,%s all all reject\n", Console, LookupDatabase)
	fmt.Fprintf(&b, "host all %s all reject\n", refused)
	for _, network := range networks(o.Clients) {
		fmt.Fprintf(&b, "hostssl all all %s scram-sha-256\n", network)
	}
	return []byte(b.String()), nil
}

// quoted is a list of roles for a rule.
func quoted(roles []string) (string, error) {
	var list []string
	for _, role := range roles {
		if _, err := name(role); err != nil {
			return "", fmt.Errorf("%w: role %w", ErrInvalid, err)
		}
		list = append(list, `"`+role+`"`)
	}
	return strings.Join(list, ","), nil
}

// networks are the first of the lists that names any, and else all.
func networks(lists ...[]string) []string {
	for _, list := range lists {
		if len(list) > 0 {
			return list
		}
	}
	return []string{"all"}
}

// users is the file with the one password that a pooler needs.
func (o Options) users() []byte {
	return fmt.Appendf(nil, "%q %q\n", o.LookupRole, string(o.LookupPassword.Reveal()))
}
