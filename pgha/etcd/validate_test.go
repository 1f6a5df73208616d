package etcd

import (
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/pki"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	good := memberOptions(t, 3)
	other, err := pki.NewCA("another")
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("0123456789abcdef", 4)
	for name, tt := range map[string]struct {
		change func(*Options)
		want   string // "" is valid
	}{
		"good": {func(*Options) {}, ""},
		"an even number": {func(o *Options) { o.Members = o.Members[:2] },
			"odd number of members, got 2"},
		"none":       {func(o *Options) { o.Members = nil }, "odd number of members, got 0"},
		"same name":  {func(o *Options) { o.Members[2].Name = "m1" }, `name "m1" is used twice`},
		"unfit name": {func(o *Options) { o.Members[2].Name = "m=3" }, "letters, digits"},
		"same address": {
			func(o *Options) {
				o.Members[2].Address = "127.0.0.1"
			}, "address 127.0.0.1 is used twice",
		},
		"a name as address": {func(o *Options) { o.Members[0].Address = "pg1" },
			"not an IP address"},
		"any address": {
			func(o *Options) {
				o.Members[0].Address = "0.0.0.0"
			}, "not an IP address that others can reach",
		},
		"no target": {func(o *Options) { o.Members[1].Target = nil }, "m2 has no target"},
		"hasty election": {
			func(o *Options) { o.ElectionTimeout = 300 * time.Millisecond }, "five heartbeats",
		},
		"old 3.6": {func(o *Options) { o.Version = "3.6.9" }, "3.6.9 is too old"},
		"old 3.5": {func(o *Options) { o.Version = "3.5.32" },
			"3.5.32 is too old"},
		"oldest 3.5": {func(o *Options) { o.Version = "3.5.33" }, ""},
		"oldest 3.6": {func(o *Options) { o.Version = "3.6.10" }, ""},
		"untried": {func(o *Options) { o.Version = "3.7.1" },
			"3.7.1 has not been tried"},
		"no version": {func(o *Options) { o.Version = "latest" },
			`"latest" is not a complete version`},
		"the distribution decides": {func(o *Options) {
			o.Source, o.Version = SourceDistribution,
				"3.5.16"
		}, ""},
		"unknown source": {func(o *Options) { o.Source = "pip" }, `etcd source "pip" is none of`},
		"no archive": {
			func(o *Options) { o.Source, o.SHA256 = SourceArchive, sum }, "no archive is named",
		},
		"unchecked archive": {
			func(o *Options) { o.Source, o.Archive = SourceArchive, "/x" }, "SHA256 is missing",
		},
		"unchecked download": {func(o *Options) { o.URL = "https://192.0.2.9/etcd.tar.gz" },
			"SHA256 is missing"},
		"short checksum": {func(o *Options) { o.SHA256 = "abcd" }, "not a SHA256"},
		"unfit directory": {func(o *Options) { o.DataDir = "/var/my data" },
			"not a plain absolute path"},
		"long name": {
			func(o *Options) { o.Members[0].Name = strings.Repeat("a", 64) }, "63 at most",
		},
		"unfit token":      {func(o *Options) { o.Token = "a\nETCD_X=1" }, "token"},
		"one port for all": {func(o *Options) { o.PeerPort = 2379 }, "same port 2379"},
		"two directives in one": {func(o *Options) { o.Unit = []string{"Nice=1\nUser=root"} },
			"not one line"},
		"no CA":      {func(o *Options) { o.CA = nil }, "no certificate in it"},
		"another CA": {func(o *Options) { o.CA = other.CertPEM() }, "signed by unknown authority"},
		"no key": {func(o *Options) { o.Client.Key = pki.Secret{} },
			"certificate of the operator"},
		"another's server": {
			func(o *Options) {
				o.Members[1].Server = o.Members[2].Server
			}, ", 127.0.0.3, not 127.0.0.2",
		},
		"a server among peers": {
			func(o *Options) { o.Members[0].Peer = o.Members[0].Server },
			"certificate specifies an incompatible key usage",
		},
		"no gateway": {
			func(o *Options) { o.Members[0].Gateway = pki.KeyPair{} }, "which is the gateway's too",
		},
		"server is gateway": {
			func(o *Options) {
				o.Members[0].Gateway, o.Members[0].Server = pki.KeyPair{}, o.Members[0].Peer
			}, "",
		},
	} {
		o := good
		o.Members = append([]Member(nil), good.Members...)
		tt.change(&o)
		err := o.Validate()
		if tt.want == "" && err != nil || tt.want != "" &&
			(err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestValidateTellsEverything(t *testing.T) {
	t.Parallel()
	err := Options{Version: "3.4.0", DataDir: "x", Source: "y"}.Validate()
	for _, want := range []string{"odd number", "no certificate", "too old", "absolute path",
		`source "y"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell %q", err, want)
		}
	}
}
