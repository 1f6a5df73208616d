package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/pgha/toolkit/internal/sealed"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// newIdentity returns the file of a new identity, and its recipient.
func newIdentity(t *testing.T) (file, recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte("# created by age-keygen\n"+id.String()+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	return file, id.Recipient().String()
}

// connected loads the credentials as a run does that may change the state directory, and returns
// them.
func connected(t *testing.T, sp *spec.Spec) *vault.Credentials {
	t.Helper()
	s, err := site.StateOf(t.Context(), sp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := reload(t, s, sp)
	if err := s.Begin(sp); err != nil {
		t.Fatal(err)
	}
	return c
}

// plainSecrets names the files below the state directory that show one of the secrets.
func plainSecrets(t *testing.T, sp *spec.Spec, c *vault.Credentials) (bad []string) {
	t.Helper()
	err := filepath.WalkDir(sp.StateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, canary := range []string{
			plain(c.Superuser), plain(c.Replication), plain(c.Rewinder), "PRIVATE KEY",
			"SCRAM-SHA-256",
		} {
			if bytes.Contains(content, []byte(canary)) {
				name, _ := filepath.Rel(sp.StateDir, path)
				bad = append(bad, name)
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bad
}

func sameSecrets(t *testing.T, a, b *vault.Credentials) {
	t.Helper()
	if !a.Superuser.Equal(b.Superuser) ||
		!a.Hosts["pg1"][layout.Postgres].Key.Equal(b.Hosts["pg1"][layout.Postgres].Key) ||
		!bytes.Equal(a.PatroniOperator.Cert, b.PatroniOperator.Cert) || len(b.Changed) > 0 {
		t.Error("the secrets are others now")
	}
}

func TestPlainStateIsEncryptedByTheNextRun(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	before := connected(t, sp)
	if _, err := connstring.ConnectionFor(sp); err != nil { // which writes the password file
		t.Fatal(err)
	}
	// Of a run that was killed while it wrote.
	if err := os.WriteFile(filepath.Join(sp.StateDir, "secrets", ".new-1"),
		before.Superuser.Reveal(),
		0o600); err != nil {
		t.Fatal(err)
	}
	if bad := plainSecrets(t, sp, before); len(bad) < 30 {
		t.Fatalf("the canary is blind: it sees only %v", bad)
	}
	file, recipient := newIdentity(t)
	sp.Secrets.Age.Recipients = []string{recipient}
	sp.Secrets.Age.IdentityCommand = []string{"cat", file}
	sameSecrets(t, before, connected(t, sp))
	if bad := plainSecrets(t, sp, before); len(bad) > 0 {
		t.Errorf("in the clear: %v", bad)
	}
	if _, err := vault.ReadCredentials(t.Context(), sp); err != nil {
		t.Errorf("for looking only: %v", err)
	}
	conn, err := connstring.ConnectionFor(sp)
	if err != nil || conn.PassFile != "" || strings.Contains(conn.DSN+conn.URL, "passfile") {
		t.Errorf("%+v %v", conn, err)
	}
	if content, err := vault.PassFile(t.Context(),
		sp); string(content) != "*:*:*:postgres:"+plain(before.Superuser)+"\n" {
		t.Errorf("password file: %v", err)
	}
	if bad := plainSecrets(t, sp, before); len(bad) > 0 {
		t.Errorf("in the clear: %v", bad)
	}
	if n, err := vault.EncryptState(t.Context(), sp); n != 0 || err != nil {
		t.Errorf("again: %d files, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(sp.StateDir, "postgres-ca.crt")); err != nil {
		t.Error(err)
	}
}

func TestStateIsEncryptedFromTheBeginning(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	file, recipient := newIdentity(t)
	sp.Secrets.Age.Recipients, sp.Secrets.Age.IdentityFile = []string{recipient}, file
	first := connected(t, sp)
	if bad := plainSecrets(t, sp, first); len(bad) > 0 {
		t.Errorf("in the clear: %v", bad)
	}
	sameSecrets(t, first, connected(t, sp))
	// A rotation's passwords, too.
	s, err := site.StateOf(t.Context(), sp, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Begin(sp); err != nil {
		t.Fatal(err)
	}
	password, err := s.Next(vault.RoleRewind)
	if err != nil {
		t.Fatal(err)
	}
	if content,
		err := os.ReadFile(s.Path(vault.SecretFile(vault.RoleRewind, ".next"))); err != nil ||
		!sealed.Is(content) || bytes.Contains(content, password.Reveal()) {
		t.Errorf("%s %v", content, err)
	}
}

// TestConversionKilledHalfWay leaves every number of files converted, there and back, as a kill
// would: each state can be read by everybody who has the identity, and the next run finishes it.
func TestConversionKilledHalfWay(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	before := connected(t, sp)
	file, recipient := newIdentity(t)
	_, colleague := newIdentity(t)
	sp.Secrets.Age.Recipients, sp.Secrets.Age.IdentityFile = []string{recipient}, file
	errKilled := errors.New("killed")
	// converting stops before the nth file.
	converting := func(n int, back bool) (finished bool) {
		b, err := vault.Box(t.Context(), sp)
		if err != nil {
			t.Fatal(err)
		}
		s, err := vault.OpenState(sp.StateDir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.Box, s.Plain = b, back
		_, err = s.Convert(func(content []byte) bool {
			if sealed.Is(content) == back {
				if n--; n < 0 {
					s.Dir = "/dev/null/" + errKilled.Error() // from here on no file can be written
				}
			}
			return sealed.Is(content) == back
		})
		return err == nil
	}
	for _, back := range []bool{false, true} {
		for n := 0; !converting(n, back); n += 7 {
			got, err := vault.ReadCredentials(t.Context(), sp)
			if err != nil {
				t.Fatalf("after %d files: %v", n, err)
			}
			sameSecrets(t, before, got)
		}
	}
	if bad := plainSecrets(t, sp, before); len(bad) < 30 {
		t.Errorf("decrypted are only %v", bad)
	}
	converting(9, false)
	sameSecrets(t, before, connected(t, sp))
	if bad := plainSecrets(t, sp, before); len(bad) > 0 {
		t.Errorf("in the clear: %v", bad)
	}
	// Another recipient: all files are rewritten, also those that a killed run has done.
	sp.Secrets.Age.Recipients = []string{colleague, recipient}
	n, err := vault.EncryptState(t.Context(), sp)
	if err != nil || n < 30 {
		t.Errorf("%d files, %v", n, err)
	}
	if m, err := vault.DecryptState(t.Context(), sp); m != n || err != nil {
		t.Errorf("%d files, %v", m, err)
	}
	sp.Secrets.Age.Recipients = nil
	sameSecrets(t, before, connected(t, sp))
}

func TestWrongIdentity(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	file, recipient := newIdentity(t)
	otherFile, other := newIdentity(t)
	sp.Secrets.Age.Recipients, sp.Secrets.Age.IdentityFile = []string{recipient}, file
	before := connected(t, sp)
	try := func(what, mention, hint string) {
		t.Helper()
		for _, readOnly := range []bool{true, false} {
			s, err := site.StateOf(t.Context(), sp, readOnly)
			if err == nil {
				_, err = vault.LoadCredentials(t.Context(), s, sp)
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), mention) ||
				!strings.Contains(remote.Hint(err), hint) {
				t.Errorf("%s: %v; %s", what, err, remote.Hint(err))
			}
		}
	}
	sp.Secrets.Age.IdentityFile = otherFile
	try("an identity of nobody", "belongs to none of the recipients", "add your own recipient")
	sp.Secrets.Age.Recipients = []string{other}
	try("another identity", filepath.Join(sp.StateDir, "ca", "etcd.key"),
		"identity that it was encrypted for")
	if _, err := vault.EncryptState(t.Context(), sp); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("encrypt: %v", err)
	}
	sp.Secrets.Age.Recipients = nil
	try("no section", filepath.Join(sp.StateDir, "ca", "etcd.key"), "put that section back")
	if _, err := vault.DecryptState(t.Context(), sp); errs.KindOf(err) != errs.Refused {
		t.Errorf("decrypt: %v", err)
	}
	// None of it has harmed anything.
	sp.Secrets.Age.Recipients, sp.Secrets.Age.IdentityFile = []string{recipient}, file
	sameSecrets(t, before, connected(t, sp))
}

func plain(s pki.Secret) string { return string(s.Reveal()) }
