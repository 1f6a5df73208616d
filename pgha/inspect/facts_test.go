package inspect

import (
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/preflight"
)

func TestFreeBytes(t *testing.T) {
	t.Parallel()
	got, err := freeBytes("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda " +
		"1000 400 600 40% /")
	if err != nil || got != 600*1024 {
		t.Errorf("got %d, %v", got, err)
	}
	for _, bad := range []string{"", "df: cannot access", "a b c\nd e f x y"} {
		if _, err := freeBytes(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestSupported(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		distribution, release string
		want                  bool
	}{
		{"debian", "12", true}, {"debian", "13", true}, {"debian", "", true},
		{"debian", "11", false},
		{"ubuntu", "22.04", true}, {"ubuntu", "24.04", true}, {"ubuntu", "20.04", false},
		{"rocky", "9", false},
	} {
		if got := supported(preflight.Facts{Distribution: tt.distribution,
			Release: tt.release}); got != tt.want {
			t.Errorf("%s %s: got %v", tt.distribution, tt.release, got)
		}
	}
}

func TestClockOffset(t *testing.T) {
	t.Parallel()
	before := time.Unix(1_800_000_000, 0)
	after := before.Add(5 * time.Second)
	for name, tt := range map[string]struct {
		clock, up, later string
		want             time.Duration
	}{
		"within the round trip":      {"1800000002.5", "70.5", "72.50", 0},
		"at once, answered late":     {"1800000000.0", "70.5", "70.6", 0},
		"ahead":                      {"1800000004.000", "70.00", "74.25", 3250 * time.Millisecond},
		"behind":                     {"1799999990.5", "70", "70.5", -9500 * time.Millisecond},
		"a host that tells no time":  {"", "70", "71", 0},
		"and one that does so later": {"1800000001", "70", "sh: not found", 0},
	} {
		if got := clockOffset(before, after, tt.clock, tt.up, tt.later); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestFilesIn runs the question for whole files.
func TestFilesIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, empty, none := dir+"/one", dir+"/empty", dir+"/none"
	scripttest.Write(t, dir, "one", "\nA=1: 2\n\xff\x00\nlast")
	scripttest.Write(t, dir, "empty", "")
	out, _ := exec.CommandContext(t.Context(), "grep", "-aHs", "", "--", one, empty, none).Output()
	want := map[string]string{one: "A=1: 2\n\xff\x00\nlast"}
	if diff := cmp.Diff(want, filesIn(string(out))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
