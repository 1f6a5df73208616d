package patroni

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadCopies: what psql prints of the copies that are taken; backups of others are none.
func TestReadCopies(t *testing.T) {
	t.Parallel()
	o := fullOptions(t)
	address := o.Members[2].Address
	for text, want := range map[string][]Copy{
		"": nil, "\n": nil, address + "|12": nil, address + "|a|34": nil,
		"192.0.2.99|12|34\n": nil,
		address + "|12|34\n": {{first, third, 12, 34}},
		"\n" + o.Members[1].Address + "|0|9\n" + address + "|1|9": {{first, second, 0, 9}, {first, third, 1, 9}},
	} {
		if diff := cmp.Diff(want, readCopies(o, first, text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	for want, c := range map[string]Copy{
		"copying to m2 from m1: 512 MiB of 1 GiB (50 %)": {"m1", "m2", 1 << 29, 1 << 30},
		"copying to m2 from m1: 1 GiB of 1 GiB (100 %)":  {"m1", "m2", 1 << 30, 1 << 20},
		"copying to m2 from m1: 0 B of 1 B (0 %)":        {"m1", "m2", 0, 0},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
