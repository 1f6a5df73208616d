package etcd

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

func threeMembers() Options {
	return Options{Token: "demo", Members: []Member{
		{Name: "m1", Address: "192.0.2.1"}, {Name: "m2", Address: "192.0.2.2"}, {Name: "m3", Address: "192.0.2.3"},
	}}.withDefaults()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	plain := threeMembers()
	tuned := threeMembers()
	tuned.Source, tuned.ClientPort, tuned.PeerPort, tuned.DataDir = SourceDistribution, 12379, 12380, "/srv/etcd"
	tuned.HeartbeatInterval, tuned.ElectionTimeout, tuned.AutoCompaction = 250*time.Millisecond, 2500*time.Millisecond, 30*time.Minute
	six := Options{Members: []Member{{Name: "m1", Address: "2001:db8::1"}}}.withDefaults()
	for _, tt := range []struct {
		file string
		got  []byte
	}{
		{"plain.env", plain.environment(plain.Members[1], stateNew, "digest")},
		{"plain.service", plain.service(524288)},
		{"tuned.env", tuned.environment(tuned.Members[0], stateExisting, "digest")},
		{"tuned.service", tuned.service(20000)},
		{"ipv6.env", six.environment(six.Members[0], stateNew, "digest")},
	} {
		path := filepath.Join("testdata", tt.file+".golden")
		if *update {
			if err := os.WriteFile(path, tt.got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(tt.got)); diff != "" {
			t.Errorf("%s: %s", tt.file, diff)
		}
	}
}

func TestDigestChangesWithWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	base := threeMembers()
	m := base.Members[0]
	digest := base.digest(m, base.service(0), "3.6.10")
	heartbeat := base
	heartbeat.HeartbeatInterval = 200 * time.Millisecond
	more := threeMembers()
	more.Members = more.Members[:1]
	for _, tt := range []struct {
		name string
		got  string
		same bool
	}{
		{"again", base.digest(m, base.service(0), "3.6.10"), true},
		{"the first members", more.digest(m, more.service(0), "3.6.10"), true},
		{"a setting", heartbeat.digest(m, heartbeat.service(0), "3.6.10"), false},
		{"the version", base.digest(m, base.service(0), "3.6.11"), false},
		{"the unit", base.digest(m, base.service(1000), "3.6.10"), false},
	} {
		if (tt.got == digest) != tt.same {
			t.Errorf("%s: same digest %v, want %v", tt.name, tt.got == digest, tt.same)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Options)
		want   string // "" is valid
	}{
		{"plain", func(*Options) {}, ""},
		{"even", func(o *Options) { o.Members = o.Members[:2] }, "odd number of members, got 2"},
		{"none", func(o *Options) { o.Members = nil }, "odd number of members, got 0"},
		{"same name", func(o *Options) { o.Members[2].Name = "m1" }, `"m1" is empty or used twice`},
		{"same address", func(o *Options) { o.Members[2].Address = "192.0.2.1" }, "used twice"},
		{"no address", func(o *Options) { o.Members[0].Address = "pg1" }, "no IP address"},
		{"hasty election", func(o *Options) { o.ElectionTimeout = 300 * time.Millisecond }, "five heartbeats"},
		{"old 3.6", func(o *Options) { o.Version = "3.6.8" }, "too old"},
		{"old 3.5", func(o *Options) { o.Version = "3.5.27" }, "too old"},
		{"3.5", func(o *Options) { o.Version = "3.5.28" }, ""},
		{"no version", func(o *Options) { o.Version = "latest" }, `etcd version "latest"`},
		{"distribution decides", func(o *Options) { o.Source, o.Version = SourceDistribution, "" }, ""},
		{"unknown source", func(o *Options) { o.Source = "pip" }, `etcd source "pip"`},
		{"archive without a file", func(o *Options) { o.Source = SourceArchive }, "no archive is named"},
	} {
		o := threeMembers()
		tt.change(&o)
		err := o.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
