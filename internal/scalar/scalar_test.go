package scalar_test

import (
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/scalar"
)

func TestWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "36": 36, "-5": -5,
		"9223372036854775807": 1<<63 - 1} {
		if n, fault := scalar.Whole(text); fault != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, fault)
		}
	}
	for text, remedy := range map[string]string{
		"036":                  "write 36, or 30 if octal was meant",
		"022":                  "write 22, or 18 if octal was meant",
		"08":                   "write 8",
		"007":                  "write 7",
		"-010":                 "write -10, or -8 if octal was meant",
		"00":                   "write 0",
		"0x1E":                 "write 30",
		"0o17":                 "write 15",
		"0b101":                "write 5",
		"-0x10":                "write -16",
		"0o99":                 "write digits only",
		"1_000":                "write 1000",
		"1_0":                  "write 10",
		"1,000":                "write 1000",
		"1'000'000":            "write 1000000",
		"+5":                   "write 5",
		"1e3":                  "write 1000",
		"1E3":                  "write 1000",
		"5.0":                  "write 5",
		"5.":                   "write 5",
		"22.5":                 "write digits only",
		".5":                   "write digits only",
		"1MB":                  "write 1048576, without a unit",
		"1.5 GiB":              "write 1610612736, without a unit",
		"16k":                  "write 16384, without a unit",
		"9223372036854775808":  "write a number of fewer digits",
		"99999999999999999999": "write a number of fewer digits",
		"":                     "write digits only",
		"ssh":                  "write digits only",
		".nan":                 "write digits only",
		".inf":                 "write digits only",
		"12:30":                "write digits only",
		"１２":                   "write digits only",
		"--5":                  "write digits only",
	} {
		if n, fault := scalar.Whole(text); fault == nil || fault.Remedy != remedy ||
			fault.Problem == "" {
			t.Errorf("%q: %d, %+v, want %q", text, n, fault, remedy)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"0": 0, "0.2": 0.2, "-1.50": -1.5, "9.0": 9} {
		if f, fault := scalar.Number(text); fault != nil || f != want {
			t.Errorf("%q: %v, %v", text, f, fault)
		}
	}
	for text, remedy := range map[string]string{
		".5": "write 0.5", "5.": "write 5", "1e3": "write 1000", "1e-3": "write 0.001",
		"+0.2":   "write 0.2",
		"00.5":   "write 0.5",
		"NaN":    "write digits, and a dot before a fraction",
		".inf":   "write digits, and a dot before a fraction",
		"0x1p-2": "write digits, and a dot before a fraction",
		"1,5":    "write digits, and a dot before a fraction",
		"036":    "write 36, or 30 if octal was meant",
	} {
		if f, fault := scalar.Number(text); fault == nil || fault.Remedy != remedy {
			t.Errorf("%q: %v, %+v, want %q", text, f, fault, remedy)
		}
	}
}

func TestBool(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"true": true, "True": true, "FALSE": false,
		"false": false} {
		if b, fault := scalar.Bool(text); fault != nil || b != want {
			t.Errorf("%q: %v, %v", text, b, fault)
		}
	}
	for text, remedy := range map[string]string{
		"yes": "write true", "No": "write false", "on": "write true", "OFF": "write false",
		"y": "write true", "n": "write false",
		"1": "write true", "0": "write false", "enabled": "write true", "tRUE": "write true",
		"maybe": "write true or false", "": "write true or false", "2": "write true or false",
	} {
		if _, fault := scalar.Bool(text); fault == nil || fault.Remedy != remedy {
			t.Errorf("%q: %+v, want %q", text, fault, remedy)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute, "0s": 0,
		"500ms": 500 * time.Millisecond, "5µs": 5 * time.Microsecond,
	} {
		if d, fault := scalar.Duration(text); fault != nil || d != want {
			t.Errorf("%q: %v, %v", text, d, fault)
		}
	}
	const generic = "write a number with a unit, such as 100ms, 10s, 5m or 1h30m"
	for text, remedy := range map[string]string{
		"1d": "write 24h", "2 days": "write 48h", "1.5d": "write 36h", "1w": "write 168h",
		"5min": "write 5m", "5 s": "write 5s", "10 seconds": "write 10s",
		"036s": "write 36s", "+5s": "write 5s", ".5s": "write 500ms", "10S": "write 10s",
		"1_000ms": "write 1s", "1h, 30min": "write 1h30m", "PT10S": "write 10s",
		"P1DT2H": "write 26h",
		"-30s":   "write a duration such as 100ms, 10s or 5m",
		"-1d":    "write a duration such as 100ms, 10s or 5m",
		"":       generic, "soon": generic, "10": generic, "NaN": generic, "10 fortnights": generic,
		"1h30": generic, "00:05:00": generic, "P": generic, "PT": generic,
		"99999999999h": "write a shorter duration, such as 24h", "999999999d": generic,
	} {
		if d, fault := scalar.Duration(text); fault == nil || fault.Remedy != remedy {
			t.Errorf("%q: %v, %+v, want %q", text, d, fault, remedy)
		}
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0.2": 200 * time.Millisecond, "30s": 30 * time.Second, "0": 0,
		"9.0": 9 * time.Second,
	} {
		if d, fault := scalar.Seconds(text); fault != nil || d != want {
			t.Errorf("%q: %v, %v", text, d, fault)
		}
	}
	for text, remedy := range map[string]string{
		"036": "write 36, or 30 if octal was meant", "0x1E": "write 30", "1_000": "write 1000",
		".5": "write 0.5", "1e1": "write 10", "+5": "write 5",
		"1e999":      "write a number with a unit, such as 100ms, 10s, 5m or 1h30m",
		"-30":        "write seconds, or a duration such as 10s or 30s",
		"9999999999": "write seconds, or a duration such as 10s or 30s", "1d": "write 24h",
		".": "write a number with a unit, such as 100ms, 10s, 5m or 1h30m",
	} {
		if d, fault := scalar.Seconds(text); fault == nil || fault.Remedy != remedy {
			t.Errorf("%q: %v, %+v, want %q", text, d, fault, remedy)
		}
	}
}
