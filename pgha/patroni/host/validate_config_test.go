package host

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestValidateConfigScript runs validate_config.py with a patroni that connects to an etcd which is
// not there: its verdict is the script's, and the network is not asked.
func TestValidateConfigScript(t *testing.T) {
	t.Parallel()
	for verdict, code := range map[string]int{"0": 0, "1": 1, "'scope: is missing'": 1} {
		lib := t.TempDir()
		scripttest.Write(t, lib, "patroni.py", "import socket, sys\n"+
			"print(*sys.argv, socket.socket().connect_ex(('203.0.113.1', 2379)))\nsys.exit("+
			verdict+")\n")
		r := scripttest.Run{
			With: "python3", Script: "import sys; sys.path.insert(0, '" + lib + "')\n" +
				validateScript,
			Args: []string{"/tmp/config.yml"},
		}.Do(t)
		if r.Code != code ||
			!strings.HasSuffix(r.Stdout, "--validate-config --ignore-listen-port "+
				"/tmp/config.yml 0\n") {
			t.Errorf("%+v", r)
		}
	}
}
