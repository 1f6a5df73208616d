package monitoring_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/monitoring"
	"github.com/pgha/toolkit/pgha/spec"
)

// cluster reads a specification.
func cluster(t *testing.T, text string) *spec.Spec {
	t.Helper()
	sp, err := spec.Parse(filepath.Join(t.TempDir(), "pgha.yaml"), []byte("version: 1\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

const (
	whole = `cluster: orders
hosts:
  - {name: db-1, address: 192.0.2.1, role: database}
  - {name: db-2, address: 192.0.2.2, role: database}
  - {name: db-3, address: 192.0.2.3, role: database}
  - {name: lb-1, address: 192.0.2.8, role: balancer}
  - {name: lb-2, address: 192.0.2.9, role: balancer}
vip: {address: 192.0.2.10}
patroni: {synchronous_mode: quorum}
monitoring: {networks: [10.0.0.0/8]}
`
	single = `cluster: "12"
hosts: [{name: db-1, address: "2001:db8::1", role: database}]
patroni: {rest_port: 18008}
monitoring: {networks: ["2001:db8:9::/64"], etcd_port: 12381}
`
)

func TestRendered(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"whole": whole, "single": single} {
		sp := cluster(t, text)
		scrape, err := monitoring.Scrape(sp, monitoring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rules, err := monitoring.Rules(sp)
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, filepath.Join("testdata", name+".yml"), scrape)
		golden.Check(t, filepath.Join("testdata", name+"-rules.yml"), rules)
		judge(t, sp.Cluster, rules)
	}
}

// judge wants each alert once, and of each series those of the cluster alone.
func judge(t *testing.T, cluster string, rules []byte) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(rules, &file); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range file.Groups[0].Rules {
		series := regexp.MustCompile(`\b(up|patroni_\w+|etcd_\w+|haproxy_\w+)\b(.{0,80})`)
		for _, m := range series.FindAllStringSubmatch(r.Expr, -1) {
			if !strings.HasPrefix(m[2], `{cluster="`+cluster+`"`) {
				t.Errorf("%s asks for the series %s of every cluster: %s", r.Alert, m[1], r.Expr)
			}
		}
		if seen[r.Alert] || !series.MatchString(r.Expr) {
			t.Errorf("%s is there twice, or about nothing", r.Alert)
		}
		seen[r.Alert] = true
	}
}

func TestOff(t *testing.T) {
	t.Parallel()
	sp := cluster(t, "hosts: [{name: db-1, address: 192.0.2.1, role: database}]\n")
	if _, err := monitoring.Scrape(sp, monitoring.Options{}); !errors.Is(err, monitoring.ErrOff) {
		t.Errorf("Scrape: %v", err)
	}
	if _, err := monitoring.Rules(sp); !errors.Is(err, monitoring.ErrOff) {
		t.Errorf("Rules: %v", err)
	}
}

// TestPrometheusAccepts asks promtool for its opinion of both files, and of what the rules say in
// testdata/series.yml. It is part of Debian's package prometheus; without it the test is skipped.
func TestPrometheusAccepts(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool (Debian's package prometheus)")
	}
	for name, text := range map[string]string{"whole": whole, "single": single} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, sp := t.TempDir(), cluster(t, text)
			scrape, err := monitoring.Scrape(sp, monitoring.Options{CAFile: "ca.crt"})
			if err != nil {
				t.Fatal(err)
			}
			rules, err := monitoring.Rules(sp)
			if err != nil {
				t.Fatal(err)
			}
			series, err := os.ReadFile("testdata/series.yml")
			if err != nil {
				t.Fatal(err)
			}
			for file, content := range map[string][]byte{"scrape.yml": scrape, "rules.yml": rules,
				"ca.crt": nil, "series.yml": series} {
				if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			commands := [][]string{{"check", "config", "scrape.yml"}, {"check", "rules", "rules.yml"}}
			if name == "whole" {
				commands = append(commands, []string{"test", "rules", "series.yml"})
			}
			for _, args := range commands {
				cmd := exec.CommandContext(t.Context(), promtool, args...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("promtool %v: %v\n%s", args, err, out)
				}
			}
		})
	}
}
