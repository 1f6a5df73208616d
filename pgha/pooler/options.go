package pooler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// Balancer is a host with a pooler.
type Balancer struct {
	Target *remote.Target
	// Certificate is shown to clients: they look for the address that they dial in it.
	Certificate pki.KeyPair
}

// Mode is how long a client keeps a session with PostgreSQL.
type Mode string

// The modes.
const (
	Transaction Mode = "transaction"
	Session     Mode = "session"
)

// Sizes are sessions with PostgreSQL: with the primary, and with replicas.
type Sizes struct{ Write, Read int }

// Database is a database that clients may ask for.
type Database struct {
	Name string
	// Mode "" means that of the options.
	Mode Mode
	// Sizes are how many sessions each balancer has with it at most.
	Sizes Sizes
}

// Role is a role that gets less than its databases have.
type Role struct {
	Name string
	// Connections are the sessions that each balancer has for it at most, on each port.
	Connections int
}

// Options describe the poolers. Balancers, CA, Sizes and LookupPassword have no default; every
// other zero value is a good one.
type Options struct {
	// Balancers are the hosts. Config does without them.
	Balancers []Balancer
	// CA is the PEM of the authorities of PostgreSQL's certificates.
	CA []byte
	// WritePort and ReadPort are where clients connect to. 0 means 6432 and 6433.
	WritePort, ReadPort int
	// ServerWritePort and ServerReadPort are HAProxy's on the same host. 0 means 5432 and 5433.
	ServerWritePort, ServerReadPort int

	// Mode of databases that have none of their own. "" means Transaction.
	Mode Mode
	// Sizes are the sessions of a balancer, all databases together.
	Sizes Sizes
	// Databases that clients may ask for. Without any, every one of the server is there, and each
	// may have Sizes.
	Databases []Database
	// Roles that get less.
	Roles []Role
	// MaxClients of each pooler. 0 means 2000. Each takes an open file.
	MaxClients int
	// PreparedStatements that a session with PostgreSQL keeps for clients. 0 means none.
	PreparedStatements int
	// QueryWait is how long a client waits for a session before it gets an error. 0 means 2 min.
	QueryWait time.Duration

	// LookupRole asks for passwords. "" means pgha_pooler.
	LookupRole string
	// LookupPassword is its own.
	LookupPassword pki.Secret
	// Refused are roles that get in nowhere, beside LookupRole.
	Refused []string
	// StatsRoles may ask the consoles for statistics, with their own password, from StatsNetworks,
	// each "address/bits", or, without any, from Clients.
	StatsRoles, StatsNetworks []string
	// Clients are the networks whose clients get in, each "address/bits". Empty means every
	// network.
	Clients []string

	// Last, when set, names the balancer that clients come through at this moment, or "": it is
	// changed behind the others.
	Last func(context.Context) string
	// Wait bounds the wait for a pooler after a change. 0 means 30 s.
	Wait time.Duration
	// Progress, when set, receives one line about what is being waited for. It must be safe for
	// concurrent use.
	Progress func(string)
}

// WithDefaults returns o with every empty field filled in.
func (o Options) WithDefaults() Options {
	o.WritePort = cmp.Or(o.WritePort, 6432)
	o.ReadPort = cmp.Or(o.ReadPort, 6433)
	o.ServerWritePort = cmp.Or(o.ServerWritePort, 5432)
	o.ServerReadPort = cmp.Or(o.ServerReadPort, 5433)
	o.Mode = cmp.Or(o.Mode, Transaction)
	o.MaxClients = cmp.Or(o.MaxClients, 2000)
	o.QueryWait = cmp.Or(o.QueryWait, 2*time.Minute)
	o.LookupRole = cmp.Or(o.LookupRole, "pgha_pooler")
	o.Wait = cmp.Or(o.Wait, 30*time.Second)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o
}

// Validate says what is wrong with the options, as an error that matches ErrInvalid. Changes
// nothing.
func (o Options) Validate() error {
	o = o.WithDefaults()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case o.Sizes.Write < 1 || o.Sizes.Read < 1:
		return bad("there is no session for clients: %d for writes, %d for reads", o.Sizes.Write,
			o.Sizes.Read)
	case o.QueryWait < time.Second:
		return bad("clients are to wait %s for a session; a second is the least", o.QueryWait)
	case o.MaxClients < 1 || o.PreparedStatements < 0:
		return bad("%d clients, %d prepared statements", o.MaxClients, o.PreparedStatements)
	}
	ports := []int{o.WritePort, o.ReadPort, o.ServerWritePort, o.ServerReadPort}
	for i, p := range ports {
		if p < 1 || p > 65535 || slices.Contains(ports[:i], p) {
			return bad("port %d is out of range, or there twice", p)
		}
	}
	for _, d := range o.Databases {
		if d.Sizes.Write < 1 || d.Sizes.Read < 1 {
			return bad("database %s has no session", d.Name)
		}
		if !slices.Contains([]Mode{"", Transaction, Session}, d.Mode) {
			return bad("database %s has mode %q", d.Name, d.Mode)
		}
	}
	if !slices.Contains([]Mode{Transaction, Session}, o.Mode) {
		return bad("mode %q", o.Mode)
	}
	return nil
}

// targets are the hosts that are not left out.
func (o Options) targets() []*remote.Target {
	var list []*remote.Target
	for _, b := range o.Balancers {
		if !b.Target.LeftOut {
			list = append(list, b.Target)
		}
	}
	return list
}
