package pgha

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// Connection says how to reach the cluster's primary as its superuser. No field holds a password: it is in the file
// Connection.PassFile, which only the operator can read.
type Connection struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	// ReadPort is the port of the replicas on the same host, 0 without a balancer.
	ReadPort    int    `json:"read_port"`
	User        string `json:"user"`
	Database    string `json:"database"`
	SSLRootCert string `json:"sslrootcert"`
	// PassFile holds the password; "" with secrets.age, which leaves no password plain on this machine.
	PassFile string `json:"passfile,omitempty"`
	// DSN are libpq keywords, for psql and everything built on libpq: superuser, sslmode=verify-full.
	DSN string `json:"dsn"`
	// ReadDSN is the same for the replicas.
	ReadDSN string `json:"read_dsn,omitempty"`
	// MultiHost goes to the databases themselves, without a balancer: libpq finds the primary among them.
	MultiHost string `json:"multi_host"`
	// URL is the form that pgx and most drivers take.
	URL string `json:"url"`
	// JDBC is the form of the PostgreSQL JDBC driver, which reads the password from elsewhere.
	JDBC string `json:"jdbc"`
}

// ConnectionFor says how to connect to the cluster of a spec that was applied from this machine. It needs no host. The
// password file it writes lies in the state directory with mode 0600; with secrets.age none is written, and the function
// PassFile gives its content. Where the spec gets passwords from commands they are
// run, each for a minute at most. ErrNotProvisioned means that there is no such cluster yet.
func ConnectionFor(sp *Spec) (Connection, error) {
	s := &state{dir: sp.StateDir}
	cr, err := readCredentials(context.Background(), sp)
	if err != nil {
		return Connection{}, err
	}
	host, port := writeEndpoint(sp)
	conn := Connection{Host: host, Port: port, User: sp.PostgreSQL.Superuser, Database: "postgres"}
	root, err := filepath.Abs(s.path("postgres-ca.crt"))
	if err != nil {
		return conn, fmt.Errorf("find the state directory: %w", err)
	}
	conn.SSLRootCert = root
	if !sp.Secrets.Age.On() {
		conn.PassFile = filepath.Join(filepath.Dir(root), passFile)
		if err := s.keepPassFile(conn.User, cr.superuser); err != nil {
			return conn, err
		}
	}
	var hosts, ports []string
	for _, h := range sp.Databases() {
		hosts, ports = append(hosts, h.Address), append(ports, strconv.Itoa(sp.PostgreSQL.Port))
	}
	conn.DSN = conn.keywords(host, strconv.Itoa(port))
	if len(sp.Balancers()) > 0 {
		conn.ReadPort = sp.Balancer.ReadPort
		conn.ReadDSN = conn.keywords(host, strconv.Itoa(conn.ReadPort))
	}
	conn.MultiHost = conn.keywords(strings.Join(hosts, ","), strings.Join(ports, ",")) + " target_session_attrs=read-write"
	q := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {root}}
	if conn.PassFile != "" {
		q.Set("passfile", conn.PassFile)
	}
	conn.URL = (&url.URL{Scheme: "postgresql", User: url.User(conn.User), Host: hostPort(host, port), Path: "/" + conn.Database, RawQuery: q.Encode()}).String()
	conn.JDBC = fmt.Sprintf("jdbc:postgresql://%s/%s?user=%s&ssl=true&sslmode=verify-full&sslrootcert=%s", hostPort(host, port), conn.Database, url.QueryEscape(conn.User), url.QueryEscape(root))
	return conn, nil
}

// keywords renders libpq keywords.
func (c Connection) keywords(host, port string) string {
	var b strings.Builder
	words := [][2]string{{"host", host}, {"port", port}, {"user", c.User}, {"dbname", c.Database}, {"sslmode", "verify-full"}, {"sslrootcert", c.SSLRootCert}}
	if c.PassFile != "" {
		words = append(words, [2]string{"passfile", c.PassFile})
	}
	for i, kv := range words {
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

// passFile is the superuser's libpq password file in the state directory.
const passFile = "pgpass"

// keepPassFile writes it, unless no password may lie plain.
func (s *state) keepPassFile(user, password string) error {
	if s.box != nil {
		return nil
	}
	return s.keep(passFile, passFileFor(user, password))
}

func passFileFor(user, password string) []byte {
	return []byte("*:*:*:" + escapePgpass(user) + ":" + escapePgpass(password) + "\n")
}

// escapePgpass escapes a field of a libpq password file.
func escapePgpass(s string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(s) }

// writeEndpoint is where applications write: the virtual IP, else the first balancer, else the first database.
func writeEndpoint(sp *Spec) (host string, port int) {
	switch {
	case sp.VIP != nil:
		return sp.VIP.Address, sp.Balancer.WritePort
	case len(sp.Balancers()) > 0:
		return sp.Balancers()[0].Address, sp.Balancer.WritePort
	}
	return sp.Databases()[0].Address, sp.PostgreSQL.Port
}
