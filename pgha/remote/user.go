package remote

import "context"

// User is a system account without a login and without a password, with a group of the same name.
type User struct {
	Name string
	// Home is recorded in the account but not created; "" means /nonexistent.
	Home string
}

func (u User) String() string         { return "user " + u.Name }
func (u User) questions(q *questions) { q.users.add(u.Name) }
func (u User) settle(ctx context.Context, t *Target, seen *observation,
	_ Changes) (Changes, error) {
	if seen.users[u.Name] {
		return nil, nil
	}
	home := u.Home
	if home == "" {
		home = "/nonexistent"
	}
	// The group first, by itself: a useradd that makes both and is cut in between leaves an account
	// whose group is missing for ever.
	if err := t.mutate(ctx, "groupadd", "--force", "--system", "--", u.Name); err != nil {
		return nil, err
	}
	err := t.mutate(ctx, "useradd", "--system", "--gid", u.Name, "--no-create-home",
		"--home-dir", home,
		"--shell", "/usr/sbin/nologin", "--", u.Name)
	if err != nil {
		return nil, err
	}
	return Changes{{Kind: "user", Name: u.Name, Action: "created"}}, nil
}
