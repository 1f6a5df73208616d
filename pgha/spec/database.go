package spec

// Ensure says whether something is to be there.
type Ensure string

// What can be ensured.
const (
	// EnsurePresent makes it, and keeps it as it is described.
	EnsurePresent Ensure = "present"
	// EnsureAbsent drops it.
	EnsureAbsent Ensure = "absent"
)

// PGRole is a role of PostgreSQL, of an application or a person. What is left out stays as it is on
// the server; login and replication, which decide who gets in, are kept as they are here in any
// case.
type PGRole struct {
	// Name of the role. No default.
	Name string `yaml:"name"`
	// Ensure is EnsurePresent or EnsureAbsent; a role that owns objects or has sessions is not
	// dropped. Default: EnsurePresent.
	Ensure Ensure `yaml:"ensure"`
	// Login lets the role log in; one that does has a password. Default: true.
	//
	// It is not nil after Parse or Complete.
	Login *bool `yaml:"login,omitempty"`
	// PasswordFile holds the role's password, one line of 12 characters or more in a file on this
	// machine that its owner alone can read. Default: none.
	PasswordFile string `yaml:"password_file,omitempty"`
	// PasswordCommand prints that password, as ["pass", "show", "db/app"] does; not together with
	// PasswordFile. Default: none; without either a password is generated and kept in the state
	// directory.
	PasswordCommand []string `yaml:"password_command,omitempty"`
	// ConnectionLimit is how many sessions the role may have at once; -1 is no limit. Default: as
	// it is, which is none for a new role.
	ConnectionLimit *int `yaml:"connection_limit,omitempty"`
	// MemberOf are roles that this one is a member of, such as pg_monitor; other memberships stay.
	// Default: none.
	MemberOf []string `yaml:"member_of,omitempty"`
	// ValidUntil is when the password expires, as 2027-01-31 or 2027-01-31T18:00:00Z; infinity is
	// never. Default: as it is, which is never for a new role.
	ValidUntil string `yaml:"valid_until,omitempty"`
	// Settings are PostgreSQL's for sessions of this role; null takes one away, and others stay.
	// Default: none.
	Settings map[string]any `yaml:"settings,omitempty"`
	// PoolConnections is how many sessions with PostgreSQL each balancer's pooler opens for the
	// role at most, on each port. Default: 0, as many as its databases have.
	PoolConnections int `yaml:"pool_connections,omitempty"`
	// Replication lets the role replicate; where from is for Access to say. Default: false.
	Replication bool `yaml:"replication"`
}

// PGDatabase is a database of PostgreSQL. What is left out stays as it is on the server.
type PGDatabase struct {
	// Name of the database. No default.
	Name string `yaml:"name"`
	// Ensure is EnsurePresent or EnsureAbsent; a database with sessions is not dropped, and one
	// with tables only WithTables. Default: EnsurePresent.
	Ensure Ensure `yaml:"ensure"`
	// WithTables drops an absent database together with the tables in it. Default: false.
	WithTables bool `yaml:"with_tables,omitempty"`
	// Owner is a role of this specification or of the server. Default: as it is, which is the
	// superuser for a new database.
	Owner string `yaml:"owner,omitempty"`
	// Encoding of a new database; that of an existing one cannot change. Default: the cluster's.
	Encoding string `yaml:"encoding,omitempty"`
	// Locale of a new database; that of an existing one cannot change. Default: the cluster's.
	Locale string `yaml:"locale,omitempty"`
	// ConnectionLimit is how many sessions the database may have at once; -1 is no limit. Default:
	// as it is, which is none for a new database.
	ConnectionLimit *int `yaml:"connection_limit,omitempty"`
	// PoolMode is how long a client of the pooler keeps a session with PostgreSQL. Default: what
	// the pooler's section says.
	PoolMode PoolMode `yaml:"pool_mode,omitempty"`
	// PoolConnections is how many sessions with the primary each balancer's pooler opens to the
	// database at most; to replicas as many in proportion. Default: 0, an equal part of what the
	// others leave.
	PoolConnections int `yaml:"pool_connections,omitempty"`
	// Schemas that are in the database: names, or sections. Default: none.
	Schemas []PGSchema `yaml:"schemas,omitempty"`
	// Extensions that are in the database: names, or sections. Default: none.
	Extensions []PGExtension `yaml:"extensions,omitempty"`
}

// PGSchema is a schema of a database. In a file its name alone may stand for it.
type PGSchema struct {
	// Name of the schema. No default.
	Name string `yaml:"name"`
	// Owner is a role of this specification or of the server. Default: as it is, which is the
	// database's owner for a new schema.
	Owner string `yaml:"owner,omitempty"`
}

// PGExtension is an extension in a database. In a file its name alone may stand for it.
type PGExtension struct {
	// Name of the extension. No default.
	Name string `yaml:"name"`
	// Schema that its objects are in. Default: as it is, which is the extension's own choice, or
	// public.
	Schema string `yaml:"schema,omitempty"`
	// Package is the Debian package that brings it, such as postgresql-18-postgis-3, installed on
	// every database host. Default: none; PostgreSQL's own extensions need none.
	Package string `yaml:"package,omitempty"`
}

// AccessRule says which database a role may log in to, and from where. A role that a rule names
// gets in by its rules alone; all others, by PostgreSQL.ClientNetworks. A session through the
// balancers comes from their addresses to PostgreSQL, so every rule has those.
type AccessRule struct {
	// Role is a role of this specification or of the server that may log in. No default.
	Role string `yaml:"role"`
	// Database is a database of this specification or of the server; all stands for every one, and
	// replication for the stream of physical replication. No default.
	Database string `yaml:"database"`
	// Networks that the role may log in from to PostgreSQL itself, beside the balancers, with TLS
	// and its password. Default: none.
	Networks []string `yaml:"networks,omitempty"`
}

// Role and database of AccessRule that mean more than one.
const (
	accessAll         = "all"
	accessReplication = "replication"
)

// Present reports whether the role is to be there.
func (r PGRole) Present() bool { return r.Ensure != EnsureAbsent }

// CanLogin reports whether the role is to be there and may log in: then it has a password.
func (r PGRole) CanLogin() bool { return r.Present() && (r.Login == nil || *r.Login) }

// GivenPassword reports whether a file or a command gives the role's password.
func (r PGRole) GivenPassword() bool { return r.PasswordFile != "" || len(r.PasswordCommand) > 0 }

// Present reports whether the database is to be there.
func (d PGDatabase) Present() bool { return d.Ensure != EnsureAbsent }

// Contents reports whether the specification says anything of what is inside PostgreSQL: roles,
// databases or access rules.
func (s *Spec) Contents() bool {
	return len(s.PGRoles) > 0 || len(s.PGDatabases) > 0 || len(s.Access) > 0
}

// deriveContents fills in the defaults of roles and databases.
func (s *Spec) deriveContents(d *decoder) {
	for i := range s.PGRoles {
		r := &s.PGRoles[i]
		fill(d, element("roles", i)+".ensure", &r.Ensure, EnsurePresent)
		if r.Login == nil {
			login := true
			r.Login = &login
		}
	}
	for i := range s.PGDatabases {
		fill(d, element("databases", i)+".ensure", &s.PGDatabases[i].Ensure, EnsurePresent)
	}
}
