package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/pki"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	if err := reference.WithCertificates(t).Validate(); err != nil {
		t.Fatalf("good options: %v", err)
	}
	for name, tt := range map[string]struct {
		spoil func(*host.Options)
		want  string
	}{
		"short ttl": {
			func(o *host.Options) {
				o.TTL, o.LoopWait, o.RetryTimeout = 19*time.Second, time.Second, 3*time.Second
			},
			"ttl 19s: Patroni takes nothing below 20s",
		},
		"suspicion without synchronous replication": {
			func(o *host.Options) { o.SuspectAfter = 3 * time.Second },
			"may acknowledge commits to the end of its lease",
		},
		"suspicion too soon": {
			func(o *host.Options) {
				o.SynchronousMode, o.SuspectAfter = host.SynchronousQuorum, 1900*time.Millisecond
			}, "suspect after 1.9s: below 2s a host that only stalls",
		},
		"suspicion between two": {
			func(o *host.Options) {
				o.SynchronousMode, o.SuspectAfter = host.SynchronousQuorum, 3*time.Second
				o.Members = o.Members[:2]
			}, "2 members are not enough",
		},
		"short retry_timeout": {
			func(o *host.Options) {
				o.RetryTimeout = 2 * time.Second
			}, "retry_timeout 2s: Patroni takes nothing below 3s",
		},
		"short loop_wait": {
			func(o *host.Options) {
				o.LoopWait = 500 * time.Millisecond
			}, "loop_wait 500ms: Patroni takes nothing below 1s",
		},
		"timings do not add up": {func(o *host.Options) { o.TTL = 29 * time.Second },
			"is more than ttl 29s"},
		"fraction of a second": {func(o *host.Options) { o.TTL = 30*time.Second + 1 },
			"must be whole seconds"},
		"no members": {func(o *host.Options) { o.Members = nil }, "no members"},
		"same name": {func(o *host.Options) { o.Members[1].Name = o.Members[0].Name },
			"two members are called"},
		"same address": {
			func(o *host.Options) {
				o.Members[1].Address = o.Members[0].Address
			}, "two members have the address",
		},
		"name as address": {func(o *host.Options) { o.Members[1].Address = "pg2" },
			"must be an IP address"},
		"loopback": {
			func(o *host.Options) {
				o.Members[1].Address = "127.0.0.1"
			}, "that the other members can reach",
		},
		"strange name": {func(o *host.Options) { o.Members[1].Name = "a b" },
			"member name \"a b\""},
		"endpoint with scheme": {
			func(o *host.Options) {
				o.EtcdEndpoints[0] = "https://192.168.0.203:2379"
			}, "without a scheme",
		},
		"no endpoints": {func(o *host.Options) { o.EtcdEndpoints = nil }, "no etcd endpoints"},
		"no password": {func(o *host.Options) { o.Rewind.Password = pki.Secret{} },
			"rewind: no password"},
		"password of two lines": {
			func(o *host.Options) {
				o.Rewind = reference.Credentials("two\nlines")
			}, "rewind: the password holds a line break",
		},
		"password no text": {
			func(o *host.Options) { o.Rewind = reference.Credentials("\xff") },
			"rewind: the password holds a line break or is no text",
		},
		"no verifier": {
			func(o *host.Options) {
				o.Rewind.Verifier = pki.Secret{}
			}, "rewind: the verifier is missing",
		},
		"another's verifier": {
			func(o *host.Options) { o.Rewind.Verifier = o.Superuser.Verifier },
			"rewind: the verifier is missing or another password's",
		},
		"own post_bootstrap": {
			func(o *host.Options) {
				o.Extra = map[string]any{"bootstrap": map[string]any{"post_init": "x"}}
			},
			"extra: bootstrap.post_init: that command sets the roles' passwords",
		},
		"shared role": {
			func(o *host.Options) {
				o.Rewind.Username = "replicator"
			}, "replication and rewind are the same role",
		},
		"role breaks the line": {func(o *host.Options) { o.Rewind.Username = "a\nhost" },
			"cannot be used in pg_hba.conf"},
		"relative data": {func(o *host.Options) { o.DataDir = "data" },
			"must be an absolute, clean path"},
		"one port for two": {func(o *host.Options) { o.RESTPort = 5432 }, "share port 5432"},
		"old PostgreSQL":   {func(o *host.Options) { o.PostgreSQLVersion = 12 }, "13 or later"},
		"synchronous word": {func(o *host.Options) { o.SynchronousMode = "maybe" },
			"synchronous mode \"maybe\""},
		"watchdog missing": {
			func(o *host.Options) {
				o.Watchdog = host.WatchdogRequired
			}, "a watchdog is required but the host has none",
		},
		"parameter of Patroni": {func(o *host.Options) { o.Parameters = map[string]any{"Port": 1} },
			"use ListenPort"},
		"no TLS": {
			func(o *host.Options) {
				o.Parameters = map[string]any{"ssl": "off"}
			}, "every link is encrypted",
		},
		"md5": {
			func(o *host.Options) { o.Parameters = map[string]any{"password_encryption": "md5"} },
			"only lets scram-sha-256 in",
		},
		"minimal": {
			func(o *host.Options) {
				o.Parameters = map[string]any{"wal_level": "minimal"}
			}, "does not replicate",
		},
		"synchronous names": {func(o *host.Options) {
			o.SynchronousMode = host.SynchronousQuorum
			o.Parameters = map[string]any{"synchronous_standby_names": "*"}
		}, "Patroni sets it in synchronous mode"},
		"trust": {func(o *host.Options) { o.PgHBA = []string{"host all all 0.0.0.0/0 trust"} },
			"are refused"},
		"two rules": {
			func(o *host.Options) {
				o.PgHBA = []string{"local all all peer\nhost all all all trust"}
			}, "one rule a line",
		},
		"include": {func(o *host.Options) { o.PgHBA = []string{"include /tmp/x"} },
			"write the rule itself"},
		"network": {func(o *host.Options) { o.ApplicationCIDRs = []string{"10.0.0.1"} },
			"must be address/bits"},
		"no CA": {func(o *host.Options) { o.RESTCA = nil }, "REST CA: no certificate"},
		"uncovered address": {
			func(o *host.Options) { o.Members[2].REST = o.Members[1].REST },
			"member postgresql-03: REST server certificate: does not cover 192.168.0.205",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := reference.WithCertificates(t)
			tt.spoil(&o)
			err := o.Validate()
			if !errors.Is(err, rest.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			for _, secret := range []string{"super-password", "replication-password",
				"rewind-password"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %s", secret)
				}
			}
		})
	}
}

func TestValidateMismatchedKey(t *testing.T) {
	t.Parallel()
	o := reference.WithCertificates(t)
	o.Members[0].EtcdClient.Key = testpki.Issue(t, pki.ClientUsage).Key
	if err := o.Validate(); err == nil ||
		!strings.Contains(err.Error(), "member postgresql-01: etcd client certificate: ") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	o := reference.WithCertificates(t)
	for _, text := range []string{
		fmt.Sprintf("%v", o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o.Superuser),
		fmt.Sprintf("%#v", o.Members[0].REST),
	} {
		if strings.Contains(text, "super-password") ||
			strings.Contains(text, string(o.Members[0].REST.Key.Reveal())) {
			t.Error("a secret is printed")
		}
	}
}
