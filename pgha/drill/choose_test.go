package drill

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestCheckRefusesAnUnknownMode does so before any host is asked, and names the modes that there
// are.
func TestCheckRefusesAnUnknownMode(t *testing.T) {
	t.Parallel()
	err := Options{Scenarios: []string{"switchover"}, Synchronous: "banana"}.Check(spec.New())
	if !errors.Is(err, patroni.ErrInvalid) || !strings.Contains(err.Error(), `"banana"`) ||
		!strings.Contains(remote.Hint(err), "quorum") {
		t.Errorf("got %v (hint %q)", err, remote.Hint(err))
	}
}
