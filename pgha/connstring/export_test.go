package connstring

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/spec"
)

// applied is a spec with the credentials of a first run, and a connection to it.
func applied(t *testing.T) (*spec.Spec, *vault.Credentials, Connection) {
	t.Helper()
	sp := testkit.Spec(t)
	s, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cr, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ConnectionFor(sp)
	if err != nil {
		t.Fatal(err)
	}
	return sp, cr, c
}

func TestExport(t *testing.T) {
	t.Parallel()
	sp, cr, c := applied(t)
	password := string(cr.Superuser.Reveal())
	dir := filepath.Join(t.TempDir(), "for app")
	exported, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info, err)
	}
	for _, file := range []string{exported.SSLRootCert, exported.PassFile, exported.PasswordFile,
		exported.ServiceFile} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 || filepath.Dir(file) != dir {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if text, err := os.ReadFile(exported.PasswordFile); string(text) != password+"\n" {
		t.Errorf("password alone: %q, %v", text, err)
	}
	for _, name := range []string{"psql", "uri", "pgx"} {
		f, _ := exported.Form(name)
		for _, s := range []Spelling{f.Write, f.Read} {
			cfg, err := pgx.ParseConfig(s.String)
			if err != nil || cfg.Password != password || cfg.TLSConfig == nil ||
				cfg.TLSConfig.RootCAs == nil {
				t.Errorf("%s: %s: %v", name, s.String, err)
			}
			if strings.Contains(s.String+s.Code, sp.StateDir) {
				t.Errorf("%s names the state directory: %s", name, s.String)
			}
		}
	}
	for _, service := range []string{"demo", "demo-read"} {
		cfg, err := pgx.ParseConfig("service=" + service + " servicefile='" + exported.ServiceFile + "'")
		if err != nil || cfg.Password != password || cfg.Host != "192.0.2.100" {
			t.Errorf("service %s: %v", service, err)
		}
	}
	before := stat(t, exported.PassFile)
	if _, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir}); err != nil {
		t.Errorf("repeated: %v", err)
	}
	if !os.SameFile(before, stat(t, exported.PassFile)) {
		t.Error("a repeated export wrote what was there")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestExportAfterRotation replaces what an earlier export wrote.
func TestExportAfterRotation(t *testing.T) {
	t.Parallel()
	sp, _, c := applied(t)
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	const rotated = "another-Password-42"
	if err := os.WriteFile(filepath.Join(sp.StateDir, "secrets", "superuser"), []byte(rotated),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(sp.StateDir, "secrets", "superuser.verifier")); err != nil {
		t.Fatal(err)
	}
	s, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = vault.LoadCredentials(t.Context(), s, sp)
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	exported, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{exported.PassFile, exported.PasswordFile} {
		if text, err := os.ReadFile(file); !strings.HasSuffix(string(text), rotated+"\n") {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
}

// TestExportRefuses: nothing is written where something else is in the way.
func TestExportRefuses(t *testing.T) {
	t.Parallel()
	sp, _, c := applied(t)
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string)
		says    string
	}{
		"a password file of another's": {func(t *testing.T, dir string) {
			put(t, dir, vault.PassFileName, "*:*:*:me:mine\n")
		}, "is not what an export wrote"},
		"a password of another's": {func(t *testing.T, dir string) {
			put(t, dir, vault.PasswordFileName, "mine\n")
		}, "is not what an export wrote"},
		"a service file that was changed since": {func(t *testing.T, dir string) {
			put(t, dir, serviceFile, string(signed([]byte("[demo]\n")))+"[mine]\n")
		}, "is not what an export wrote"},
		"a link": {func(t *testing.T, dir string) {
			if err := os.Symlink("/etc/passwd", filepath.Join(dir, caFile)); err != nil {
				t.Fatal(err)
			}
		}, "is not what an export wrote"},
		"a directory that others can write to": {func(t *testing.T, dir string) {
			if err := os.Chmod(dir, 0o770); err != nil {
				t.Fatal(err)
			}
		}, "others can write"},
		"a file": {func(t *testing.T, dir string) {
			if err := errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, "is no directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			tt.prepare(t, dir)
			before, _ := os.ReadDir(dir)
			_, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir})
			testkit.CheckSays(t, err, tt.says)
			if !errors.Is(err, errs.ErrRefused) {
				t.Errorf("its kind is %s", errs.KindOf(err))
			}
			if after, _ := os.ReadDir(dir); len(after) != len(before) {
				t.Errorf("something was written: %v", after)
			}
		})
	}
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestExportForAnotherRole says where its password has to be written, and writes none.
func TestExportForAnotherRole(t *testing.T) {
	t.Parallel()
	sp, cr, c := applied(t)
	dir := filepath.Join(t.TempDir(), "out")
	exported, err := Export(t.Context(), sp, c.As("shop", "me:you"), ExportOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	for name, says := range map[string]string{
		"psql":        `write the line *:*:*:me\:you:PASSWORD into ` + exported.PassFile,
		"jdbc":        `write the line *:*:*:me\:you:PASSWORD into ` + exported.PassFile,
		"postgres.js": "into " + exported.PasswordFile,
	} {
		if f, _ := exported.Form(name); !strings.Contains(f.Password, says) {
			t.Errorf("%s: %s", name, f.Password)
		}
	}
	// What the user writes there is kept.
	put(t, dir, vault.PassFileName, "*:*:*:me\\:you:mine\n")
	if _, err = Export(t.Context(), sp, c.As("shop", "me:you"), ExportOptions{Dir: dir}); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(exported.PassFile)
	if err != nil || strings.Contains(string(text), string(cr.Superuser.Reveal())) ||
		!strings.Contains(string(text), "mine") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestExportOwner gives the files to another account, as root alone can.
func TestExportOwner(t *testing.T) {
	t.Parallel()
	sp, _, c := applied(t)
	dir := filepath.Join(t.TempDir(), "out")
	for range 2 { // the second run finds everything as it should be
		exported, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir, Owner: "nobody"})
		if os.Geteuid() != 0 {
			testkit.CheckSays(t, err, "only root can give files to nobody")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		nobody, err := ownerOf("nobody")
		if err != nil {
			t.Fatal(err)
		}
		d := exportDir{owner: nobody}
		for _, file := range []string{dir, exported.PassFile, exported.SSLRootCert} {
			if !d.owns(stat(t, file)) {
				t.Errorf("%s does not belong to nobody", file)
			}
		}
	}
	if _, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir}); os.Geteuid() == 0 {
		testkit.CheckSays(t, err, "belongs to another account")
	}
	_, err := Export(t.Context(), sp, c, ExportOptions{Dir: dir, Owner: "nobody-of-that-name"})
	testkit.CheckSays(t, err, "find the owner")
}

