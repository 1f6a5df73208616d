package vault

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// Credentials is everything secret or signed that a run needs, loaded from the operator's state
// directory and completed where something is missing or due.
type Credentials struct {
	// While one is replaced there are two of it. Servers verify by EtcdCA and PatroniCA who dials
	// them, so of an intermediate authority these are itself alone. PostgresCA and EtcdClientCA are
	// for those who dial: of an intermediate one with the chain above it up to the root.
	EtcdCA, PatroniCA, PostgresCA []byte
	EtcdClientCA                  []byte
	// BackupCA signs the certificates of pgBackRest's servers, and BackupKey encrypts what is in
	// the repository; neither is there without backups.
	BackupCA  []byte
	BackupKey pki.Secret
	// StorageKey opens the storage that keeps the repository, where that needs a key.
	StorageKey pki.Secret
	// EtcdRevoked is etcd's list, in DER, of certificates that open nothing any more.
	EtcdRevoked                      []byte
	EtcdOperator, PatroniOperator    pki.KeyPair
	Hosts                            map[string]HostCertificates
	Superuser, Replication, Rewinder pki.Secret
	Verifiers                        map[string]pki.Secret // of these passwords, by roleNames
	// Pooler is the password of the role that looks passwords up; it is there with a pooler alone.
	Pooler pki.Secret
	// Changed are the roles whose password is another one than the cluster was given, as far as is
	// known here.
	Changed []string
}

// HostCertificates are the certificates of one host, by their names in the layout.
type HostCertificates map[string]pki.KeyPair

// LoadCredentials reads or makes the CAs, certificates and passwords of the cluster. A directory
// that a later version has written is refused.
func LoadCredentials(ctx context.Context, s *State, sp *spec.Spec) (*Credentials, error) {
	if _, err := s.Identity(); err != nil {
		return nil, err
	}
	c := &Credentials{Hosts: map[string]HostCertificates{}, Verifiers: map[string]pki.Secret{}}
	for _, name := range Authorities() {
		ca, trust, err := s.Issuer(sp, name)
		if err != nil {
			return nil, err
		}
		if name == layout.EtcdAuthority {
			if c.EtcdRevoked, err = s.revokedBy(ca); err != nil {
				return nil, err
			}
		}
		if err := s.certificates(sp, c, name, ca, trust); err != nil {
			return nil, err
		}
	}
	if err := s.backup(ctx, sp, c); err != nil {
		return nil, err
	}
	if err := s.passwords(ctx, sp, c); err != nil {
		return nil, err
	}
	if sp.Pooler != nil {
		var err error
		if c.Pooler, err = s.generated(SecretFile(poolerPassword, "")); err != nil {
			return nil, fmt.Errorf("get the pooler's password: %w", err)
		}
	}
	if err := s.Keep("postgres-ca.crt", c.PostgresCA); err != nil {
		return nil, fmt.Errorf("write the CA for applications: %w", err)
	}
	return c, nil
}

// backupKey is the secret that files in the repository are encrypted with.
const backupKey = "backup"

// BackupSecrets are the files of what is made with the first backups of a cluster, which may run
// for years by then.
func BackupSecrets() []string {
	return []string{CAFile(layout.BackupAuthority, ".crt"), SecretFile(backupKey, "")}
}

// poolerPassword is the secret of the role that looks passwords up for the pooler. A cluster that
// runs gets its first pooler with a new one, and one that was lost is replaced: apply gives it to
// the role.
const poolerPassword = "pooler"

// PoolerSecret is the file of that password.
func PoolerSecret() string { return SecretFile(poolerPassword, "") }

// backup loads what pgBackRest needs, if there are backups.
func (s *State) backup(ctx context.Context, sp *spec.Spec, c *Credentials) error {
	if sp.Backup == nil {
		return nil
	}
	for _, r := range sp.Backup.Repository {
		var err error
		if c.StorageKey, err = StorageKey(ctx, r); err != nil {
			return err
		}
	}
	ca, trust, err := s.Issuer(sp, layout.BackupAuthority)
	if err != nil {
		return err
	}
	if sp.Backup.Encrypted {
		if c.BackupKey, err = s.generated(SecretFile(backupKey, "")); err != nil {
			return fmt.Errorf("get the key of the backups: %w", err)
		}
	}
	return s.certificates(sp, c, layout.BackupAuthority, ca, trust)
}

// StorageKey reads the key of a repository's storage from where the specification says it is; the
// zero value where that needs none.
func StorageKey(ctx context.Context, r spec.BackupRepository) (pki.Secret, error) {
	var text []byte
	var err error
	switch {
	case r.KeyFile != "":
		text, err = os.ReadFile(r.KeyFile)
	case len(r.KeyCommand) > 0:
		text, err = Fetched(ctx, r.KeyCommand)
	default:
		return pki.Secret{}, nil
	}
	if err != nil {
		return pki.Secret{}, fmt.Errorf("get the key of the repository: %w", err)
	}
	return pki.NewSecret(bytes.TrimSpace(text)), nil
}

