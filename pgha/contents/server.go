package contents

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pgha/toolkit/pgha/spec"
)

// SharedSQL is a query of three lists of names: roles, databases, and those of the roles that are
// to go. Read reads the one text that it gives, in any database of the leader.
//
//go:embed shared.sql
var SharedSQL string

// InsideSQL is a query of one list of names, the roles that are to go. ReadInside reads the one
// text that it gives, in the database that it is about.
//
//go:embed inside.sql
var InsideSQL string

// Server is what a server says of roles and databases.
type Server struct {
	// Roles and Databases that the specification names and that are there, by their names.
	Roles     map[string]Role     `json:"roles"`
	Databases map[string]Database `json:"databases"`
	// MemberOf are the roles that a role is a member of, of all roles.
	MemberOf map[string][]string `json:"member_of"`
	// Uses are what roles that are to go own, or have rights on.
	Uses []Use `json:"uses"`
}

// Role is a role of the server.
type Role struct {
	Login           bool     `json:"login"`
	Replication     bool     `json:"replication"`
	ConnectionLimit int      `json:"connection_limit"`
	ValidUntil      string   `json:"valid_until"`
	Settings        []string `json:"settings"`
	Sessions        int      `json:"sessions"`
	// Password tells whether the role's password is the one that it should have. Who compares
	// verifiers sets it.
	Password Password `json:"-"`
}

// Password is how a role's password on the server compares with the one it should have.
type Password int

// The passwords. The zero value is PasswordSame.
const (
	// PasswordSame is the one it should have.
	PasswordSame Password = iota
	// PasswordOther is another one, or none.
	PasswordOther
	// PasswordUnknown is one that was set by somebody else, where none is given here: nobody would
	// get in with the old one any more.
	PasswordUnknown
)

// Database is a database of the server.
type Database struct {
	Owner           string `json:"owner"`
	Encoding        string `json:"encoding"`
	Locale          string `json:"locale"`
	ConnectionLimit int    `json:"connection_limit"`
	Template        bool   `json:"template"`
	// Closed says that nobody may connect to it.
	Closed bool  `json:"closed"`
	Size   int64 `json:"size"`
	// Users are sessions, slots and subscriptions that keep it from being dropped.
	Users []string `json:"users"`

	// Inside is nil where nobody has asked.
	Inside *Inside `json:"-"`
}

// Inside is what a database says of itself.
type Inside struct {
	// Schemas are their owners by name.
	Schemas map[string]string `json:"schemas"`
	// Extensions are those that the database has, by name.
	Extensions map[string]Extension `json:"extensions"`
	// Available are what each extension requires that the host has, by name.
	Available map[string][]string `json:"available"`
	// Tables are those of users, with materialized views.
	Tables []string `json:"tables"`
	Uses   []Use    `json:"uses"`
}

// Extension is one that a database has.
type Extension struct {
	Schema  string `json:"schema"`
	Movable bool   `json:"movable"`
}

// Use is something that a role owns or has rights on.
type Use struct {
	Role string `json:"role"`
	// Database that it is in; "" for what belongs to the whole server.
	Database string `json:"database"`
	// What is "owns table app.orders", or "has rights on schema audit".
	What string `json:"what"`
}

// Read reads the answer to SharedSQL.
func Read(text string) (Server, error) {
	var s Server
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("read roles and databases: %w", err)
	}
	return s, nil
}

// ReadInside reads the answer to InsideSQL of a database.
func (s *Server) ReadInside(database, text string) error {
	d := s.Databases[database]
	d.Inside = &Inside{}
	if err := json.Unmarshal([]byte(text), d.Inside); err != nil {
		return fmt.Errorf("read database %s: %w", database, err)
	}
	s.Databases[database] = d
	// What is known by name stands for what the whole server could only count.
	s.Uses = slices.DeleteFunc(s.Uses, func(u Use) bool { return u.Database == database })
	s.Uses = append(s.Uses, d.Inside.Uses...)
	return nil
}

// Fresh is a server as it is made for a specification, before anybody has logged in.
func Fresh(sp *spec.Spec) Server {
	pg := sp.PostgreSQL
	own := Database{Owner: pg.Superuser, Encoding: pg.Encoding, Locale: pg.Locale,
		ConnectionLimit: -1}
	return Server{Roles: map[string]Role{}, MemberOf: map[string][]string{},
		Databases: map[string]Database{"postgres": own, "template1": own}}
}

// Names are what the specification names, for SharedSQL: all roles, all databases, and the roles
// that are to go.
func Names(sp *spec.Spec) (roles, databases, going []string) {
	add := func(list *[]string, name string) {
		if name != "" && !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	for _, r := range sp.PGRoles {
		add(&roles, r.Name)
		for _, group := range r.MemberOf {
			add(&roles, group)
		}
		if !r.Present() {
			add(&going, r.Name)
		}
	}
	for _, d := range sp.PGDatabases {
		add(&databases, d.Name)
		add(&roles, d.Owner)
		for _, s := range d.Schemas {
			add(&roles, s.Owner)
		}
	}
	for _, a := range sp.Access {
		add(&roles, a.Role)
		add(&databases, a.Database)
	}
	return roles, databases, going
}

// ToAsk are the databases that are to be asked by InsideSQL: those whose contents the specification
// describes, those that are to go, and those in which roles that are to go have something.
func ToAsk(sp *spec.Spec, s Server) []string {
	var names []string
	for _, d := range sp.PGDatabases {
		have, there := s.Databases[d.Name]
		if there && !have.Closed && (!d.Present() || len(d.Schemas)+len(d.Extensions) > 0) {
			names = append(names, d.Name)
		}
	}
	for _, u := range s.Uses {
		if u.Database != "" && !slices.Contains(names, u.Database) &&
			!s.Databases[u.Database].Closed {
			names = append(names, u.Database)
		}
	}
	return names
}
