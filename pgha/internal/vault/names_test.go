package vault_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/testkit"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestNamesWithoutResolver continues with the addresses of the last apply, and without one with the
// other hosts. Who changes the hosts is refused. A name that has another address now counts.
func TestNamesWithoutResolver(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	for i, name := range map[int]string{3: "pg2.example.com", 4: "pg3.example.com"} {
		sp.Hosts[i].Address = name
	}
	look := site.Options{AllowUnreachable: true,
		Executor: func(_ context.Context, h spec.Host) (remote.Executor, error) {
			return &remote.Local{Name: h.Name}, nil
		}}
	connect := func(known map[string]string, strict bool) (*site.Site, error) {
		opts := look
		opts.Lookup, opts.AllowUnreachable = testkit.NamesOf(known), !strict
		return site.Connect(t.Context(), sp, opts)
	}
	none, both := map[string]string{}, map[string]string{
		"pg2.example.com": "192.0.2.12", "pg3.example.com": "192.0.2.13",
	}

	c, err := connect(map[string]string{"pg2.example.com": "192.0.2.12"}, false)
	if err != nil || len(c.Targets()) != 4 || len(c.Remembered) > 0 ||
		!errors.Is(c.Unreachable["pg3"], remote.ErrUnreachable) ||
		!strings.Contains(c.Unreachable["pg3"].Error(),
			`test.yaml:11:26: hosts[4].address: "pg3.example.com" cannot be looked up`) {
		t.Fatalf("before the first apply: %v, %+v", err, c)
	}
	if _, err := c.Target("pg3"); !errors.Is(err, spec.ErrLookup) {
		t.Errorf("the host without an address: %v", err)
	}
	c, err = connect(both, true)
	if err != nil {
		t.Fatal(err)
	}
	if files := tree(t, sp.StateDir); len(files) > 0 {
		t.Errorf("looking has written %v", files)
	}
	if err := errors.Join(c.State.Begin(sp), c.Close()); err != nil { // as an apply does
		t.Fatal(err)
	}
	c, err = connect(none, false)
	if err != nil || len(c.Targets()) != 5 || len(c.Unreachable) > 0 || len(c.Remembered) != 2 ||
		c.Spec.Hosts[4].Address != "192.0.2.13" {
		t.Errorf("without a resolver: %v, %+v", err, c)
	}
	if _, err = connect(none, true); !errors.Is(err, spec.ErrLookup) {
		t.Errorf("apply without a resolver: %v", err)
	}
	c, err = connect(map[string]string{"pg2.example.com": "192.0.2.12",
		"pg3.example.com": "192.0.2.99"}, false)
	if err != nil || c.Spec.Hosts[4].Address != "192.0.2.99" || len(c.Remembered) > 0 {
		t.Errorf("a name that moved: %v, %+v", err, c)
	}
	if err := os.WriteFile(filepath.Join(sp.StateDir, vault.AddressesFile), []byte("no JSON"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = connect(both, false); err == nil ||
		!strings.Contains(remote.Hint(err), "delete the file") {
		t.Errorf("a damaged file: %v", err)
	}
}
