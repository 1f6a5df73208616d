package host_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/remote"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	zero := time.Duration(0)
	strict := reference.Options()
	strict.TTL, strict.LoopWait, strict.RetryTimeout = 20*time.Second, 5*time.Second, 7*time.Second
	strict.PrimaryStartTimeout, strict.MemberSlotsTTL = &zero, time.Hour
	strict.SynchronousMode, strict.Watchdog, strict.NoFailsafe,
		strict.NoChecksums = host.SynchronousStrict,
		host.WatchdogRequired, true, true
	strict.Superuser.Username, strict.Rewind.Username = "admin", "Rewind"
	strict.Parameters = map[string]any{
		"MAX_CONNECTIONS": 500, "shared_buffers": nil,
		"archive_command": "test ! -f '/a b/%f' && cp %p '/a b/%f'",
	}
	strict.PgHBA = []string{"hostssl orders app 10.0.0.0/8 cert"}
	strict.ApplicationCIDRs = []string{"10.0.0.0/8", "2001:db8::/32"}
	strict.Members[0].HasWatchdog = true
	strict.Members[0].Tags = map[string]any{"failover_priority": 2, "datacenter": "a"}
	strict.Extra = map[string]any{
		"log": map[string]any{"level": "DEBUG", "dir": "/var/log/patroni"},
		"postgresql": map[string]any{
			"callbacks":  map[string]any{"on_role_change": "/usr/local/bin/role"},
			"basebackup": []any{"verbose"},
		},
	}
	six := reference.Options()
	for i := range six.Members {
		six.Members[i].Address = fmt.Sprintf("2001:db8::%d", i+1)
	}
	six.EtcdEndpoints, six.SynchronousMode = []string{"[2001:db8::1]:2379"}, host.SynchronousQuorum
	for name, o := range map[string]struct {
		options host.Options
		member  int
	}{
		"first.yml":  {reference.Options(), 0},
		"second.yml": {reference.Options(), 1},
		"strict.yml": {strict, 0},
		"ipv6.yml":   {six, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := host.Config(o.options, o.options.Members[o.member])
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, filepath.Join("testdata", name), got)
			again, err := host.Config(o.options, o.options.Members[o.member])
			if err != nil || string(again) != string(got) {
				t.Errorf("rendered twice, it differs (%v)", err)
			}
			var doc map[string]any
			if err := yaml.Unmarshal(got, &doc); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyTheFirstMemberMayInitialize(t *testing.T) {
	t.Parallel()
	o := reference.Options()
	for i, m := range o.Members {
		got, err := host.Config(o, m)
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(got), "\nbootstrap:"); has != (i == 0) {
			t.Errorf("%s has a bootstrap section: %v", m.Name, has)
		}
	}
}

func TestHBALetsNobodyInUnencrypted(t *testing.T) {
	t.Parallel()
	o := reference.Options().WithDefaults()
	for _, line := range o.HBA() {
		fields := strings.Fields(line)
		method := fields[len(fields)-1]
		switch fields[0] {
		case "hostssl":
			if method != "scram-sha-256" {
				t.Errorf("%q: wrong method", line)
			}
		case "local":
			if method != "peer" {
				t.Errorf("%q: wrong method", line)
			}
		case "host":
			if method != "reject" {
				t.Errorf("%q: lets somebody in", line)
			}
		default:
			t.Errorf("%q: unknown kind", line)
		}
	}
}

// TestPatronictlFindsTheCluster: its file says the same of the cluster as config.yml.
func TestPatronictlFindsTheCluster(t *testing.T) {
	t.Parallel()
	o := reference.Options()
	resources, err := host.Resources(o, o.Members[1])
	if err != nil {
		t.Fatal(err)
	}
	config, err := host.Config(o, o.Members[1])
	if err != nil {
		t.Fatal(err)
	}
	var file, whole map[string]any
	for _, r := range resources {
		if f, ok := r.(remote.File); ok && f.Path == "/root/.config/patroni/patronictl.yaml" {
			if f.Mode != 0o600 || f.Owner != "" {
				t.Errorf("mode %o, owner %q", f.Mode, f.Owner)
			}
			if err := yaml.Unmarshal(f.Content, &file); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := yaml.Unmarshal(config, &whole); err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"scope", "namespace", "etcd3", "ctl"} {
		if diff := cmp.Diff(whole[section], file[section]); diff != "" || file[section] == nil {
			t.Errorf("%s (-config.yml +patronictl.yaml):\n%s", section, diff)
		}
	}
}

// TestLogConnectionsIsAListFromPostgreSQL18: before, PostgreSQL takes a boolean alone.
func TestLogConnectionsIsAListFromPostgreSQL18(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{14: "on", 17: "on", 18: "authorization"} {
		if got := host.DefaultParameters(version)["log_connections"]; got != want {
			t.Errorf("%d: %v, want %s", version, got, want)
		}
	}
}
