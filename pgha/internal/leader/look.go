package leader

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/internal/scram"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// lookTimeout bounds a look: a server that hangs must not hold up a plan.
const lookTimeout = 30 * time.Second

// Seen is what the leader says of the roles and databases of a specification.
type Seen struct {
	// Member leads.
	Member string
	Server contents.Server
	// Passwords of the roles that log in; one that is not known here is missing.
	Passwords map[string]pki.Secret
}

// Look asks the leader. The error matches patroni.ErrNoLeader or patroni.ErrUnavailable where there
// is none. It changes nothing; a password that is to be generated is a draft of the state
// directory.
func Look(ctx context.Context, c *site.Site) (Seen, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	member, err := Find(ctx, c)
	if err != nil {
		return Seen{}, err
	}
	s := Seen{Member: member}
	err = with(ctx, c, member, "postgres", func(conn *pgx.Conn) error {
		roles, databases, going := contents.Names(c.Spec)
		var text string
		if err := conn.QueryRow(ctx, contents.SharedSQL, roles, databases,
			going).Scan(&text); err != nil {
			return err
		}
		if s.Server, err = contents.Read(text); err != nil {
			return err
		}
		s.Passwords, err = compare(ctx, c, conn, s.Server)
		return err
	})
	if err != nil {
		return s, fmt.Errorf("ask %s about roles and databases: %w", member, err)
	}
	_, _, going := contents.Names(c.Spec)
	for _, database := range contents.ToAsk(c.Spec, s.Server) {
		err := with(ctx, c, member, database, func(conn *pgx.Conn) error {
			var text string
			if err := conn.QueryRow(ctx, contents.InsideSQL, going).Scan(&text); err != nil {
				return err
			}
			return s.Server.ReadInside(database, text)
		})
		if err != nil {
			return s, fmt.Errorf("ask database %s on %s what is in it: %w", database, member, err)
		}
	}
	return s, nil
}

// Fresh is what a leader says before there is one. The member is the one that will lead.
func Fresh(c *site.Site) Seen {
	return Seen{Member: c.Spec.Databases()[0].Member, Server: contents.Fresh(c.Spec)}
}

// Find returns the member that leads.
func Find(ctx context.Context, c *site.Site) (string, error) {
	po, err := c.PatroniOptions()
	if err != nil {
		return "", err
	}
	state, err := patroni.NewClient(po).Cluster(ctx)
	if err != nil {
		return "", err
	}
	leads, ok := state.Leader()
	if !ok {
		return "", patroni.ErrNoLeader
	}
	return leads.Name, nil
}

// compare finds out for each role that logs in whether the server has its password. What is stored
// there has a salt of its own, with which the password is computed again.
func compare(ctx context.Context, c *site.Site, conn *pgx.Conn,
	s contents.Server) (map[string]pki.Secret, error) {
	rows, err := conn.Query(ctx, "SELECT rolname, coalesce(rolpassword, '') FROM pg_authid "+
		"WHERE rolname = ANY ($1)", LoginNames(c.Spec))
	if err != nil {
		return nil, err
	}
	stored := map[string]pki.Secret{}
	var name, verifier string
	_, err = pgx.ForEachRow(rows, []any{&name, &verifier}, func() error {
		stored[name] = pki.NewSecret([]byte(verifier))
		return nil
	})
	if err != nil {
		return nil, err
	}
	passwords := map[string]pki.Secret{}
	for _, r := range c.Spec.PGRoles {
		if !r.CanLogin() {
			continue
		}
		password, made, err := c.State.RolePassword(ctx, r)
		if err != nil {
			return nil, err
		}
		passwords[r.Name] = password
		role, there := s.Roles[r.Name]
		if !there {
			continue
		}
		switch was := stored[r.Name]; {
		case scram.Verifies(was, password):
		case made && len(was.Reveal()) > 0:
			role.Password = contents.PasswordUnknown
		default:
			role.Password = contents.PasswordOther
		}
		s.Roles[r.Name] = role
	}
	return passwords, nil
}

// LoginNames are the roles of the specification that log in.
func LoginNames(sp *spec.Spec) []string {
	names := []string{}
	for _, r := range sp.PGRoles {
		if r.CanLogin() {
			names = append(names, r.Name)
		}
	}
	return names
}
