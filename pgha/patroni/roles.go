package patroni

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetPasswords gives the three roles of a running cluster the passwords of the options, with the
// rights that SetRights gives, and puts the passwords into every member's password file. Sessions
// and replication continue; who connects afterwards needs the new password. A replica that loses
// its connection between the two steps, which are moments apart, tries again until it has the new
// password. Nothing is reloaded or restarted.
//
// In the end every host has logged in with them.
//
// Safe to repeat, and to be repeated after it was interrupted anywhere. The error matches
// ErrInvalid, ErrNoLeader or ErrUnavailable; when the targets only plan, the changes are reported
// and nothing happens.
func SetPasswords(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	leader, err := leaderOf(ctx, o)
	if err != nil {
		return fmt.Errorf("set passwords: %w", err)
	}
	if _, err = leader.Target.Do(ctx, "passwords of the roles", "set",
		host.SetRoles(o)); err != nil {
		return fmt.Errorf("set passwords: %w", remote.OnHost(leader.Target.Name, err))
	}
	err = eachMember(o, func(m Member) error {
		_, err := m.Target.Ensure(ctx, host.PasswordFiles(o, m)...)
		return err
	})
	if err == nil && !o.Planning() {
		err = eachMember(o, func(m Member) error { return tryLogins(ctx, o, m, leader) })
	}
	if err != nil {
		return fmt.Errorf("set passwords: %w", err)
	}
	return nil
}

// SetPasswordsAt gives the three roles the passwords of the options, and the rights that they need,
// on a server that runs apart from Patroni: on host t, with its socket in that directory, as 5432.
// What is restored has the roles and passwords of its time. Safe to repeat.
func SetPasswordsAt(ctx context.Context, o Options, t *remote.Target, socket string) error {
	_, err := t.Do(ctx, "passwords of the roles", "set", host.SetRolesAt(o, socket, 5432))
	if err != nil {
		return fmt.Errorf("set passwords: %w", remote.OnHost(t.Name, err))
	}
	return nil
}

// tryLogins logs in to the leader from a member's host.
func tryLogins(ctx context.Context, o Options, from, leader Member) error {
	for _, login := range host.Logins(o, leader) {
		if _, err := from.Target.Run(ctx, login.Command); err != nil {
			return fmt.Errorf("log in to %s as %s: %w", leader.Name, login.Role, err)
		}
	}
	return nil
}

// SetRights gives the roles of replication and of pg_rewind in a running cluster what they need: to
// log in, to replicate, and to execute the four functions that pg_rewind reads the other server by.
// Patroni does so when it makes a cluster, and never again: a right that somebody took away is not
// missed until a former leader has to be rewound, and is then left behind. Nothing else of the
// roles changes. Nothing is reloaded or restarted.
//
// A member whose pg_rewind has failed already is not brought back by it. One that fails on the way
// has removed files (PostgreSQL's documentation says to take a fresh copy then), and Patroni
// (4.1.5) starts PostgreSQL all the same and tries no second time. Reinitialize copies its data
// again.
//
// Safe to repeat. The error matches ErrInvalid, ErrNoLeader or ErrUnavailable; when the targets
// only plan, the change is reported and nothing happens.
func SetRights(ctx context.Context, o Options) error {
	leader, err := leaderOf(ctx, o)
	if err != nil {
		return fmt.Errorf("set rights: %w", err)
	}
	_, err = leader.Target.Do(ctx, "rights of the roles", "set", host.SetRights(o))
	if err != nil {
		return fmt.Errorf("set rights: %w", remote.OnHost(leader.Target.Name, err))
	}
	return nil
}

// leaderOf is the member that leads now.
func leaderOf(ctx context.Context, o Options) (Member, error) {
	c := newOperator(o)
	if err := c.Err(); err != nil {
		return Member{}, err
	}
	state, err := c.Cluster(ctx)
	if err != nil {
		return Member{}, err
	}
	leads, ok := state.Leader()
	if !ok {
		return Member{}, ErrNoLeader
	}
	return c.member(leads.Name)
}
