package provision

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
)

func planOf(t *testing.T, changes ...PlannedChange) Plan {
	t.Helper()
	sum, err := digest(changes)
	if err != nil {
		t.Fatal(err)
	}
	return Plan{Cluster: "c", Made: time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC), Changes: changes,
		Digest: sum}
}

func TestSavedPlanComesBack(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "saved.plan")
	plan := planOf(t, PlannedChange{
		Phase: "haproxy", Host: "lb1", Kind: "file", Name: "/etc/haproxy/haproxy.cfg",
		Action: "updated",
		Diff:   "+ä <&>\n",
	})
	if err := plan.Save(file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := LoadPlan(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plan, got); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	if err := plan.Save(file); !errors.Is(err, os.ErrExist) {
		t.Errorf("a plan was written over another: %v", err)
	}
}

func TestPlanThatWasChangedIsRefused(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "whole.plan")
	if err := planOf(t, PlannedChange{Host: "lb1", Name: "/etc/x",
		Action: "updated"}).Save(whole); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"another host":  strings.Replace(string(text), "lb1", "lb2", 1),
		"cut off":       string(text[:len(text)/2]),
		"another field": strings.Replace(string(text), `"host"`, `"hoost"`, 1),
		"empty":         "",
	} {
		file := filepath.Join(t.TempDir(), "changed.plan")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadPlan(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChangesComeInTheOrderOfPhasesAndHosts(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	hosts := []string{c.Spec.Hosts[0].Name, c.Spec.Hosts[1].Name}
	phases := []engine.Phase{{Name: "first"}, {Name: "second"}}
	changes := []PlannedChange{
		{Phase: "second", Host: hosts[1], Name: "5"}, {Phase: "first", Host: hosts[1], Name: "3"},
		{Phase: "second", Host: hosts[0], Name: "4"},
		{Phase: "first", Host: hosts[0], Name: "1"}, {Phase: "first", Host: hosts[0], Name: "2"},
	}
	sortChanges(c, changes, phases)
	got := ""
	for _, ch := range changes {
		got += ch.Name
	}
	if got != "12345" {
		t.Errorf("order %s", got)
	}
}

func TestDifferencesOfPlans(t *testing.T) {
	t.Parallel()
	a := PlannedChange{Host: "h1", Kind: "file", Name: "/a", Action: "updated"}
	b := PlannedChange{Host: "h2", Kind: "unit", Name: "b.service", Action: "started"}
	for name, tt := range map[string]struct {
		old, now []PlannedChange
		want     string
	}{
		"one went, one came": {
			[]PlannedChange{a}, []PlannedChange{b},
			"h1: file /a updated is not needed any more, or differs; h2: unit b.service started " +
				"is new, or differs",
		},
		"another order": {
			[]PlannedChange{a, b}, []PlannedChange{b, a},
			"the changes are the same in another order",
		},
	} {
		if got := differences(tt.old, tt.now); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	var many []PlannedChange
	for range 8 {
		many = append(many, a)
	}
	if got := differences(nil, many); !strings.HasSuffix(got, "; and 3 more") {
		t.Errorf("many: %q", got)
	}
}

func TestConsequencesTellOfTheRouterID(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	for diff, want := range map[string]int{
		"@@ -1 +1 @@\n-    virtual_router_id 51\n+    virtual_router_id 77\n":         1,
		"@@ -1 +1 @@\n+    virtual_router_id 77\n":                                    0, // a new file
		"@@ -1 +1 @@\n-    priority 90\n+    priority 95\n":                           0,
		"@@ -1 +1 @@\n-    interface eth0\n+    interface eth1\n":                     1,
		"@@ -1 +1 @@\n-        10.0.0.9/32 dev eth0\n+        10.0.0.9/24 dev eth0\n": 1,
		"@@ -1 +1 @@\n-    script \"/etc/keepalived/check_haproxy.sh 7000\"\n" +
			"+    script \"/etc/keepalived/check_haproxy.sh 7100\"\n": 1,
	} {
		got := consequences(t.Context(), c, []PlannedChange{
			{Host: "lb1", Kind: "file", Name: "/etc/keepalived/keepalived.conf", Action: "updated",
				Diff: diff},
		})
		if len(got) != want {
			t.Errorf("%q: %q", diff, got)
		}
	}
}

// TestConsequencesTellWhatIsServedNoMore: an address or a port that clients use and that goes.
func TestConsequencesTellWhatIsServedNoMore(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	const keepalived, haproxy = "/etc/keepalived/keepalived.conf", "/etc/haproxy/haproxy.cfg"
	for name, tt := range map[string]struct {
		file, diff string
		want       []string
	}{
		"another address": {keepalived, "@@ -1 +1 @@\n-        10.0.0.9/32 dev eth0\n" +
			"+        10.0.0.8/32 dev eth0\n", []string{"10.0.0.9 is served no more"}},
		"the former one goes": {keepalived, "@@ -1 +1 @@\n-        10.0.0.9/32 dev eth0\n" +
			"-    }\n-    virtual_ipaddress_excluded {\n         10.0.0.8/32 dev eth0\n",
			[]string{"10.0.0.9 is served no more"}},
		"both are served": {keepalived, "@@ -1 +1 @@\n         10.0.0.9/32 dev eth0\n" +
			"+    virtual_ipaddress_excluded {\n+        10.0.0.8/32 dev eth0\n", nil},
		"another port of the pooler": {"/etc/pgha-pooler/write.ini", "@@ -1 +1 @@\n" +
			"-listen_port = 6432\n+listen_port = 7432\n", []string{"port 6432 is served no more"}},
		"another prefix": {keepalived, "@@ -1 +1 @@\n-        10.0.0.9/32 dev eth0\n" +
			"+        10.0.0.9/24 dev eth0\n", []string{"the virtual IP goes and comes again, because of " +
			"vip.prefix_length"}},
		"another port": {haproxy, "@@ -1 +1 @@\n-    bind *:5432 tcp-ut 25s\n" +
			"+    bind *:6432 tcp-ut 25s\n-    bind 127.0.0.1:7000\n",
			[]string{"port 5432 is served no more"}},
		"both ports": {haproxy, "@@ -1 +1 @@\n-    bind [::]:5432 v4v6 tcp-ut 25s\n" +
			"+    bind [::]:6432 v4v6 tcp-ut 25s\n+    bind [::]:5432 v4v6 tcp-ut 25s\n", nil},
		"a new file": {haproxy, "@@ -0,0 +1 @@\n+    bind *:5432 tcp-ut 25s\n", nil},
	} {
		var got []string
		for _, text := range consequences(t.Context(), c, []PlannedChange{
			{Host: "lb1", Kind: "file", Name: tt.file, Action: "updated", Diff: tt.diff},
			{Host: "lb2", Kind: "file", Name: tt.file, Action: "updated", Diff: tt.diff},
		}) {
			before, _, _ := strings.Cut(text.String(), ":")
			got = append(got, before)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestConsequencesNameWhatIsRestarted(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	got := consequences(t.Context(), c, []PlannedChange{
		{Host: "h1", Kind: "unit", Name: "etcd.service", Action: "restarted"},
		{Host: "h1", Kind: "unit", Name: "haproxy.service", Action: "enabled"},
		{Host: "h2", Kind: "unit", Name: "etcd.service", Action: "restarted"},
		{Host: "h3", Kind: "unit", Name: "haproxy.service", Action: "reloaded"},
	})
	want := []string{
		"etcd.service is restarted on h1, h2, one at a time where it matters",
		"haproxy.service is reloaded on h3",
	}
	if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPlansOfUnwrittenCertificatesAgree: two plans before the first apply think of different
// certificates, and are the same.
func TestPlansOfUnwrittenCertificatesAgree(t *testing.T) {
	t.Parallel()
	of := func(cert, digest, name string) []PlannedChange {
		return []PlannedChange{
			{Host: "pg1", Kind: "file", Name: "/etc/etcd/certs/ca.crt", Action: "created",
				Diff: "+" + cert},
			{
				Host: "pg1", Kind: "file", Name: "/etc/etcd/etcd.env", Action: "created",
				Diff: "+ETCD_NAME=" + name + "\n+PGHA_CONFIGURATION=" + digest + "\n",
			},
		}
	}
	one := planOf(t, of("one", "aa", "a")...)
	if two := planOf(t, of("two", "bb", "a")...); one.Digest != two.Digest {
		t.Errorf("%s", differences(one.Changes, two.Changes))
	}
	if other := planOf(t, of("one", "aa", "b")...); one.Digest == other.Digest {
		t.Error("a setting that differs is not seen")
	}
}
