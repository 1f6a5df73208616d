package patroni

import "testing"

// TestSizes: what psql prints of the copies that are taken; nothing while none is.
func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": false, "\n": false, "12|": false, "|34": false,
		"a|b": false, "12|34\n": true} {
		streamed, total, there := sizes(text)
		if there != want || want && (streamed != 12 || total != 34) {
			t.Errorf("%q: %d of %d, %v", text, streamed, total, there)
		}
	}
}
