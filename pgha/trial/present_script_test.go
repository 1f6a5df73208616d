package trial

import (
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestPresentScript runs present.sh on a folder without a server, on a server's, and on one that
// lacks files; ReadPresent takes each answer.
func TestPresentScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ask := func() (scripttest.Result, Present) {
		r := scripttest.Run{With: "sh", Script: presentScript, Args: []string{dir}}.Do(t)
		return r, ReadPresent(r.Stdout)
	}
	scripttest.Write(t, dir, "postgresql.conf", "port = '5432'\n")
	if r, p := ask(); r.Stdout != "" || p.Made {
		t.Errorf("a folder without PG_VERSION: %+v", r)
	}
	scripttest.Write(t, dir, "PG_VERSION", "18\n")
	if r, p := ask(); !p.Made || len(p.Rules) != 0 || r.Stderr == "" {
		t.Errorf("without rules: %+v, %+v", p, r)
	}
	scripttest.Write(t, dir, "pg_hba.conf", "local all all peer\nhost all all all reject\n")
	scripttest.Write(t, dir, "pg_ident.conf", "")
	if _, p := ask(); !p.Made || p.Settings["port"] != "5432" || len(p.Rules) != 2 {
		t.Errorf("%+v", p)
	}
}
