package layouts

import (
	"strings"
	"testing"
)

func TestNamed(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		if l, err := Named(name); err != nil || l.Name != name || len(l.Hosts) == 0 ||
			l.Summary == "" {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
	for name, want := range map[string]string{
		"witnes": "did you mean witness?", "": "write one of six-hosts, three-hosts",
	} {
		if _, err := Named(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

// TestExampleWantsItsPlaces: a text that has changed under the layouts is reported.
func TestExampleWantsItsPlaces(t *testing.T) {
	t.Parallel()
	l, err := Named("no-balancer")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Example("# A PostgreSQL cluster\nhosts:\n"); err == nil ||
		!strings.Contains(err.Error(), `no "hosts:" before "vip:"`) {
		t.Errorf("%v", err)
	}
}
