package pooler_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/pooler"
)

func options() pooler.Options {
	return pooler.Options{Sizes: pooler.Sizes{Write: 18, Read: 9}, PreparedStatements: 200,
		LookupPassword: pki.NewSecret([]byte("S3CRET"))}
}

func TestConfigGolden(t *testing.T) {
	t.Parallel()
	named := options()
	named.Databases = []pooler.Database{{Name: "shop", Sizes: pooler.Sizes{Write: 12, Read: 6}},
		{Name: "old-app", Mode: pooler.Session, Sizes: pooler.Sizes{Write: 6, Read: 3}}}
	named.Roles = []pooler.Role{{Name: "batch", Connections: 4}}
	named.StatsRoles = []string{"metrics", "admin"}
	named.WritePort, named.ServerWritePort = 7432, 5000
	for name, o := range map[string]pooler.Options{"reference": options(), "named": named} {
		for _, i := range pooler.Instances() {
			got, err := pooler.Config(o, i)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "testdata/"+name+"-"+string(i)+".ini", got)
			if strings.Contains(string(got), "S3CRET") {
				t.Errorf("%s, %s has the password", name, i)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*pooler.Options){
		"no sessions":     func(o *pooler.Options) { o.Sizes.Read = 0 },
		"one port":        func(o *pooler.Options) { o.ReadPort = 6432 },
		"HAProxy's port":  func(o *pooler.Options) { o.WritePort = 5433 },
		"out of range":    func(o *pooler.Options) { o.WritePort = 70000 },
		"mode":            func(o *pooler.Options) { o.Mode = "statement" },
		"mode of one":     func(o *pooler.Options) { o.Databases = []pooler.Database{{Name: "a", Mode: "x", Sizes: o.Sizes}} },
		"a database's":    func(o *pooler.Options) { o.Databases = []pooler.Database{{Name: "a"}} },
		"line of a name":  func(o *pooler.Options) { o.Databases = []pooler.Database{{Name: "a\nb", Sizes: o.Sizes}} },
		"name with spots": func(o *pooler.Options) { o.Roles = []pooler.Role{{Name: "a=b", Connections: 1}} },
		"role of two":     func(o *pooler.Options) { o.StatsRoles = []string{"a,b"} },
		"impatient":       func(o *pooler.Options) { o.QueryWait = 1 },
	} {
		o := options()
		change(&o)
		if _, err := pooler.Config(o, pooler.Write); !errors.Is(err, pooler.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

// TestCheckVersion: what distributions have, by their names of versions.
func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"1.26.1-1": true, "1.26.1-1.pgdg13+1": true, "1.27.0-1": true, "2.0.0": true,
		"1.26.0-6": false, "1.25.2-1": false, "1.24.1-1+deb13u2": false, "1.18.0-1+deb12u1": false,
		"": false, "nonsense": false,
	} {
		if err := pooler.CheckVersion(version); (err == nil) != want ||
			err != nil && !errors.Is(err, pooler.ErrVersion) {
			t.Errorf("%q: %v", version, err)
		}
	}
}
