package recovery

import (
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// keepPasswords drafts the passwords that hosts have in place of those that were generated for a
// new cluster.
func (t *takeover) keepPasswords(f found) error {
	s, pg := t.site.State, t.site.Spec.PostgreSQL
	for _, role := range []struct {
		name, user string
		into       *pki.Secret
	}{
		{vault.RoleReplication, pg.ReplicationUser, &t.next.Replication},
		{vault.RoleRewind, pg.RewindUser, &t.next.Rewinder},
	} {
		password, there := f.roles[role.user]
		if !there {
			return fmt.Errorf("%w: no host has the password of %s in %s", errs.ErrRefused,
				role.user, layout.PasswordFile)
		}
		if _, generated := s.File(vault.SecretFile(role.name, "")); !generated {
			if !password.Equal(*role.into) {
				return remote.WithHint(fmt.Errorf("%w: the spec gives another password of %s "+
					"than the hosts have", errs.ErrRefused, role.user),
					"give the one that is in force, and rotate it afterwards")
			}
			continue
		}
		verifier, err := patroni.NewVerifier(password)
		if err == nil {
			err = s.Keep(vault.SecretFile(role.name, ""), password.Reveal())
		}
		if err == nil {
			err = s.Write(vault.SecretFile(role.name, ".verifier"), verifier.Reveal())
		}
		if err != nil {
			return fmt.Errorf("keep the %s password: %w", role.name, err)
		}
		*role.into, t.next.Verifiers[role.name] = password, verifier
	}
	if _, generated := s.File(vault.SecretFile(vault.RoleSuperuser, "")); generated {
		t.generated = append(t.generated, pg.Superuser)
	}
	return nil
}

// keepAuthorities drafts what hosts trust, and makes of it the credentials that work now.
func (t *takeover) keepAuthorities(f found) error {
	s := t.site.State
	t.former = t.next.Copied()
	t.former.Hosts = f.hosts
	for _, of := range []struct {
		authority, leaf string
		trust           *[]byte
		operator        *pki.KeyPair
	}{
		{layout.EtcdAuthority, layout.EtcdClient, &t.former.EtcdCA, &t.former.EtcdOperator},
		{layout.PatroniAuthority, layout.RESTClient, &t.former.PatroniCA,
			&t.former.PatroniOperator},
		{layout.PostgresAuthority, layout.Postgres, &t.former.PostgresCA, new(pki.KeyPair)},
	} {
		former, kept := s.Former(of.authority)
		if !kept {
			former = f.trust[of.authority]
			if err := s.KeepFormer(of.authority, former); err != nil {
				return err
			}
		}
		*of.operator = f.leaf(t.site, of.leaf, former)
		var err error
		if of.authority == layout.EtcdAuthority {
			t.former.EtcdClientCA, err = pki.Bundle(former, t.former.EtcdClientCA)
			// Patroni trusts the root of a company, too, by which etcd must let nobody in.
			former = pki.Issuing(former)
		}
		if err == nil {
			*of.trust, err = pki.Bundle(former, *of.trust)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
