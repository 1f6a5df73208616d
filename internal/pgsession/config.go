package pgsession

import (
	"crypto/tls"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5"
)

// Login says where a session goes, and as which role.
type Login struct {
	Host     string
	Port     uint16
	Database string
	User     string
	Password string
	// TLS is nil for a session without TLS.
	TLS *tls.Config
	// Settings are the parameters that the session begins with.
	Settings map[string]string
}

// plain is a connection string that says everything that pgx would otherwise read from the
// environment or the home directory. What Login says replaces some of it afterwards. On a socket
// pgx reads no certificates.
const plain = "host=/ port=5432 user=nobody database=postgres password=none passfile=/dev/null " +
	"connect_timeout=0 target_session_attrs=any " +
	"sslmode=disable sslnegotiation=postgres sslcertmode=disable min_protocol_version=3.0 " +
	"max_protocol_version=3.0 channel_binding=prefer require_auth=''"

// Config makes a configuration for pgx of the login alone, whatever the environment is. How to dial
// is the caller's.
func (l Login) Config() (*pgx.ConnConfig, error) {
	text := plain
	if os.Getenv("PGSERVICE") != "" {
		// pgx looks a service up as soon as the variable is there, so it gets an empty one.
		file, err := emptyService()
		if err != nil {
			return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
		}
		defer os.Remove(file)
		text += " service=none servicefile='" + file + "'"
	}
	cfg, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	cfg.Host, cfg.Port, cfg.Database, cfg.User, cfg.Password = l.Host, l.Port, l.Database, l.User,
		l.Password
	cfg.TLSConfig, cfg.Fallbacks, cfg.RuntimeParams = l.TLS, nil, l.Settings
	return cfg, nil
}

func emptyService() (path string, err error) {
	file, err := os.CreateTemp("", "pgha-service-")
	if err != nil {
		return "", err
	}
	defer file.Close()
	_, err = file.WriteString("[none]\n")
	return file.Name(), err
}
