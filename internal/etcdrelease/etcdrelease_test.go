package etcdrelease

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"3.6.10": "", "3.6.16": "", "3.6.99": "", "3.5.33": "", "3.5.40": "",
		"3.6.9": "too old", "3.5.32": "too old", "3.5.0": "too old", "3.4.37": "too old",
		"2.3.8": "too old", "0.0.0": "too old",
		"3.7.0": "not been tried", "4.0.0": "not been tried", "3.10.1": "not been tried",
		"": "not a complete", "3.6": "not a complete", "v3.6.16": "not a complete",
		"3.6.16-rc.0": "not a complete", "3.6.16+b1": "not a complete",
		"3.6.x": "not a complete", "3.6.-1": "not a complete", "3.6.99999": "not a complete",
		"3.6.16.1": "not a complete", " 3.6.16": "not a complete",
	} {
		err := Check(version)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", version, err, want)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]int{
		Default: 0, "3.6.14": 0, "3.6.13": 1, "3.6.12": 2, "3.6.11": 3, "3.6.10": 4, "3.6.0": 4,
		"3.5.33": 0, "3.5.30": 3, "3.5.16-4+b1": 4, "3.5.30~rc1-1": 3, "3.7.0": 0,
		"nonsense": 0, "": 0,
	} {
		if got := Faults(version); len(got) != want {
			t.Errorf("%q: %q, want %d", version, got, want)
		}
	}
	if got := Faults("3.6.13"); !strings.Contains(got[0], "3.6.14") {
		t.Errorf("%q does not say what to install", got)
	}
}

// TestDefaultHasNoFault: what is installed without being asked for has none that is known.
func TestDefaultHasNoFault(t *testing.T) {
	t.Parallel()
	if err := Check(Default); err != nil || Faults(Default) != nil {
		t.Errorf("%s: %v, %q", Default, err, Faults(Default))
	}
}