// TestRoleOfTheSpecification: its password is known, so the strings find it and an export has it;
// of one that no apply has made there is none, and looking makes none.
func TestRoleOfTheSpecification(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	sp.PGRoles = []spec.PGRole{{Name: "shop"}, {Name: "later"}}
	s, err := vault.OpenState(sp.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	cr, err := vault.LoadCredentials(t.Context(), s, sp)
	if err != nil {
		t.Fatal(err)
	}
	password, _, err := s.RolePassword(t.Context(), sp.PGRoles[0])
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	c, err := ConnectionFor(sp)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(c.PassFile)
	if want := string(vault.PassFileFor(vault.Login{Role: c.User, Password: cr.Superuser},
		vault.Login{Role: "shop", Password: password})); err != nil || string(file) != want {
		t.Errorf("the password file has %d bytes, want %d; %v", len(file), len(want), err)
	}
	shop := c.As("shop", "shop")
	alone, err := os.ReadFile(shop.PasswordFile)
	if err != nil || string(alone) != string(password.Reveal()) || shop.PassFile != c.PassFile {
		t.Errorf("the password alone: %s, %v", shop.PasswordFile, err)
	}
	if f, _ := shop.Form("psql"); !strings.Contains(f.Write.String, shop.PassFile) ||
		strings.Contains(f.Password, "not known") {
		t.Errorf("%+v", f)
	}
	if later := c.As("shop", "later"); later.PassFile != "" {
		t.Errorf("a role that is not there yet: %+v", later)
	}
	exported, err := Export(t.Context(), sp, shop,
		ExportOptions{Dir: filepath.Join(t.TempDir(), "out")})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(exported.PassFile)
	if err != nil || !strings.Contains(string(text), string(password.Reveal())) ||
		strings.Contains(string(text), string(cr.Superuser.Reveal())) {
		t.Errorf("the export has %d bytes, %v", len(text), err)
	}
	if _, there := (&vault.State{Dir: sp.StateDir}).File("secrets/role-later"); there {
		t.Error("looking has made a password")
	}
}