// BackupKey returns the key that a cluster's backups are encrypted with, from its state directory.
func (s *State) BackupKey() (pki.Secret, error) {
	key, err := s.Read(SecretFile(backupKey, ""))
	if err != nil {
		return pki.Secret{}, fmt.Errorf("get the key of the backups: %w", err)
	}
	return pki.NewSecret(key), nil
}

// certificates sets those of one authority, and what is to be trusted for them.
func (s *State) certificates(sp *spec.Spec, c *Credentials, authority string, ca *pki.CA,
	trust Trust) error {
	*c.trusted(authority) = trust.Servers
	switch authority {
	case layout.EtcdAuthority:
		c.EtcdClientCA = trust.Clients
	case layout.PostgresAuthority:
		c.PostgresCA = trust.Clients
	}
	for _, own := range certs.OfOperator(sp) {
		if own.Authority != authority {
			continue
		}
		var err error
		if *c.operator(authority), err = s.certificate(ca, own); err != nil {
			return err
		}
	}
	added := s.added(sp)
	return c.Certify(sp, authority, func(of certs.Certificate) (pki.KeyPair, error) {
		if added[of.Stored] {
			return pki.KeyPair{}, nil
		}
		return s.certificate(ca, of)
	})
}

// added are the certificates of hosts that no apply has brought in yet, while others have theirs:
// whoever only looks at the cluster does without them. A state that may write makes them.
func (s *State) added(sp *spec.Spec) map[string]bool {
	if !s.ReadOnly {
		return nil
	}
	all, hosts := map[string]bool{}, 0
	for _, h := range sp.CertifiedHosts() {
		var missing []string
		list := certs.OfHost(sp, h)
		for _, of := range list {
			if _, there := s.File(filepath.Join("certs", of.Stored+".crt")); !there {
				missing = append(missing, of.Stored)
			}
		}
		if len(missing) < len(list) {
			continue
		}
		hosts++
		for _, stored := range missing {
			all[stored] = true
		}
	}
	if hosts == len(sp.CertifiedHosts()) {
		return nil
	}
	return all
}

// Certify sets the hosts' certificates of one authority to what issue returns.
func (c *Credentials) Certify(sp *spec.Spec, authority string,
	issue func(of certs.Certificate) (pki.KeyPair, error)) error {
	for _, h := range sp.CertifiedHosts() {
		held := maps.Clone(c.Hosts[h.Name])
		if held == nil {
			held = HostCertificates{}
		}
		for _, of := range certs.OfHost(sp, h) {
			if of.Authority != authority {
				continue
			}
			pair, err := issue(of)
			if err != nil {
				return err
			}
			held[of.Name] = pair
		}
		c.Hosts[h.Name] = held
	}
	return nil
}

// Authority returns the authorities that hosts trust for certificates of that authority's name;
// more than one while it is replaced.
func (c *Credentials) Authority(name string) []byte { return *c.trusted(name) }

// Chain returns them with those above them up to the root, as far as there are any.
func (c *Credentials) Chain(name string) []byte {
	if name == layout.EtcdAuthority && len(c.EtcdClientCA) > 0 {
		return c.EtcdClientCA
	}
	return c.Authority(name)
}

// Beside returns the authorities that lie beside a certificate on its host.
func (c *Credentials) Beside(of layout.Certificate) []byte {
	if of.Name == layout.EtcdClient {
		return c.EtcdClientCA
	}
	return c.Authority(of.Authority)
}

func (c *Credentials) trusted(authority string) *[]byte {
	switch authority {
	case layout.EtcdAuthority:
		return &c.EtcdCA
	case layout.PatroniAuthority:
		return &c.PatroniCA
	case layout.BackupAuthority:
		return &c.BackupCA
	}
	return &c.PostgresCA
}

// operator returns the operator's own certificate; PostgreSQL is not asked with one.
func (c *Credentials) operator(authority string) *pki.KeyPair {
	if authority == layout.EtcdAuthority {
		return &c.EtcdOperator
	}
	return &c.PatroniOperator
}

// passwords sets those of the roles.
func (s *State) passwords(ctx context.Context, sp *spec.Spec, c *Credentials) error {
	for _, p := range []struct {
		into       *pki.Secret
		name, file string
		command    []string
	}{
		{&c.Superuser, RoleSuperuser, sp.Secrets.SuperuserPasswordFile,
			sp.Secrets.SuperuserPasswordCommand},
		{&c.Replication, RoleReplication, sp.Secrets.ReplicationPasswordFile,
			sp.Secrets.ReplicationPasswordCommand},
		{&c.Rewinder, RoleRewind, sp.Secrets.RewindPasswordFile, sp.Secrets.RewindPasswordCommand},
	} {
		var err error
		if *p.into, err = s.Password(ctx, p.name, p.file, p.command); err != nil {
			return err
		}
		same := false
		if c.Verifiers[p.name], same, err = s.verifier(p.name, *p.into); err != nil {
			return err
		}
		if !same {
			c.Changed = append(c.Changed, p.name)
		}
	}
	return nil
}

// Copied returns a copy whose maps can be changed.
func (c *Credentials) Copied() *Credentials {
	cr := *c
	cr.Hosts, cr.Verifiers = maps.Clone(c.Hosts), maps.Clone(c.Verifiers)
	return &cr
}
