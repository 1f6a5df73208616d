package pgha_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	optionsName = regexp.MustCompile(`(Options|Config|Credentials|KeyPair)$`)
	secretName  = regexp.MustCompile(`(?i)(password|passphrase|secret|token|key|verifier)s?$`)
)

// TestEveryOptionsStructIsExamined reads the sources, so that a new struct cannot be forgotten.
func TestEveryOptionsStructIsExamined(t *testing.T) {
	t.Parallel()
	var known []string
	for _, value := range configured() {
		path := strings.TrimPrefix(reflect.TypeOf(value).PkgPath(), "github.com/pgha/toolkit/pgha")
		known = append(known, "."+path+"."+reflect.TypeOf(value).Name())
	}
	found := 0
	for _, name := range declaredOptions(t) {
		found++
		if !slices.Contains(known, name) {
			t.Errorf("%s is missing in configured", name)
		}
	}
	if found < 40 {
		t.Errorf("found %d structs only", found)
	}
}

// declaredOptions are the exported structs of public packages that are named as options, as
// "./package.Name".
func declaredOptions(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"internal", "labtest", "remotetest", "testdata"},
			d.Name()):
			// no packages of the public API, but remotetest, whose secrets tests make up
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range general.Specs {
				declared, ok := s.(*ast.TypeSpec)
				if !ok || !declared.Name.IsExported() ||
					!optionsName.MatchString(declared.Name.Name) {
					continue
				}
				if _, ok := declared.Type.(*ast.StructType); ok {
					folder := strings.TrimPrefix("/"+filepath.Dir(path), "/.")
					names = append(names, "."+folder+"."+declared.Name.Name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestSecretsHaveTheirType fails for a field that is named as a secret and is plain text.
func TestSecretsHaveTheirType(t *testing.T) {
	t.Parallel()
	public := []string{
		// keeps members of two clusters apart by accident; stands in every unit
		"etcd.Options.Token",
		"spec.HostSSH.HostKey", // the fingerprint of a public key
		"spec.Host.HostKey",    // the same, promoted
		// public keys of a server, and what stands in each request to a bucket
		"spec.BackupRepository.HostKeys", "backup.SFTP.HostKeys",
		"spec.BackupRepository.AccessKey", "backup.S3.AccessKey",
	}
	for _, value := range configured() {
		parts(filled(reflect.TypeOf(value)), func(v reflect.Value) {
			for _, name := range plainSecrets(v.Type()) {
				if full := v.Type().String() + "." + name; !slices.Contains(public, full) {
					t.Errorf("%s is no pki.Secret", full)
				}
			}
		})
	}
	type careless struct {
		RootPassword string
		SigningKey   []byte
		Tokens       []string
		Keyboard     string
		KeyFile      string
	}
	if got := plainSecrets(reflect.TypeFor[careless]()); !slices.Equal(got, []string{
		"RootPassword", "SigningKey", "Tokens",
	}) {
		t.Errorf("of a careless struct: %q", got)
	}
}

// plainSecrets are the fields of a struct that are named as secrets, and are text or bytes.
func plainSecrets(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		kind := field.Type
		for kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map ||
			kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		text := kind.Kind() == reflect.String && kind.PkgPath() == "" ||
			kind.Kind() == reflect.Uint8
		if field.IsExported() && text && secretName.MatchString(field.Name) {
			names = append(names, field.Name)
		}
	}
	return names
}
