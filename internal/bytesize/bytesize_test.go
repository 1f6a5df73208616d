package bytesize

import "testing"

func TestText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1000 << 10: "1000 KiB", 1 << 20: "1 MiB",
		13 << 29: "6.5 GiB", 8 << 30: "8 GiB", 1 << 62: "4 EiB",
	} {
		if got := Text(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
