package lab

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/internal/layouts"
	"github.com/pgha/toolkit/pgha/errs"
)

func TestPlanHosts(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{1: 1, 2: 1, 3: 3, 4: 3, 5: 3, 6: 3, 7: 5, 10: 5} {
		addresses := networkOf(n%2 == 0)
		hosts := planHosts(n, 0, addresses)
		databases := 0
		seen := map[string]bool{addresses.vip(): true, addresses.machine(): true}
		for _, h := range hosts {
			if (h.Role == RoleDatabase) != (h.Member != "") {
				t.Errorf("%d hosts: %+v: a database has a member name, a balancer has none", n, h)
			}
			if h.Role == RoleDatabase {
				databases++
			}
			if seen[h.Address] || !addresses.contains(netip.MustParseAddr(h.Address)) {
				t.Errorf("%d hosts: bad address %s", n, h.Address)
			}
			seen[h.Address] = true
			if len(h.Name) > 15 {
				t.Errorf("%s is too long for an interface", h.Name)
			}
		}
		if len(hosts) != n || databases != want {
			t.Errorf("planHosts(%d): %d hosts, %d databases, want %d", n, len(hosts),
				databases, want)
		}
	}
	last := planHosts(6, 0, networkOf(false))[5]
	want := hostPlan{Name: "postgres-03", Address: "192.168.0.205", Role: RoleDatabase,
		Member: "postgresql-03"}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Error(diff)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	o, err := Options{}.withDefaults()
	if err != nil || o.Name != "demo" || o.CacheDir != DefaultCacheDir || o.Logger == nil {
		t.Errorf("zero options: %+v, %v", o, err)
	}
	for name, bad := range map[string]Options{
		"upper case":     {Name: "Demo"},
		"path":           {Name: "../x"},
		"digit first":    {Name: "1a"},
		"long":           {Name: strings.Repeat("a", 33)},
		"many hosts":     {Hosts: 11},
		"negative hosts": {Hosts: -1},
		"release":        {Release: "bookworm"},
		"overlay colon":  {CacheDir: "/var/a:b"},
		"overlay comma":  {CacheDir: "/var/a,b"},
	} {
		if _, err := bad.withDefaults(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestKernelNamesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, lab := range []string{"a", "a-lan", "a-haproxy", "a-haproxy-01", "a-postgres"} {
		names := []string{lanNamespace(lab)}
		for _, h := range planHosts(maxHosts, 0, networkOf(false)) {
			names = append(names, hostNamespace(lab, h.Name))
		}
		for _, n := range names {
			if other, ok := seen[n]; ok {
				t.Errorf("%s names something of lab %s and of lab %s", n, other, lab)
			}
			seen[n] = lab
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	l := testLab(t, "testing", 6)
	for address, want := range map[string]string{
		"192.168.0.210:5432": "192.168.0.210:5432",
		"haproxy-01:22":      "192.168.0.200:22",
		"postgresql-03:2379": "192.168.0.205:2379",
	} {
		if got, err := l.resolve(address); err != nil || got != want {
			t.Errorf("resolve(%q) = %q, %v, want %q", address, got, err, want)
		}
		host, _, _ := strings.Cut(address, ":")
		found, err := l.Lookup(t.Context(), host)
		if named := host[0] > '9'; named != (err == nil) || named &&
			!strings.HasPrefix(want, found[0].String()+":") {
			t.Errorf("Lookup(%q) = %v, %v", host, found, err)
		}
	}
	for _, address := range []string{
		"192.168.1.1:22", "127.0.0.1:22", "localhost:22", ":22", "[::1]:22",
		"[::ffff:192.168.0.200]:22",
		"example.com:22",
	} {
		if _, err := l.DialContext(t.Context(), "tcp", address); !errors.Is(err, ErrOutside) {
			t.Errorf("DialContext(%q) = %v, want ErrOutside", address, err)
		}
	}
	if _, err := l.DialContext(t.Context(), "tcp", "192.168.0.200:22"); !errors.Is(err,
		ErrNotRunning) {
		t.Errorf("dial in a lab that is down = %v, want ErrNotRunning", err)
	}
}

func TestResolveIPv6(t *testing.T) {
	t.Parallel()
	l := testLab(t, "ipv6", 6)
	for address, want := range map[string]string{
		"[fd00:192:168::210]:5432":    "[fd00:192:168::210]:5432",
		"[FD00:0192:168:0::210]:5432": "[fd00:192:168::210]:5432",
		"haproxy-01:22":               "[fd00:192:168::200]:22",
		"postgresql-03:2379":          "[fd00:192:168::205]:2379",
	} {
		if got, err := l.resolve(address); err != nil || got != want {
			t.Errorf("resolve(%q) = %q, %v, want %q", address, got, err, want)
		}
	}
	for _, address := range []string{
		"192.168.0.200:22", "[::1]:22", "[fe80::200]:22", "[fd00:192:169::200]:22",
		"[fd00:192:168:1::200]:22", "fd00:192:168::200:22",
	} {
		if got, err := l.resolve(address); err == nil {
			t.Errorf("resolve(%q) = %q, want an error", address, got)
		}
	}
}

func TestOpenUnknown(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Options{Name: "nobody", CacheDir: t.TempDir()})
	if !errors.Is(err, ErrNotRunning) || !strings.Contains(errs.NextOf(err).String(),
		"--lab-name nobody") {
		t.Errorf("Open = %v", err)
	}
}

func TestListEmpty(t *testing.T) {
	t.Parallel()
	labs, err := List(t.Context(), filepath.Join(t.TempDir(), "none"))
	if err != nil || len(labs) != 0 {
		t.Errorf("List = %v, %v", labs, err)
	}
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locks", "x.lock")
	first, err := lock(t.Context(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	second, err := lock(t.Context(), path, false)
	if err != nil {
		t.Fatal("shared locks exclude each other:", err)
	}
	second()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("exclusive lock beside a shared one:", err)
	}
	first()
	third, err := lock(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	third()
}

// testLab is a lab on paper: it has files and no host.
func testLab(t *testing.T, rel string, hosts int) *Lab {
	t.Helper()
	o, err := Options{Name: "paper", CacheDir: t.TempDir(), Hosts: hosts,
		IPv6: rel == "ipv6"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := cache(o.CacheDir)
	etcd := c.etcd(etcdrelease.Default)
	if err := os.MkdirAll(etcd.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	sums := strings.Repeat("ab", 32) + "  " + etcd.archiveName() + "\n"
	if err := os.WriteFile(filepath.Join(etcd.dir, etcdSums), []byte(sums), 0o644); err != nil {
		t.Fatal(err)
	}
	release, err := releaseByName(strings.Replace(rel, "ipv6", "testing", 1))
	if err != nil {
		t.Fatal(err)
	}
	r, err := prepareLab(c, release, "none", nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return newLab(o, r)
}

func TestLayers(t *testing.T) {
	t.Parallel()
	testing, err := layersOf("testing-1", releases[0])
	if err != nil {
		t.Fatal(err)
	}
	trixie, err := layersOf("trixie-1", releases[1])
	if err != nil {
		t.Fatal(err)
	}
	if testing[RoleDatabase].id == trixie[RoleDatabase].id ||
		testing[RoleDatabase].id == testing[RoleBalancer].id {
		t.Errorf("one name for two layers: %+v %+v", testing, trixie)
	}
	for role, want := range map[string]string{
		RoleDatabase: "/c/layers/db/upper:/c/images/i/root",
		RoleBalancer: "/c/images/i/root",
	} {
		r := record{Image: "i", Layers: map[string]string{RoleDatabase: "db"}}
		if got := r.lower("/c", role); got != want {
			t.Errorf("%s: got %s", role, got)
		}
	}
}

// TestAddedHosts: the next name of the role and the next address, up to ten hosts.
func TestAddedHosts(t *testing.T) {
	t.Parallel()
	r := record{Hosts: planHosts(6, 2, networkOf(false))}
	for _, want := range []hostPlan{
		{"postgres-03", "192.168.0.206", RoleDatabase, nil, "postgresql-03"},
		{"haproxy-05", "192.168.0.207", RoleBalancer, nil, ""},
		{"postgres-04", "192.168.0.208", RoleDatabase, nil, "postgresql-04"},
		{"postgres-05", "192.168.0.209", RoleDatabase, nil, "postgresql-05"},
	} {
		if got, err := r.add(want.Role); err != nil || !cmp.Equal(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := r.add(RoleDatabase); !errors.Is(err, ErrConflict) || len(r.Hosts) != maxHosts {
		t.Errorf("an eleventh host: %v", err)
	}
}

// TestPlanLayout: the hosts of a layout have its roles, and Role is the first of several.
func TestPlanLayout(t *testing.T) {
	t.Parallel()
	l, err := layouts.Named("witness")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{RoleDatabase, RoleEtcd, RoleBalancer}
	want := []hostPlan{
		{"postgres-01", "192.168.0.200", RoleDatabase, all, "postgresql-01"},
		{"postgres-02", "192.168.0.201", RoleDatabase, all, "postgresql-02"},
		{"witness-01", "192.168.0.202", RoleEtcd, nil, ""},
	}
	if diff := cmp.Diff(want, planLayout(l, networkOf(false))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLayoutOptions: a layout says how many hosts there are, and is one that is known.
func TestLayoutOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"did you mean witness?": {Layout: "witnes"},
		"how many hosts":        {Layout: "witness", Hosts: 6},
		"many hosts and data":   {Layout: "witness", Databases: 1},
	} {
		if _, err := o.withDefaults(); !errors.Is(err, ErrInvalid) ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %q", o, err, name)
		}
	}
	if _, err := (Options{Layout: "witness"}).withDefaults(); err != nil {
		t.Error(err)
	}
}
