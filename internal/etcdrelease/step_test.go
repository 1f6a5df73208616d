package etcdrelease

import "testing"

func TestStep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ runs, wanted, want string }{
		{"3.6.10", "3.6.16", ""}, {"3.6.16", "3.6.16", ""}, {"3.5.33", "3.6.16", ""},
		{"3.6.9", "3.6.10", ""},
		{"3.6.16", "3.6.14", "3.6.16 or later of 3.6"},
		{"3.6.10", "3.6.9", "3.6.10 or later of 3.6"},
		{"3.6.16", "3.5.33", "3.6.16 or later of 3.6"},
		{"3.5.33", "3.7.1", "the newest of 3.6 first and apply, then go on from there"},
		{"3.4.37", "3.6.16", "the newest of 3.5 first and apply, then go on from there"},
		{"", "3.6.16", ""}, {"3.6.16", "", ""}, {"3.5.16-4+b1", "3.6.16", ""},
	} {
		if got := Step(tt.runs, tt.wanted); got != tt.want {
			t.Errorf("%s to %s: %q, want %q", tt.runs, tt.wanted, got, tt.want)
		}
	}
}
