package patroni

import (
	"github.com/pgha/toolkit/pgha/internal/scram"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/pki"
)

// What describes a cluster and its hosts is package host's.
type (
	// Options describe a Patroni cluster.
	Options = host.Options
	// Member is one Patroni with its PostgreSQL.
	Member = host.Member
	// Slot is a replication slot that Patroni keeps on all members.
	Slot = host.Slot
	// Credentials are a PostgreSQL role and its password.
	Credentials = host.Credentials
	// AccessRule says which database a role may log in to directly, and from which networks.
	AccessRule = host.AccessRule
	// SynchronousMode says which commits wait for a replica.
	SynchronousMode = host.SynchronousMode
	// WatchdogMode says how Patroni treats the host's watchdog device.
	WatchdogMode = host.WatchdogMode
	// ServerFiles is what the options put into the files of a member's PostgreSQL, in the end.
	ServerFiles = host.ServerFiles
)

// What is wrong with a dynamic configuration is package dynamic's to say.
type (
	// ConfigProblem is one thing that is wrong with a dynamic configuration.
	ConfigProblem = dynamic.Problem
	// ConfigError is all that is wrong with a dynamic configuration. It matches ErrInvalid.
	ConfigError = dynamic.Error
)

// The synchronous modes. The zero value is SynchronousOff.
const (
	SynchronousOff    = host.SynchronousOff
	SynchronousOn     = host.SynchronousOn
	SynchronousStrict = host.SynchronousStrict
	SynchronousQuorum = host.SynchronousQuorum
)

// The watchdog modes. The zero value is WatchdogAutomatic.
const (
	WatchdogAutomatic = host.WatchdogAutomatic
	WatchdogOff       = host.WatchdogOff
	WatchdogRequired  = host.WatchdogRequired
)

// Where the pieces of Patroni lie on a host.
const (
	ConfigPath     = host.ConfigPath
	CertsDir       = host.CertsDir
	Unit           = host.Unit
	WatchUnit      = host.WatchUnit
	FailoverUnit   = host.FailoverUnit
	PasswordFile   = host.PasswordFile
	PostgresCAFile = host.PostgresCAFile
)

// Config returns the bytes of the member's config.yml, as host.Config does.
func Config(o Options, m Member) ([]byte, error) { return host.Config(o, m) }

// Layout describes what Patroni has on each member's host. It uses RESTPort.
func Layout(o Options) layout.Layout { return host.Layout(o) }

// ServerLayout describes what PostgreSQL, which Patroni starts, has on each member's host. It uses
// PostgreSQLVersion, DataDir and ListenPort.
func ServerLayout(o Options) layout.Layout { return host.ServerLayout(o) }

// DefaultParameters returns the PostgreSQL settings that a cluster of this major version starts
// with, as a map of its own that the caller may change.
func DefaultParameters(version int) map[string]any { return host.DefaultParameters(version) }

// ValidateDynamic refuses a dynamic configuration that Patroni would ignore in part, or change
// silently, as dynamic.Validate does. The error is a *ConfigError.
func ValidateDynamic(config map[string]any) error { return dynamic.Validate(config) }

// NewVerifier returns what PostgreSQL stores of a password, with a random salt:
// "SCRAM-SHA-256$4096:<salt>$<keys>". A role that is given it logs in with the password, which the
// server itself never sees. The bytes of the password are used as they are, so it has to be one
// that SASLprep leaves alone.
func NewVerifier(password pki.Secret) (pki.Secret, error) { return scram.New(password) }

// Verifies reports whether a verifier, as NewVerifier makes one, is this password's.
func Verifies(stored, password pki.Secret) bool { return scram.Verifies(stored, password) }
