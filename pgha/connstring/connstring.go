package connstring

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/spec"
)

// HostPort joins a host and a port; an IPv6 address gets brackets.
func HostPort(host string, port int) string { return hostport.Join(host, port) }

// Connection says how to reach the cluster's primary as its superuser. No field holds a password:
// it is in the file Connection.PassFile, which only the operator can read.
type Connection struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	// ReadPort is the port of the replicas on the same host, 0 without a balancer.
	ReadPort    int    `json:"read_port"`
	User        string `json:"user"`
	Database    string `json:"database"`
	SSLRootCert string `json:"sslrootcert"`
	// PassFile holds the password; "" with secrets.age, which leaves no password plain on this
	// machine.
	PassFile string `json:"passfile,omitempty"`
	// DSN are libpq keywords, for psql and everything built on libpq (not pgx, which takes URL):
	// superuser, sslmode=verify-full, and limits by which a session whose server is gone ends after
	// 25 s. Without a balancer it names all databases, as every string here does
	// then, and the client finds the primary among them.
	DSN string `json:"dsn"`
	// ReadDSN is the same for the replicas; "" for a lone database without a balancer.
	ReadDSN string `json:"read_dsn,omitempty"`
	// MultiHost goes to the databases themselves, without a balancer: libpq finds the primary among
	// them.
	MultiHost string `json:"multi_host"`
	// URL is the form that pgx and most drivers take. Of the limits it has connect_timeout alone.
	URL string `json:"url"`
	// JDBC is the form of the PostgreSQL JDBC driver, which reads the password from elsewhere. How
	// often its host asks a silent server is the kernel's (net.ipv4.tcp_keepalive_time).
	JDBC string `json:"jdbc"`

	hosts    []string // of the databases
	port     int      // of each of them
	balanced bool
}

// ConnectionFor says how to connect to the cluster of a spec that was applied from this machine. It
// needs no host. The password file it writes lies in the state directory with mode 0600; with
// secrets.age none is written, and the function PassFile gives its content. Where the spec gets
// passwords from commands they are run, each for a minute at most. ErrNotProvisioned means that
// there is no such cluster yet.
func ConnectionFor(sp *spec.Spec) (Connection, error) {
	s := &vault.State{Dir: sp.StateDir, Direct: true}
	cr, err := vault.ReadCredentials(context.Background(), sp)
	if err != nil {
		return Connection{}, err
	}
	host, port := WriteEndpoint(sp)
	conn := Connection{Host: host, Port: port, User: sp.PostgreSQL.Superuser, Database: "postgres"}
	root, err := filepath.Abs(s.Path("postgres-ca.crt"))
	if err != nil {
		return conn, fmt.Errorf("find the state directory: %w", err)
	}
	conn.SSLRootCert = root
	if !sp.Secrets.Age.On() {
		conn.PassFile = filepath.Join(filepath.Dir(root), vault.PassFileName)
		if err := s.KeepPassFile(conn.User, cr.Superuser); err != nil {
			return conn, err
		}
	}
	for _, h := range sp.Databases() {
		conn.hosts = append(conn.hosts, h.Address)
	}
	conn.port, conn.balanced = sp.PostgreSQL.Port, len(sp.Balancers()) > 0
	if conn.balanced {
		conn.ReadPort = sp.Balancer.ReadPort
	}
	conn.render()
	return conn, nil
}

// As is the connection to another database, or as another role; "" leaves what is. Another role has
// no password file.
func (c Connection) As(database, user string) Connection {
	if user != "" && user != c.User {
		c.User, c.PassFile = user, ""
	}
	c.Database = cmp.Or(database, c.Database)
	c.render()
	return c
}

// render writes the strings. Without a balancer they name every database, and the client finds the
// one that is asked for.
func (c *Connection) render() {
	port := strconv.Itoa(c.port)
	all := strings.Join(c.hosts, ",")
	ports := strings.Join(slices.Repeat([]string{port}, len(c.hosts)), ",")
	c.MultiHost = c.keywords(all, ports) + " target_session_attrs=read-write"
	q := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {c.SSLRootCert},
		"connect_timeout": {connectTimeout}}
	if c.PassFile != "" {
		q.Set("passfile", c.PassFile)
	}
	where, jdbc := HostPort(c.Host, c.Port), ""
	c.DSN = c.keywords(c.Host, strconv.Itoa(c.Port))
	switch {
	case c.balanced:
		c.ReadDSN = c.keywords(c.Host, strconv.Itoa(c.ReadPort))
	case len(c.hosts) > 1:
		c.DSN, c.ReadDSN = c.MultiHost, c.keywords(all, ports)+
			" target_session_attrs=prefer-standby"
		var each []string
		for _, h := range c.hosts {
			each = append(each, HostPort(h, c.port))
		}
		where, jdbc = strings.Join(each, ","), "&targetServerType=primary"
		q.Set("target_session_attrs", "read-write")
	}
	c.URL = (&url.URL{Scheme: "postgresql", User: url.User(c.User), Host: where,
		Path:     "/" + c.Database,
		RawQuery: q.Encode()}).String()
	c.JDBC = fmt.Sprintf(
		"jdbc:postgresql://%s/%s?user=%s&ssl=true&sslmode=verify-full&sslrootcert=%s"+
			"&connectTimeout=%s&tcpKeepAlive=true%s",
		where, url.PathEscape(c.Database), url.QueryEscape(c.User),
		url.QueryEscape(c.SSLRootCert), connectTimeout, jdbc)
}

// connectTimeout bounds, in seconds, the connection to each host.
const connectTimeout = "5"

// limits end a wait for a server that is gone: its host is asked after 10 s of silence, three times
// 5 s apart, and what was sent is acknowledged within 25 s. They are libpq's (tcp_user_timeout since
// version 12). pgx 5.12 would hand all but the first to the server as settings, which refuses them:
// so they do not stand in a URL.
var limits = [][2]string{{"connect_timeout", connectTimeout}, {"keepalives_idle", "10"},
	{"keepalives_interval", "5"}, {"keepalives_count", "3"}, {"tcp_user_timeout", "25000"}}

// keywords renders libpq keywords.
func (c Connection) keywords(host, port string) string {
	var b strings.Builder
	words := [][2]string{{"host", host}, {"port", port}, {"user", c.User}, {"dbname", c.Database},
		{"sslmode", "verify-full"}, {"sslrootcert", c.SSLRootCert}}
	if c.PassFile != "" {
		words = append(words, [2]string{"passfile", c.PassFile})
	}
	for i, kv := range append(words, limits...) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(kv[0] + "=" + quoteKeyword(kv[1]))
	}
	return b.String()
}

// quoteKeyword quotes a libpq keyword's value where it needs it.
func quoteKeyword(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\v\f\r'\\") {
		return s
	}
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

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
