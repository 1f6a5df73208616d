package connstring

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/spec"
)

// HostPort joins a host and a port; an IPv6 address gets brackets.
func HostPort(host string, port int) string { return hostport.Join(host, port) }

// Connection says how to reach the cluster as its superuser, or as another role. No field holds a
// password: it is in the files PassFile and PasswordFile, which only their owner can read.
type Connection struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	// ReadPort is the port of the replicas on the same host, 0 without a balancer.
	ReadPort    int    `json:"read_port"`
	User        string `json:"user"`
	Database    string `json:"database"`
	SSLRootCert string `json:"sslrootcert"`
	// PassFile is the libpq password file that the strings name; "" with secrets.age, which leaves
	// no password plain on this machine, and for a role whose password is not known here.
	PassFile string `json:"passfile,omitempty"`
	// PasswordFile holds the password alone, for drivers that read no libpq password file.
	PasswordFile string `json:"password_file,omitempty"`
	// ServiceFile is the service file that Export wrote.
	ServiceFile string `json:"service_file,omitempty"`
	// DSN are libpq keywords, for psql and everything built on libpq (not pgx, which takes URL):
	// sslmode=verify-full, and limits by which a session whose server is gone ends after 25 s.
	// Without a balancer it names all databases, as every string here does then, and the client
	// finds the primary among them.
	DSN string `json:"dsn"`
	// ReadDSN is the same for the replicas; "" for a lone database without a balancer.
	ReadDSN string `json:"read_dsn,omitempty"`
	// PoolDSN and PoolReadDSN are DSN and ReadDSN through the pooler; "" without one.
	PoolDSN     string `json:"pool_dsn,omitempty"`
	PoolReadDSN string `json:"pool_read_dsn,omitempty"`
	// MultiHost goes to the databases themselves, without a balancer: libpq finds the primary among
	// them.
	MultiHost string `json:"multi_host"`
	// URL is pgx's form. Of the limits it has connect_timeout alone.
	URL string `json:"url"`
	// JDBC is the form of PostgreSQL's JDBC driver, which takes its password file from the
	// environment.
	JDBC string `json:"jdbc"`
	// Forms are all forms, those above among them.
	Forms []Form `json:"forms"`

	hosts     []string // of the databases
	port      int      // of each of them
	balanced  bool
	pool      *spec.Pooler // nil without one
	pooled    bool         // the strings lead through it
	cluster   string
	roles     map[string]string // those whose password is known, with the file where it stands alone
	toProvide string            // why no file holds the password yet; "" if they do
}

// ConnectionFor says how to connect to the cluster of a spec that was applied from this machine. It
// needs no host. The password files it writes lie in the state directory with mode 0600; with
// secrets.age none is written, and Export and the function PassFile give the password. Where the
// spec gets passwords from commands they are run, each for a minute at most. ErrNotProvisioned
// means that there is no such cluster yet.
func ConnectionFor(sp *spec.Spec) (Connection, error) {
	s := &vault.State{Dir: sp.StateDir}
	cr, err := vault.ReadCredentials(context.Background(), sp)
	if err != nil {
		return Connection{}, err
	}
	host, port := WriteEndpoint(sp)
	conn := Connection{Host: host, Port: port, User: sp.PostgreSQL.Superuser, Database: "postgres",
		cluster: sp.Cluster, port: sp.PostgreSQL.Port, balanced: len(sp.Balancers()) > 0,
		pool: sp.Pooler}
	root, err := filepath.Abs(s.Path("postgres-ca.crt"))
	if err != nil {
		return conn, fmt.Errorf("find the state directory: %w", err)
	}
	conn.SSLRootCert = root
	if sp.Secrets.Age.On() {
		conn.toProvide = "the password is encrypted in the state directory"
	} else {
		conn.PassFile = filepath.Join(filepath.Dir(root), vault.PassFileName)
		conn.PasswordFile = filepath.Join(filepath.Dir(root), vault.PasswordFileName)
	}
	if err := conn.know(sp, cr); err != nil {
		return conn, err
	}
	for _, h := range sp.Databases() {
		conn.hosts = append(conn.hosts, h.Address)
	}
	if conn.balanced {
		conn.ReadPort = sp.Balancer.ReadPort
	}
	conn.render()
	return conn, nil
}

