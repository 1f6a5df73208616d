package patroni

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSetRESTCertificatesPlansTheLeaderLast(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		f := newFakePatroni(t, o)
		plan(o)
		if err := SetRESTCertificates(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		var hosts []string
		for _, c := range f.changes {
			hosts = append(hosts, c.Host)
			if !c.Planned || c.Kind != "file" && c.Kind != "unit" ||
				c.Kind == "file" && !strings.HasPrefix(c.Name, CertsDir+"/rest-") {
				t.Errorf("%s %s", c.Host, c)
			}
			if strings.HasSuffix(c.Name, ".key") && c.Diff != "" {
				t.Errorf("a key is shown: %s", c.Diff)
			}
		}
		leader := o.Members[0].Target.Name
		if hosts = slices.Compact(hosts); len(hosts) != 3 || hosts[2] != leader {
			t.Errorf("order %q, want %s at the end", hosts, leader)
		}
		if asked := f.asked(); len(asked) > 0 {
			t.Errorf("planning asked for %q", asked)
		}
	})
}

func TestSetRESTCertificatesRefusesWhatDoesNotFit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		newFakePatroni(t, o)
		o.Members[1].REST = o.Members[0].REST // of another address
		if err := SetRESTCertificates(t.Context(), o); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}
