package etcd

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha/pki"
)

// plainOptions have no targets and no certificates: enough to render.
func plainOptions() Options {
	gateway := pki.KeyPair{Cert: []byte("c"), Key: pki.NewSecret([]byte("k"))}
	return Options{Token: "demo", CA: []byte("ca"), Members: []Member{
		{Name: "m1", Address: "192.0.2.1", Gateway: gateway},
		{Name: "m2", Address: "192.0.2.2", Gateway: gateway},
		{Name: "m3", Address: "192.0.2.3", Gateway: gateway},
	}}.withDefaults()
}

func tunedOptions() Options {
	o := plainOptions()
	o.Source, o.ClientPort, o.PeerPort, o.DataDir, o.QuotaBytes = SourceDistribution, 12379, 12380,
		"/srv/etcd", 4<<30
	o.HeartbeatInterval, o.ElectionTimeout, o.AutoCompaction = 250*time.Millisecond,
		2500*time.Millisecond,
		30*time.Minute
	o.MetricsPort = 12381
	o.Unit = []string{"CPUWeight=1000", "RestartSec=5s"}
	o.Members[0].Gateway = pki.KeyPair{}
	return o
}

func TestRendered(t *testing.T) {
	t.Parallel()
	plain, tuned := plainOptions(), tunedOptions()
	six := Options{Members: []Member{{Name: "m1", Address: "2001:db8::1"}}}.withDefaults()
	for file, got := range map[string][]byte{
		"plain.env":     plain.environment(plain.Members[1], founding),
		"plain.service": plain.service(),
		"tuned.env":     tuned.environment(tuned.Members[0], formed),
		"tuned.service": tuned.service(),
		"ipv6.env":      six.environment(six.Members[0], joining(nil)),
	} {
		golden.Check(t, filepath.Join("testdata", file+".golden"), got)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	if got, want := quote("a \"b\" \\ $c `d` é"),
		"\"a \\\"b\\\" \\\\ \\$c \\`d\\` é\""; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDigestNamesWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	base := plainOptions()
	digest := base.digest(base.Members[0])
	for name, tt := range map[string]struct {
		change func(*Options)
		same   bool
	}{
		"nothing":           {func(*Options) {}, true},
		"the first members": {func(o *Options) { o.Members = o.Members[:1] }, true},
		"the token":         {func(o *Options) { o.Token = "other" }, true},
		"a certificate": {func(o *Options) {
			o.Members[0].Server.Cert = []byte("renewed")
		}, true},
		"a setting":          {func(o *Options) { o.HeartbeatInterval *= 2 }, false},
		"the version":        {func(o *Options) { o.Version = "3.6.11" }, false},
		"the unit":           {func(o *Options) { o.Unit = []string{"CPUWeight=5"} }, false},
		"the CA":             {func(o *Options) { o.CA = []byte("other") }, false},
		"the data directory": {func(o *Options) { o.DataDir = "/srv/etcd" }, false},
	} {
		o := plainOptions()
		tt.change(&o)
		if got := o.digest(o.Members[0]); (got == digest) != tt.same {
			t.Errorf("%s: the same digest: %v, want %v", name, got == digest, tt.same)
		}
	}
}
