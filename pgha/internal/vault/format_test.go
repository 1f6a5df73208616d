package vault_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/lineage"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/spec"
)

var update = flag.Bool("update", false, "make the golden directory of the format of today, once")

// goldenFormat is the state directory of a cluster of one database as a format has it. Once there
// is a later format nothing makes it any more: it must be read for ever.
func goldenFormat(format int) string { return fmt.Sprintf("testdata/format-%d", format) }

// formatSpec is the specification that the golden directories were made for.
func formatSpec(t *testing.T, dir string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse("format.yaml", []byte(`
version: 1
cluster: demo
state_dir: `+dir+`
tls: {ca_lifetime_days: 36500, leaf_lifetime_days: 36000}
hosts:
  - {name: pg1, address: 192.0.2.11, role: database, member: m1}
`))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// copied is a private copy of a golden directory, without some files.
func copied(t *testing.T, from string, without ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	err := os.CopyFS(dir, os.DirFS(from))
	for _, name := range without {
		err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
	}
	for _, inner := range []string{".", "ca", "certs", "secrets"} {
		err = errors.Join(err, os.Chmod(filepath.Join(dir, inner), 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFormats reads the directory of each format that there was, the one of before there were
// formats too, and brings it to today's: what it holds stays, byte by byte.
func TestFormats(t *testing.T) {
	if *update {
		makeGolden(t, goldenFormat(lineage.Format))
	}
	t.Parallel()
	dirs := map[string]string{"before there were formats": copied(t, goldenFormat(1),
		vault.IdentityFile)}
	for format := 1; format <= lineage.Format; format++ {
		dirs[fmt.Sprint("format ", format)] = copied(t, goldenFormat(format))
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp, before := formatSpec(t, dir), tree(t, dir)
			password, err := os.ReadFile(filepath.Join(dir, "secrets", "superuser"))
			if err != nil {
				t.Fatal(err)
			}
			read := func() *vault.Credentials {
				cr, err := vault.ReadCredentials(t.Context(), sp)
				if err != nil {
					t.Fatal(err)
				}
				cert, err := os.ReadFile(filepath.Join(dir, "certs", "pg1-postgres.crt"))
				if err != nil || !bytes.Equal(cert, cr.Hosts["pg1"][layout.Postgres].Cert) ||
					!bytes.Equal(password, cr.Superuser.Reveal()) || len(cr.Changed) > 0 {
					t.Errorf("other credentials are read than there are: %v", err)
				}
				return cr
			}
			read()
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("reading has changed the directory (-before +after):\n%s", diff)
			}
			s := &vault.State{Dir: dir}
			was, err := s.Identity()
			if err != nil {
				t.Fatal(err)
			}
			if s.Settled(sp, was) != (was.Format == lineage.Format) {
				t.Error("the next apply would leave the format as it is")
			}
			now, err := s.Grow(sp, was)
			if err == nil {
				err = s.Begin(sp)
			}
			if err != nil {
				t.Fatal(errors.Join(err, s.Close()))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := (&vault.State{Dir: dir, ReadOnly: true}).Identity()
			if err != nil || got.Format != lineage.Format ||
				was.Known() && (got.ID != was.ID || got.Judge(was.Note("a@b")) != nil) {
				t.Errorf("%+v became %+v, read %+v, %v", was, now, got, err)
			}
			read()
			after := tree(t, dir)
			for _, own := range []string{vault.IdentityFile, "lock"} {
				delete(before, own)
				delete(after, own)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the upgrade has changed files (-before +after):\n%s", diff)
			}
		})
	}
}

// TestFormatsKeepTheirMeaning: what the record of each format says.
func TestFormatsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	for format := 1; format <= lineage.Format; format++ {
		s := &vault.State{Dir: goldenFormat(format), ReadOnly: true}
		id, err := s.Identity()
		if err != nil || id.Format != format || id.Cluster != "demo" || id.Generation != 1 ||
			id.Addresses[0] != "192.0.2.11" {
			t.Errorf("format %d: %+v, %v", format, id, err)
		}
		if known := id.SystemIdentifier == "7123456789012345678" &&
			id.EtcdCluster == "cdf818194e3a8c32"; known != (format > 1) {
			t.Errorf("format %d: %+v", format, id)
		}
	}
}

// makeGolden makes the directory of today's format, where there is none.
func makeGolden(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	sp := formatSpec(t, dir)
	s := &vault.State{Dir: dir}
	if _, err := vault.LoadCredentials(t.Context(), s, sp); err != nil {
		t.Fatal(err)
	}
	bringIn(t, s, sp, layout.PostgresAuthority, testkit.NewCompany(t))
	if _, err := vault.LoadCredentials(t.Context(), s, sp); err != nil {
		t.Fatal(err)
	}
	_, err := s.Replacement(layout.EtcdAuthority).Company().Ask(sp)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Grow(sp, lineage.State{SystemIdentifier: "7123456789012345678",
		EtcdCluster: "cdf818194e3a8c32"})
	if err == nil {
		err = s.Begin(sp)
	}
	if err = errors.Join(err, s.Close(), os.Remove(filepath.Join(dir, "lock"))); err != nil {
		t.Fatal(err)
	}
}
