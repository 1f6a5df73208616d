package patroni

import (
	"errors"
	"testing"
)

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for output, good := range map[string]bool{
		"patroni 4.0.5\n": true, "4.1.5-2": true, "4.0.7-3~deb13u1": true, "4.1.4": true,
		"10.0":             true,
		"1:4.0-1.pgdg12+1": true,
		"patroni 3.3.2":    false, "3.0.2-1": false, "": false, "patroni": false,
		"patroni x.y": false, "4": false,
	} {
		if err := CheckVersion(output); (err == nil) != good || !good &&
			!errors.Is(err, ErrVersion) {
			t.Errorf("%q: %v", output, err)
		}
	}
}
