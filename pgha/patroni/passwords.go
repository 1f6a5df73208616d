package patroni

import (
	"context"
	"fmt"

	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetPasswords gives the three roles of a running cluster the passwords of the options, with the
// rights that SetRights gives, and puts the passwords into every member's password file. Sessions and replication continue; who connects
// afterwards needs the new password. A replica that loses its connection between the two steps,
// which are moments apart, tries again until it has the new password. Nothing is reloaded or
// restarted.
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

// tryLogins logs in to the leader from a member's host.
func tryLogins(ctx context.Context, o Options, from, leader Member) error {
	for _, login := range host.Logins(o, leader) {
		if _, err := from.Target.Run(ctx, login.Command); err != nil {
			return fmt.Errorf("log in to %s as %s: %w", leader.Name, login.Role, err)
		}
	}
	return nil
}
