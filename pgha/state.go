package pgha

import (
	"context"

	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/secrets"
)

var (
	// ErrSealed: a secret of the state directory is encrypted, and no identity of spec opens it.
	ErrSealed = vault.ErrSealed
	// ErrStateLocked: another process of this machine writes to the same state directory.
	ErrStateLocked = vault.ErrStateLocked
	// ErrNotProvisioned: the state directory holds no cluster, so apply has not been run from here.
	ErrNotProvisioned = vault.ErrNotProvisioned
	// ErrStateAhead: another operator has changed the cluster's state.
	ErrStateAhead = site.ErrStateAhead
)

// Connection says how to reach the cluster as its superuser, or as another role. No field holds a
// password: it is in the files PassFile and PasswordFile, which only their owner can read.
type Connection = connstring.Connection

// ConnectionForm is how one kind of client is told where to connect.
type ConnectionForm = connstring.Form

// ConnectionLimits are what a form sets of its client's own limits.
type ConnectionLimits = connstring.Limits

// ConnectionFormNames are the names of all forms, in the order of Connection.Forms.
func ConnectionFormNames() []string { return connstring.FormNames() }

// ConnectionFor says how to connect to the cluster of a spec that was applied from this machine. It
// needs no host. The password files it writes lie in the state directory with mode 0600; with
// secrets.age none is written, and ExportConnection and the function PassFile give the password.
// Where the spec gets passwords from commands they are run, each for a minute at most.
// ErrNotProvisioned means that there is no such cluster yet.
func ConnectionFor(sp *Spec) (Connection, error) { return connstring.ConnectionFor(sp) }

// ExportOptions say where an export of a connection goes.
type ExportOptions = connstring.ExportOptions

// ExportConnection writes the files that the strings of a connection name into a directory of their
// own, so that another account of this machine can use them, and returns the connection whose
// strings name those files. With secrets.age the password lies plain from then on. It may be
// repeated: what an export has not written, or somebody changed since, is refused with ErrRefused
// before anything is touched. Nothing changes on the hosts.
func ExportConnection(ctx context.Context, sp *Spec, c Connection,
	o ExportOptions) (Connection, error) {
	return connstring.Export(ctx, sp, c, o)
}

// RotateOptions say which secrets are replaced.
type RotateOptions = secrets.RotateOptions

// RotateResult is what RotateSecrets did.
type RotateResult = secrets.RotateResult

// RotateSecrets gives roles new passwords while the cluster works, and replaces the authority of
// Patroni's REST API; package secrets says how. Applications need the new ones from then on.
func (c *Cluster) RotateSecrets(ctx context.Context, opts RotateOptions) (RotateResult, error) {
	return secrets.RotateSecrets(ctx, c.site, opts)
}

// EncryptState encrypts the secrets in the state directory for the spec's recipients, as every
// change does, and returns how many files it wrote. It needs no host and may be repeated; Share of
// State does so for copies. Errors match ErrRefused without recipients, ErrStateLocked, ErrSealed.
func EncryptState(ctx context.Context, sp *Spec) (int, error) { return vault.EncryptState(ctx, sp) }

// DecryptState makes the secrets in the state directory plain again and returns how many files it
// wrote. Take secrets.age out of the spec then. Errors are those of EncryptState.
func DecryptState(ctx context.Context, sp *Spec) (int, error) { return vault.DecryptState(ctx, sp) }

// PassFile returns the content of a libpq password file for the superuser and the specification's
// roles, where none is on disk because of secrets.age. It is a secret.
func PassFile(ctx context.Context, sp *Spec) ([]byte, error) { return vault.PassFile(ctx, sp) }

// State looks at and writes the encrypted copies of the state directory; see package secrets.
func (c *Cluster) State() secrets.State { return secrets.StateOf(c.site) }

// Applied tells whether the state directory of a spec is that of a cluster that was applied.
func Applied(sp *Spec) bool { return vault.Applied(sp) }

// PulledState says where a state directory was fetched from.
type PulledState = site.Pulled
