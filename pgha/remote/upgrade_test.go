package remote

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func texts(changes Changes) string {
	var list []string
	for _, c := range changes {
		list = append(list, fmt.Sprintf("%s %s %s", c.Kind, c.Name, c.Action))
	}
	return strings.Join(list, "\n")
}

// TestSimulatedUpgrade reads what apt-get -s of Debian 14 prints.
func TestSimulatedUpgrade(t *testing.T) {
	t.Parallel()
	const out = `Reading package lists...
Building dependency tree...
The following packages will be upgraded:
  libc6 postgresql-18
Inst libc6 [2.41-12] (2.41-14 Debian:testing [amd64]) [libc6:amd64 ]
Inst linux-image-7.1 (7.1-2 Debian:testing [amd64])
Inst postgresql-18 [18.5-1] (18.6-1 /srv/repo [amd64]) []
Conf libc6 (2.41-14 Debian:testing [amd64])
`
	want := `package libc6 upgraded from 2.41-12 to 2.41-14
package linux-image-7.1 installed, 7.1-2
package postgresql-18 upgraded from 18.5-1 to 18.6-1`
	if diff := cmp.Diff(want, texts(simulated(out))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := simulated("Reading package lists...\n0 upgraded, 0 newly installed.\n"); got != nil {
		t.Errorf("nothing to upgrade: %v", got)
	}
}

func TestDifferingVersions(t *testing.T) {
	t.Parallel()
	before := map[string]string{"libc6:amd64": "1", "patroni": "4.1.5-1", "same": "3"}
	after := map[string]string{"libc6:amd64": "2", "patroni": "4.1.6-1", "same": "3", "new": "1"}
	want := `package libc6:amd64 upgraded from 1 to 2
package new installed, 1
package patroni upgraded from 4.1.5-1 to 4.1.6-1`
	if diff := cmp.Diff(want, texts(differing(before, after))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
