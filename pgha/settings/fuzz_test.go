package settings

import (
	"testing"

	"github.com/pgha/toolkit/internal/pgsetting"
)

// FuzzSetting gives a setting any value: what two texts mean is one thing only, and a value that is
// the same is taken or refused like the other.
func FuzzSetting(f *testing.F) {
	f.Add("integer", "8kB", "1GB")
	f.Add("real", "ms", "1.5 min")
	f.Add("integer", "", "0x1F")
	f.Add("bool", "", "o")
	f.Add("enum", "", "ON")
	f.Add("integer", "s", "-1e309h")
	f.Fuzz(func(t *testing.T, kind, unit, text string) {
		s := pgsetting.Setting{
			Name: "x", Type: kind, Unit: unit, Min: "-1", Max: "1000",
			Enum: []string{"on", "off", "auto"},
		}
		normal, err := s.Normal(text)
		if !s.Same(text, text) && normal != "NaN" {
			t.Errorf("%q is not the same as itself", text)
		}
		if err != nil {
			if s.Check(text) == nil {
				t.Errorf("%q is taken in spite of %v", text, err)
			}
			return
		}
		if again, err := s.Normal(normal); kind != "real" && kind != "integer" &&
			(err != nil || again != normal) {
			t.Errorf("%q means %q, which means %q (%v)", text, normal, again, err)
		}
		_ = s.Check(text)
	})
}
