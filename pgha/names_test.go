package pgha

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// namesOf answers look-ups with these addresses, in place of DNS.
func namesOf(at map[string]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, name string) ([]netip.Addr, error) {
		if at[name] == "" {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr(at[name])}, nil
	}
}

// TestNameThatMoves: what a name resolves to is the address that the hosts have, and another one is a host that moved.
func TestNameThatMoves(t *testing.T) {
	t.Parallel()
	parsed := func(changes ...string) *Spec {
		sp, err := parseTree(t, mergedTexts(t, append([]string{pairBase}, changes...)...))
		if err != nil {
			t.Fatal(err)
		}
		return sp
	}
	running := parsed()
	named := parsed("hosts: {pg2: {address: pg2.example.com}, lb1: {address: lb1.example.com}}")
	for name, c := range map[string]struct {
		pg2, lb1, refused string
	}{
		"where they are":       {"10.0.0.12", "10.0.0.21", ""},
		"a database elsewhere": {"10.0.0.99", "10.0.0.21", "10.0.0.99"},
	} {
		sp, err := named.Resolve(t.Context(), namesOf(map[string]string{"pg2.example.com": c.pg2, "lb1.example.com": c.lb1}))
		if err != nil {
			t.Fatal(err)
		}
		stops := stopping(verdict(t, sp, seenAs(running)))
		if refused := slices.ContainsFunc(stops, func(f Finding) bool { return strings.Contains(f.Problem, c.refused) }); refused != (c.refused != "") {
			t.Errorf("%s: %+v", name, stops)
		}
	}
}

// TestDialAt leads a name to the address that it was found to have, and everything else where it wants.
func TestDialAt(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	if dialAt(nil, sp, sp) != nil {
		t.Error("a spec without names is dialled as ever")
	}
	named := *sp
	named.Hosts = slices.Clone(sp.Hosts)
	named.Hosts[1].Address = "pg2.example.com"
	found, err := named.Resolve(t.Context(), namesOf(map[string]string{"pg2.example.com": sp.Hosts[1].Address}))
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	dial := dialAt(func(_ context.Context, _, address string) (net.Conn, error) {
		to = append(to, address)
		return nil, nil
	}, &named, found)
	for _, address := range []string{"pg2.example.com:2222", "bastion.example.com:22", "192.0.2.77:22"} {
		_, _ = dial(t.Context(), "tcp", address)
	}
	if want := []string{sp.Hosts[1].Address + ":2222", "bastion.example.com:22", "192.0.2.77:22"}; !slices.Equal(to, want) {
		t.Errorf("dialled %v, want %v", to, want)
	}
	if cfg := sshConfig(t.Context(), found, found.Hosts[1], ConnectOptions{}); cfg.Address != "pg2.example.com" {
		t.Errorf("known_hosts is asked for %s", cfg.Address)
	}
	if _, err := Connect(t.Context(), &named, ConnectOptions{Lookup: namesOf(nil)}); err == nil || !strings.Contains(err.Error(), `"pg2.example.com" cannot be looked up on this machine`) {
		t.Errorf("a name that nobody knows: %v", err)
	}
}

// TestNamesWithoutResolver goes on with the addresses of the last apply, and without one with the
// other hosts. Who changes the hosts is refused. A name that has another address now counts.
func TestNamesWithoutResolver(t *testing.T) {
	t.Parallel()
	sp := testSpec(t)
	for i, name := range map[int]string{3: "pg2.example.com", 4: "pg3.example.com"} {
		sp.Hosts[i].Address = name
	}
	look := ConnectOptions{AllowUnreachable: true, Executor: func(_ context.Context, h spec.Host) (remote.Executor, error) {
		return &remote.Local{Name: h.Name}, nil
	}}
	connect := func(known map[string]string, strict bool) (*Cluster, error) {
		opts := look
		opts.Lookup, opts.AllowUnreachable = namesOf(known), !strict
		return Connect(t.Context(), sp, opts)
	}
	none, both := map[string]string{}, map[string]string{"pg2.example.com": "192.0.2.12", "pg3.example.com": "192.0.2.13"}

	c, err := connect(map[string]string{"pg2.example.com": "192.0.2.12"}, false)
	if err != nil || len(c.Targets()) != 4 || len(c.Remembered) > 0 || !errors.Is(c.Unreachable["pg3"], remote.ErrUnreachable) ||
		!strings.Contains(c.Unreachable["pg3"].Error(), `test.yaml:10:26: hosts[4].address: "pg3.example.com" cannot be looked up`) {
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
	if err := errors.Join(c.state.begin(sp), c.Close()); err != nil { // as an apply does
		t.Fatal(err)
	}
	c, err = connect(none, false)
	if err != nil || len(c.Targets()) != 5 || len(c.Unreachable) > 0 || len(c.Remembered) != 2 || c.Spec.Hosts[4].Address != "192.0.2.13" {
		t.Errorf("without a resolver: %v, %+v", err, c)
	}
	if _, err = connect(none, true); !errors.Is(err, spec.ErrLookup) {
		t.Errorf("apply without a resolver: %v", err)
	}
	c, err = connect(map[string]string{"pg2.example.com": "192.0.2.12", "pg3.example.com": "192.0.2.99"}, false)
	if err != nil || c.Spec.Hosts[4].Address != "192.0.2.99" || len(c.Remembered) > 0 {
		t.Errorf("a name that moved: %v, %+v", err, c)
	}
	if err := os.WriteFile(filepath.Join(sp.StateDir, addressesFile), []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = connect(both, false); err == nil || !strings.Contains(remote.Hint(err), "delete the file") {
		t.Errorf("a damaged file: %v", err)
	}
}
