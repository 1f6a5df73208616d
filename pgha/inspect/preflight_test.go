package inspect

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/spec"
)

// fit is a database host of which nothing is to be said.
func fit(c *site.Site) preflight.Facts {
	f := preflight.Facts{
		Distribution: "debian", Release: "13", Architecture: "amd64", Root: true, Init: true,
		ClockSynced: true, FreeBytes: 100 << 30, Listeners: map[int]string{22: "sshd"},
		Candidates: map[string]string{},
	}
	h, _ := c.Spec.Host("pg1")
	for _, p := range c.LayoutOf(h).Packages().Names {
		f.Candidates[p] = "4.1.5-1"
	}
	return f
}

func TestJudgeHost(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	c.Hold(&vault.Credentials{EtcdCA: []byte(ourCA)})
	c.Spec.PostgreSQL.Source = "distribution"
	h, err := c.Spec.Host("m1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		change  func(*preflight.Facts)
		want    string // "" is nothing to say
		warning bool
	}{
		{"fit", func(*preflight.Facts) {}, "", false},
		{"own cluster", func(f *preflight.Facts) { f.EtcdCA = ourCA }, "", false},
		{"old system", func(f *preflight.Facts) { f.Release = "11" },
			"debian 11 is not supported", false},
		{"no systemd", func(f *preflight.Facts) { f.Init = false }, "PID 1 is not systemd", false},
		{"no root", func(f *preflight.Facts) { f.Root = false },
			"commands do not run as root", false},
		{
			"wrong clock", func(f *preflight.Facts) { f.ClockOffset = -5 * time.Second },
			"the clock is off by -5s", false,
		},
		{
			"no time service", func(f *preflight.Facts) { f.ClockSynced = false },
			"the time service does not report", true,
		},
		{"full disk", func(f *preflight.Facts) { f.FreeBytes = 100 << 20 },
			"only 100 MiB are free", false},
		{
			"own cluster, full disk",
			func(f *preflight.Facts) {
				f.EtcdCA = ourCA
				f.FreeBytes = 100 << 20
			}, "only 100 MiB are free", true,
		},
		{"port taken", func(f *preflight.Facts) {
			f.Premises.Listeners = []preflight.Listener{{Port: 5432, Program: "nginx"}}
		}, "port 5432 (postgresql.port) is in use by nginx", false},
		{
			"package missing", func(f *preflight.Facts) { delete(f.Candidates, "patroni") },
			"apt offers no patroni", false,
		},
		{
			"old Patroni", func(f *preflight.Facts) { f.Candidates["patroni"] = "3.3.2-1" },
			"3.3 is older than 4.0", false,
		},
		{
			"another cluster's host", func(f *preflight.Facts) { f.EtcdCA = theirCA },
			"another certificate authority", false,
		},
	} {
		f := fit(c)
		tt.change(&f)
		f.Premises.Member, f.Premises.Stranger = belongs(c, h, f)
		found := judgeHost(c, h, f)
		switch {
		case tt.want == "" && len(found) > 0:
			t.Errorf("%s: found %v", tt.name, found)
		case tt.want == "":
		case len(found) != 1 || !strings.Contains(found[0].Problem, tt.want) ||
			found[0].Warning != tt.warning ||
			found[0].Remedy.IsZero():
			t.Errorf("%s: found %+v, want %q (warning %v) with a remedy", tt.name, found, tt.want,
				tt.warning)
		}
		report := PreflightReport{Findings: found}
		if (report.Err() != nil) != (tt.want != "" && !tt.warning) {
			t.Errorf("%s: Err() = %v", tt.name, report.Err())
		}
	}
}

// TestWant translates a specification with everything that preflight asks about.
func TestWant(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	c.Spec.PostgreSQL.Source, c.Spec.Etcd.Source, c.Spec.Timezone = spec.SourcePGDG,
		spec.SourceRelease, "Europe/Madrid"
	c.Spec.PostgreSQL.Parameters = map[string]any{
		"LC_Time": "de_DE.UTF-8", "timezone": "CET-1CEST", "log_timezone": "Etc/UTC",
		"work_mem":    "4MB",
		"lc_messages": "",
	}
	h, err := c.Spec.Host("m1")
	if err != nil {
		t.Fatal(err)
	}
	w := want(c, h)
	if got := w.Repositories; len(got) != 1 ||
		got[0] != "https://apt.postgresql.org/pub/repos/apt/dists/{codename}-pgdg/InRelease" {
		t.Errorf("repositories: %v", got)
	}
	if got := w.Downloads; len(got) != 1 || !strings.HasPrefix(got[0],
		"https://github.com/etcd-io/etcd/releases/download/v") ||
		!strings.HasSuffix(got[0], "-linux-{architecture}.tar.gz") {
		t.Errorf("downloads: %v", got)
	}
	if len(w.Locales) != 2 || w.Locales[1] != (preflight.Setting{
		Value: "de_DE.UTF-8", Field: "postgresql.parameters.LC_Time",
	}) {
		t.Errorf("locales: %v", w.Locales)
	}
	if len(w.Zones) != 2 || w.Zones[1].Value != "Etc/UTC" {
		t.Errorf("zones: %v", w.Zones)
	}
	for i, p := range w.Peers {
		if p.Name == h.Name || i > 0 && p == w.Peers[i-1] {
			t.Errorf("peers: %v", w.Peers)
		}
	}
	for suite, want := range map[string]string{
		"x/": "http://m/x/InRelease", "./": "http://m/InRelease",
		"trixie": "http://m/dists/trixie/InRelease",
	} {
		if got := (site.Repository{URL: "http://m/", Suite: suite}).Release(); got != want {
			t.Errorf("suite %s: %s, want %s", suite, got, want)
		}
	}
}
