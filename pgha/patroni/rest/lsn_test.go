package rest

import "testing"

func TestLSN(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]LSN{"0/3000060": 0x3000060, "1F/A0": 0x1F000000A0, "": 0} {
		var got LSN
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d %v", text, got, err)
		}
		if back, err := got.MarshalText(); err != nil || string(back) != text {
			t.Errorf("%q: back %q %v", text, back, err)
		}
	}
	for _, text := range []string{"0", "x/1", "1/x", "1/100000000", "/"} {
		var l LSN
		if err := l.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, l)
		}
	}
	if LSN(5).Behind(9) != 4 || LSN(9).Behind(5) != 0 {
		t.Error("behind")
	}
}