// know keeps the passwords of the superuser and of the specification's roles for the strings.
func (c *Connection) know(sp *spec.Spec, cr *vault.Credentials) error {
	ctx := context.Background()
	read, err := vault.ReadState(ctx, sp)
	if err != nil {
		return err
	}
	logins, err := read.Logins(ctx, sp, cr.Superuser)
	if err != nil {
		return err
	}
	c.roles = map[string]string{c.User: c.PasswordFile}
	for _, l := range logins[1:] {
		c.roles[l.Role] = ""
		i := slices.IndexFunc(sp.PGRoles, func(r spec.PGRole) bool { return r.Name == l.Role })
		if !sp.Secrets.Age.On() && !sp.PGRoles[i].GivenPassword() {
			c.roles[l.Role] = filepath.Join(filepath.Dir(c.SSLRootCert),
				vault.SecretFile(vault.RoleSecret(l.Role), ""))
		}
	}
	keep := &vault.State{Dir: sp.StateDir, Direct: true, Box: read.Box}
	return keep.KeepPassFile(logins)
}

// As is the connection to another database, or as another role; "" leaves what is. Of a role that
// the specification does not name no password is known here: the forms say where it has to be put.
func (c Connection) As(database, user string) Connection {
	if user != "" && user != c.User {
		file, known := c.roles[user]
		c.User, c.PasswordFile = user, file
		if !known {
			c.PassFile, c.toProvide = "", "the password of this role is not known here"
		}
	}
	c.Database = cmp.Or(database, c.Database)
	c.render()
	return c
}

// Form returns the form of that name.
func (c Connection) Form(name string) (Form, bool) {
	at := slices.IndexFunc(c.Forms, func(f Form) bool { return f.Name == name })
	if at < 0 {
		return Form{}, false
	}
	return c.Forms[at], true
}

// FormNames are the names of all forms.
func FormNames() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return names
}

// render writes the strings. Without a balancer they name every database, and the client finds the
// one that is asked for.
func (c *Connection) render() {
	c.Forms = c.forms()
	write := func(name string) string {
		f, _ := c.Form(name)
		return f.Write.String
	}
	psql, _ := c.Form("psql")
	c.DSN, c.ReadDSN = psql.Write.String, psql.Read.String
	c.MultiHost, c.URL, c.JDBC = write("multi-host"), write("pgx"), write("jdbc")
	if c.pool != nil {
		c.PoolDSN = keywords(c.throughPool().target(false))
		c.PoolReadDSN = keywords(c.throughPool().target(false).toReplicas(*c.throughPool()))
	}
}

// throughPool is the same with the pooler's ports, and no strings.
func (c *Connection) throughPool() *Connection {
	p := *c
	p.Port, p.ReadPort, p.pooled = c.pool.WritePort, c.pool.ReadPort, true
	return &p
}

// Pooled is the connection through the pooler: every form leads to its ports. ErrNoPooler where the
// specification has none.
func (c Connection) Pooled() (Connection, error) {
	if c.pool == nil {
		return c, ErrNoPooler
	}
	p := c.throughPool()
	p.render()
	return *p, nil
}

// ErrNoPooler: the specification has no pooler.
var ErrNoPooler = errs.WithNext(errs.New(errs.Refused, "there is no pooler"),
	errs.Text("write pooler: {} into the specification, and apply it"))

// WriteEndpoint is where applications write: the virtual IP, else the first balancer, else the
// first database.
func WriteEndpoint(sp *spec.Spec) (host string, port int) {
	switch {
	case sp.VIP != nil:
		return sp.VIP.Address, sp.Balancer.WritePort
	case len(sp.Balancers()) > 0:
		return sp.Balancers()[0].Address, sp.Balancer.WritePort
	}
	return sp.Databases()[0].Address, sp.PostgreSQL.Port
}
