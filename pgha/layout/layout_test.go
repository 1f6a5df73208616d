package layout_test

import (
	"slices"
	"testing"

	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
)

var host = layout.Host{
	{Component: "store", Packages: remote.Packages{Names: []string{"curl", "store"}},
		Units: []layout.Unit{{Name: "store.service"},
			{Name: "store-watch.service", Kind: layout.Helper}},
		Files: []layout.File{
			{Path: "/etc/store", Dir: true}, {Path: "/etc/store/key", Group: "store", Mode: 0o640,
				Secret: true},
			{Path: "/srv/data", Dir: true, Owner: "store", Mode: 0o700, MostMode: 0o750},
			{Path: "/srv/open", Dir: true, Mode: 0o700, MostMode: 0o755},
		}},
	{Component: "proxy", Packages: remote.Packages{Names: []string{"proxy", "curl"},
		Quiet: []string{"proxy.service"}},
		Units: []layout.Unit{{Name: "proxy.service"},
			{Name: "proxy-once.service", Kind: layout.OnDemand}},
		Files: []layout.File{{Path: "/etc/proxy.cfg", Configures: "proxy.service"}}},
}

func TestHostJoinsItsComponents(t *testing.T) {
	t.Parallel()
	var private []string
	for _, f := range host.Private() {
		private = append(private, f.Path)
	}
	for name, c := range map[string]struct{ got, want []string }{
		"services": {host.Units(layout.Service), []string{"store.service", "proxy.service"}},
		"services and helpers": {
			host.Units(layout.Service, layout.Helper),
			[]string{"store.service", "store-watch.service", "proxy.service"},
		},
		"packages, each once": {host.Packages().Names, []string{"curl", "store", "proxy"}},
		"quiet units":         {host.Packages().Quiet, []string{"proxy.service"}},
		"private":             {private, []string{"/etc/store/key", "/srv/data"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if component, _, ok := host.File("/etc/proxy.cfg"); !ok || component != "proxy" {
		t.Errorf("proxy.cfg is %q's", component)
	}
	if component, _, ok := host.File("/etc/proxy.cfg.bak"); ok {
		t.Errorf("a path that only begins like a listed one is %s's", component)
	}
}

// TestUnlistedPathIsRefused: a component cannot write a file that its layout does not list.
func TestUnlistedPathIsRefused(t *testing.T) {
	t.Parallel()
	if f := host[0].Place("/etc/store/key", []byte("k")); !f.Secret || f.Mode != 0o640 ||
		f.Group != "store" {
		t.Errorf("%+v", f)
	}
	fake := remotetest.NewFake(t, "h")
	target := &remote.Target{Host: remote.Host{Name: "h"}, Executor: remote.Plan(fake)}
	if _, err := target.Put(t.Context(), nil, host[0].Place("/etc/store/other",
		nil).FileMeta); err == nil {
		t.Error("a file that is not listed was written")
	}
}
