package doctor

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/hba"
)

func TestAddressRefusesEverybody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lines []string
		says  string // "" for no finding
	}{
		"let in": {[]string{"local all all peer", "hostssl all all 0.0.0.0/0 scram-sha-256"}, ""},
		"sent away": {
			[]string{
				"hostssl all postgres all scram-sha-256", "host all all 0.0.0.0/0 reject",
				"hostssl all all all scram-sha-256",
			}, "line 2 of pg_hba.conf sends away whoever comes from haproxy-01",
		},
		"in no network": {
			[]string{"hostssl all all 10.77.0.0/16 scram-sha-256"},
			"no line of pg_hba.conf lets anybody in from haproxy-01",
		},
		"one role gets in": {[]string{"hostssl app app all scram-sha-256",
			"host all all all reject"}, ""},
		"rules are unknown": {nil, ""},
	} {
		f := recorded(t)
		for _, h := range f.sqlHosts() {
			for i, line := range test.lines {
				r, ok := hba.Parse(line)
				if !ok {
					t.Fatal(line)
				}
				r.Line = i + 1
				h.SQL.HBARules = append(h.SQL.HBARules, r)
			}
		}
		found := addressRefuses(*f)
		if (test.says == "") != (len(found) == 0) {
			t.Errorf("%s: %d findings", name, len(found))
			continue
		}
		for _, finding := range found {
			if !strings.Contains(finding.Evidence[0], test.says) {
				t.Errorf("%s: %q", name, finding.Evidence[0])
			}
		}
	}
}

// TestTagsAreKeptInMind breaks nothing: each state is what the tags promise.
func TestTagsAreKeptInMind(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tags   map[string]any
		change func(*Facts, *Host)
	}{
		"noloadbalance": {map[string]any{"noloadbalance": true}, func(f *Facts, h *Host) {
			for _, b := range f.balancers() {
				b.HAProxy.Servers["postgres_read/"+h.Member] = "DOWN"
			}
		}},
		"nostream": {map[string]any{"nostream": true},
			func(f *Facts, h *Host) { h.SQL.ReceiverState = "" }},
		"nostream, its slot is idle": {map[string]any{"nostream": true}, func(f *Facts, h *Host) {
			p := f.primary()
			p.SQL.Slots = append(p.SQL.Slots, Slot{
				Name: strings.ReplaceAll(h.Member, "-", "_"), Type: "physical", Status: "reserved",
			})
			h.SQL.ReceiverState = ""
		}},
	} {
		f := recorded(t)
		var replica *Host
		for _, h := range f.databases() {
			if h != f.primary() {
				replica = h
			}
		}
		for i, h := range f.Spec.Hosts {
			if h.Name == replica.Name {
				f.Spec.Hosts[i].Tags = test.tags
			}
		}
		test.change(f, replica)
		for _, finding := range Diagnose(*f).Findings {
			t.Errorf("%s: %s on %s: %v", name, finding.Title, finding.Host, finding.Evidence)
		}
	}
}
