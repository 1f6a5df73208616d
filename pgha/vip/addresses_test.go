package vip

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const twoLinks = `[{"ifindex":1,"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},
{"ifindex":2,"ifname":"enp0s3","addr_info":[{"family":"inet","local":"192.168.0.201","prefixlen":24},{"family":"inet","local":"192.168.0.210","prefixlen":32},
{"family":"inet6","local":"fe80::1","prefixlen":64}]}]`

func TestParseLinks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, address string
		link        string
		prefix      string
		fails       bool
	}{
		"own address": {in: twoLinks, address: "192.168.0.201", link: "enp0s3",
			prefix: "192.168.0.201/24"},
		"virtual address": {in: twoLinks, address: "192.168.0.210", link: "enp0s3",
			prefix: "192.168.0.210/32"},
		"nobody's address": {in: twoLinks, address: "192.168.0.211"},
		"prefix only":      {in: twoLinks, address: "192.168.0.20"},
		"empty objects": {
			in: `[{},{"ifname":"a","addr_info":[{}]},{"ifname":"b","addr_info":[{"local":"10.0.0.1","prefixlen":99}]}]`, address: "10.0.0.1",
		},
		"empty list": {in: `[]`, address: "10.0.0.1"},
		"no JSON":    {in: "1: lo: <LOOPBACK>", fails: true},
		"nothing":    {in: "", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			links, err := parseLinks([]byte(c.in))
			if (err != nil) != c.fails {
				t.Fatalf("error %v, want one: %v", err, c.fails)
			}
			if c.fails {
				return
			}
			link, prefix, found := find(links, netip.MustParseAddr(c.address))
			got := ""
			if found {
				got = prefix.String()
			}
			if diff := cmp.Diff([]string{c.link, c.prefix}, []string{link, got}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseLinks(f *testing.F) {
	f.Add([]byte(twoLinks))
	f.Add([]byte(`[{"addr_info":[{"local":"::1","prefixlen":-1}]}]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		links, err := parseLinks(in)
		if err != nil && links != nil {
			t.Fatal("links together with an error")
		}
		for _, l := range links {
			for _, p := range l.prefixes {
				if !p.IsValid() {
					t.Fatalf("prefix %s of %q", p, l.name)
				}
			}
		}
	})
}

func FuzzWord(f *testing.F) {
	f.Add("eth0")
	f.Add("a b{}!#")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := word(s)
		if err == nil && got != s {
			t.Fatalf("%q became %q", s, got)
		}
		for _, r := range got {
			if r <= ' ' || r > '~' || r == '{' || r == '}' || r == '!' || r == '#' {
				t.Fatalf("%q was let through", s)
			}
		}
	})
}
