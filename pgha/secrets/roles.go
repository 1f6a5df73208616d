package secrets

import (
	"context"
	"fmt"
	"slices"

	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/leader"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// ofSpec divides names into those of the cluster's own secrets and those of the specification's
// roles that log in.
func ofSpec(sp *spec.Spec, names []string) (own, roles []string) {
	login := leader.LoginNames(sp)
	for _, name := range names {
		if slices.Contains(login, name) {
			roles = append(roles, name)
		} else {
			own = append(own, name)
		}
	}
	return own, roles
}

// newPassword is a role with the password that it gets.
type newPassword struct {
	role      string
	password  pki.Secret
	generated pki.Secret // empty where the specification gives it
}

// rotateRoles gives roles of the specification new passwords on the leader. Sessions go on: a
// password is asked for when one begins.
func rotateRoles(ctx context.Context, r *job.Job, s *vault.State, roles []string) error {
	if len(roles) == 0 {
		return nil
	}
	seen, err := leader.Look(ctx, r.Site)
	if err != nil {
		return err
	}
	var all []newPassword
	for _, role := range roles {
		p, err := nextPassword(r, s, seen, role)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	if err := share(ctx, r, s); err != nil {
		return err
	}
	for _, p := range all {
		step := contents.Step{Kind: "role", Name: p.role, Action: "given a new password",
			SetsPassword: true}
		if !r.Planning() {
			if err := leader.Do(ctx, r.Site, seen.Member, step, p.password); err != nil {
				return errs.WithNext(err, errs.Text("%s again finishes it",
					errs.Verb("secrets", "rotate", p.role)))
			}
			if err := s.AdoptRole(p.role, p.generated); err != nil {
				return fmt.Errorf("keep the new password of %s: %w", p.role, err)
			}
		}
		if err := r.Changed(seen.Member, remote.Change{Kind: step.Kind, Name: step.Name,
			Action: step.Action, Was: &remote.Was{}}); err != nil {
			return err
		}
	}
	return nil
}

// nextPassword is what a role gets: what the specification gives, which must have changed, or a
// generated one.
func nextPassword(r *job.Job, s *vault.State, seen leader.Seen, role string) (newPassword, error) {
	have, there := seen.Server.Roles[role]
	if !there {
		return newPassword{}, errs.WithNext(fmt.Errorf("%w: there is no role %s on the server yet",
			errs.ErrRefused, role), errs.Text("%s makes it", errs.Verb("apply")))
	}
	i := slices.IndexFunc(r.Spec.PGRoles, func(p spec.PGRole) bool { return p.Name == role })
	if r.Spec.PGRoles[i].GivenPassword() {
		if have.Password == contents.PasswordSame {
			return newPassword{}, remote.WithHint(fmt.Errorf("%w: the spec gives the password of "+
				"%s, and it is still the one in force", errs.ErrRefused, role),
				fmt.Sprintf("put a new one where roles[%d].password_file or _command gets it from",
					i))
		}
		return newPassword{role: role, password: seen.Passwords[role]}, nil
	}
	if r.Planning() {
		return newPassword{role: role}, nil
	}
	next, err := s.Next(vault.RoleSecret(role))
	if err != nil {
		return newPassword{}, fmt.Errorf("make a new password of %s: %w", role, err)
	}
	return newPassword{role, next, next}, nil
}
