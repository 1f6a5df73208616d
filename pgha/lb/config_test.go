package lb_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/lb"
)

func TestConfigGolden(t *testing.T) {
	t.Parallel()
	for name, adjust := range map[string]func(*lb.Options){
		"reference": func(*lb.Options) {},
		"tuned": func(o *lb.Options) {
			o.WritePort, o.ReadPort, o.PostgresPort, o.RESTPort, o.HealthPort = 6432, 6433, 5433,
				8009, 7100
			o.FormerWritePort, o.FormerReadPort = 5432, 5434
			o.StatsPage, o.NoReadFallback, o.ReadMaxLag, o.MaxConn = true, true, 16<<20, 500
			o.Checks = lb.Checks{
				Interval: 2 * time.Second, Fast: time.Second, Down: 3 * time.Second,
				Timeout: 5 * time.Second, Fall: 3, Rise: 2,
			}
			o.ConnectTimeout, o.ClientTimeout, o.ServerTimeout = time.Second, time.Hour, 2*time.Hour
			o.Backends[0].CertName = "pg1.example.com"
			o.Clients = []string{"10.1.0.0/16", "192.168.0.0/24", "fd00::/8"}
			o.MetricsNetworks, o.MetricsPort = []string{"10.9.0.0/16", "10.8.0.1/32"}, 9405
		},
		"ipv6": func(o *lb.Options) {
			o.Backends = []lb.Backend{{Name: "pg1", Address: "fd00::203"},
				{Name: "pg2", Address: "fd00::204"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := reference(t)
			adjust(&o)
			cfg, err := lb.Config(o)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, filepath.Join("testdata", name+".cfg.golden"), cfg)
			t.Run("HAProxy accepts it without a warning", func(t *testing.T) {
				t.Parallel()
				// -dW makes every warning an error.
				out, err := exec.CommandContext(t.Context(), haproxy(t), "-c", "-dW", "-f",
					relocate(t, cfg, o.PatroniCA, t.TempDir())).CombinedOutput()
				if err != nil || strings.Contains(string(out), "WARN") {
					t.Errorf("haproxy -c: %v\n%s", err, out)
				}
			})
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		adjust func(*lb.Options)
		want   string // part of the message; "" is valid
	}{
		"reference": {func(*lb.Options) {}, ""},
		"longest timeout": {func(o *lb.Options) {
			o.ClientTimeout = 24 * 24 * time.Hour
		}, ""},
		"no backends": {func(o *lb.Options) { o.Backends = nil }, "there is no backend"},
		"name with a space": {func(o *lb.Options) { o.Backends[0].Name = "pg 1" },
			`backend name "pg 1"`},
		"name with a line break": {func(o *lb.Options) {
			o.Backends[0].Name = "pg1\n    bind *:22"
		}, "backend name"},
		"name like a stand-in": {func(o *lb.Options) { o.Backends[0].Name = "pg1:primary" },
			"backend name"},
		"certificate name": {
			func(o *lb.Options) { o.Backends[0].CertName = "pg1 verify none" }, "certificate name",
		},
		"name twice": {func(o *lb.Options) { o.Backends[1].Name = "postgresql-01" }, "there twice"},
		"address twice": {
			func(o *lb.Options) {
				o.Backends[1].Address = "192.168.0.203"
			}, "address 192.168.0.203 is there twice",
		},
		"address is a name": {func(o *lb.Options) { o.Backends[1].Address = "pg2.example.com" },
			"no IP address"},
		"address with a zone": {func(o *lb.Options) { o.Backends[1].Address = "fe80::1%eth0" },
			"no IP address"},
		"port too high": {func(o *lb.Options) { o.RESTPort = 65536 }, "REST port 65536"},
		"port negative": {func(o *lb.Options) { o.WritePort = -1 }, "write port -1"},
		"ports clash": {func(o *lb.Options) { o.ReadPort = 5432 },
			"write port and read port are both 5432"},
		"a port of before clashes": {func(o *lb.Options) { o.FormerReadPort = 5432 },
			"write port and former read port are both 5432"},
		"a port of before is none": {func(o *lb.Options) { o.FormerWritePort = -1 },
			"former write port -1"},
		"health port clashes": {
			func(o *lb.Options) { o.HealthPort = 5433 }, "read port and health port are both 5433",
		},
		"negative lag": {func(o *lb.Options) { o.ReadMaxLag = -1 }, "maximum lag -1"},
		"timeout beyond HAProxy": {
			func(o *lb.Options) {
				o.ClientTimeout = 25 * 24 * time.Hour
			}, "client timeout 600h0m0s",
		},
		"check interval too low": {func(o *lb.Options) { o.Checks.Interval = time.Millisecond },
			"check interval 1ms"},
		"fall": {func(o *lb.Options) { o.Checks.Fall = -1 }, "fall -1"},
		"connections": {func(o *lb.Options) { o.MaxConn = 2_000_000 },
			"maximum of connections 2000000"},
		"no authority": {func(o *lb.Options) { o.PatroniCA = nil }, "no certificate"},
		"private key": {func(o *lb.Options) {
			o.PatroniCA = []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
		}, "holds a PRIVATE KEY"},
		"broken certificate": {func(o *lb.Options) {
			o.PatroniCA = []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
		}, "PatroniCA: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := reference(t)
			c.adjust(&o)
			err := o.Validate()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, lb.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want ErrInvalid with %q", err, c.want)
			}
			if _, err := lb.Config(o); !errors.Is(err, lb.ErrInvalid) {
				t.Errorf("Config: got %v, want ErrInvalid", err)
			}
		})
	}
}

func TestValidateNamesEveryFlaw(t *testing.T) {
	t.Parallel()
	err := lb.Options{RESTPort: -1, ReadMaxLag: -1}.Validate()
	for _, want := range []string{"no backend", "REST port", "lag", "no certificate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
