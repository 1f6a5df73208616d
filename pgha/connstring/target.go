package connstring

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/internal/pgsession"
)

// target is what a form is written from.
type target struct {
	hosts    []string
	port     int
	wanted   session
	user     string
	database string
	ca       string
	service  string // the name of the section in a service file
	// The files that are named; "" where there is none.
	passFile, passwordFile, serviceFile string
	// toProvide says why the files are still to be made; "" if the password is in them.
	toProvide string
}

// session is the kind of server that is wanted among several.
type session int

const (
	anyServer session = iota
	primary
	replica
)

// target is where the connection leads to the primary: through the balancers, or direct, as without
// balancers, to every database.
func (c Connection) target(direct bool) target {
	w := target{hosts: []string{c.Host}, port: c.Port, user: c.User, database: c.Database,
		ca: c.SSLRootCert, service: c.cluster, passFile: c.PassFile, passwordFile: c.PasswordFile,
		serviceFile: c.ServiceFile, toProvide: c.toProvide}
	if c.pooled {
		w.service += "-pool"
	}
	if direct || !c.balanced && len(c.hosts) > 1 {
		w.hosts, w.port, w.wanted = c.hosts, c.port, primary
	}
	return w
}

// readable tells whether there is a way to replicas.
func (c Connection) readable() bool { return c.balanced || len(c.hosts) > 1 }

// toReplicas is the same for the replicas.
func (w target) toReplicas(c Connection) target {
	w.service += "-read"
	if w.wanted == primary {
		w.wanted = replica
	} else {
		w.port = c.ReadPort
	}
	return w
}

// ports are as many as hosts, as libpq wants them.
func (w target) ports() []string {
	return slices.Repeat([]string{strconv.Itoa(w.port)}, len(w.hosts))
}

// where is each host with its port, joined by commas.
func (w target) where() string {
	var each []string
	for _, h := range w.hosts {
		each = append(each, hostport.Join(h, w.port))
	}
	return strings.Join(each, ",")
}

// attributes is libpq's word for the session, "" where any server will do.
func (w target) attributes() string {
	return [...]string{anyServer: "", primary: "read-write", replica: "prefer-standby"}[w.wanted]
}

// source is the way a client takes its password.
type source int

const (
	inString      source = iota // the string names a libpq password file
	inEnvironment               // PGPASSFILE does
	inFile                      // the code reads a file that holds the password alone
)

// source says where the client takes the password from, or where it has to be put.
func (w target) source(s source) string {
	line := "*:*:*:" + pgsession.PassFileField(w.user) + ":PASSWORD"
	switch {
	case s == inFile && w.toProvide == "":
		return "the code reads " + w.passwordFile
	case s == inFile && w.passwordFile != "":
		return fmt.Sprintf("%s: write it, and nothing else, into %s (mode 0600)", w.toProvide,
			w.passwordFile)
	case s == inFile:
		return fmt.Sprintf("%s: write it, and nothing else, into a file (mode 0600), and the "+
			"file's path in place of %s", w.toProvide, placeholder)
	case w.toProvide != "":
		return fmt.Sprintf("%s: write the line %s into %s (mode 0600)", w.toProvide, line,
			cmp.Or(w.passFile, "~/.pgpass"))
	case s == inEnvironment:
		return "PGPASSFILE names " + w.passFile
	}
	return "the string names " + w.passFile
}

// placeholder stands for the path of a file that there is not yet.
const placeholder = "PASSWORD-FILE"
