package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pgha/toolkit/pgha/layout"
)

// said are lines of PostgreSQL in Patroni's journal.
func said(lines ...string) []string {
	var list []string
	for _, l := range lines {
		list = append(list, "2026-11-29T03:00:00+00:00 pg patroni[9]: 2026-11-29 03:00:00.000 "+
			"UTC [77] "+l)
	}
	return list
}

// TestStartFails: what keeps the data is advised where it would do.
func TestStartFails(t *testing.T) {
	t.Parallel()
	const data = "/var/lib/postgresql/data"
	auto := func(n int) string {
		return fmt.Sprintf(
			`LOG:  unrecognized configuration parameter "no_such" in file "%s/postgresql.auto.conf" line %d`, data, n)
	}
	const failed = `FATAL:  configuration file "/var/lib/postgresql/data/postgresql.auto.conf" contains errors`
	fresh := recorder(t)
	for name, tt := range map[string]struct {
		journal []string
		remedy  string // of its steps, one after the other; "" for none
		advice  string
	}{
		"a line of postgresql.auto.conf": {said(auto(3), failed),
			"sed -i.refused '3s/^/# /' /var/lib/postgresql/data/postgresql.auto.conf",
			"starts PostgreSQL again by itself"},
		"a value of postgresql.auto.conf": {
			said(`LOG:  invalid value for parameter "shared_buffers": "much"`, failed),
			"sed -i.refused '/^[[:space:]]*shared_buffers[[:space:]=]/s/^/# /' " +
				"/var/lib/postgresql/data/postgresql.auto.conf",
			"by itself"},
		"a line of pg_hba.conf": {
			said("LOG:  starting PostgreSQL 18.6", `LOG:  invalid connection type "hots"`,
				`CONTEXT:  line 7 of configuration file "/var/lib/postgresql/data/pg_hba.conf"`,
				"FATAL:  could not load /var/lib/postgresql/data/pg_hba.conf"), "apply",
			"Patroni writes pg_hba.conf"},
		"a file that somebody else named": {
			said(`LOG:  syntax error in file "/etc/passwd" line 1, near token "x"`), "apply",
			"Patroni writes passwd"},
		"a line that was mended, then a lock": {
			said(auto(3), failed, "LOG:  starting PostgreSQL 18.6",
				"FATAL:  could not lock a file"), "", "nothing is to be deleted"},
		"a broken control file": {
			said("FATAL:  incorrect checksum in control file"), "reinit postgresql-03",
			"its data is broken"},
		"an empty control file": {
			said(`PANIC:  could not read file "global/pg_control": read 0 of 296`),
			"reinit postgresql-03", "its data is broken"},
		"no control file": {[]string{
			`x patroni[9]: but could not open file "/var/lib/postgresql/data/global/pg_control": No such file or directory`,
		}, "reinit postgresql-03", "its data is broken"},
		"one that was broken once": {
			said("FATAL:  incorrect checksum in control file",
				"LOG:  database system is ready to accept read-only connections",
				"FATAL:  could not map anonymous shared memory: Cannot allocate memory"), "",
			"too little memory"},
		"nothing is known": {nil, "", "journalctl -u patroni says why"},
	} {
		f := fresh()
		f.Spec.PostgreSQL.DataDir = data
		h := f.host(pg3)
		h.Patroni.State, h.SQL, h.Journals[layout.PatroniUnit] = "start failed",
			&SQL{Error: "refused"}, tt.journal
		found := Diagnose(*f).Find("postgres-start-failed")
		if len(found) != 1 {
			t.Fatalf("%s: %v", name, keysOf(Diagnose(*f).Findings))
		}
		steps := ""
		for _, s := range found[0].Remedy {
			steps += s.Command + s.Call.String()
		}
		if (steps == "") != (tt.remedy == "") || !strings.Contains(steps, tt.remedy) ||
			!strings.Contains(found[0].Advice.String(), tt.advice) {
			t.Errorf("%s: remedy %q, advice %q", name, steps, found[0].Advice)
		}
	}
}

// TestBrokenPrimary: data that exists once is never copied over.
func TestBrokenPrimary(t *testing.T) {
	t.Parallel()
	f := recorded(t)
	h := f.host(pg1)
	h.Patroni.State, h.SQL = "start failed", &SQL{Error: "refused"}
	h.Journals[layout.PatroniUnit] = said("PANIC:  could not locate a valid checkpoint record")
	found := startFailed(*f, h)
	if len(found.Remedy) != 0 || !strings.Contains(found.Advice.String(), "delete nothing") {
		t.Errorf("%+v", found)
	}
}

// TestRefusedLineIsMended runs the printed remedy on a file.
func TestRefusedLineIsMended(t *testing.T) {
	t.Parallel()
	f := recorded(t)
	f.Spec.PostgreSQL.DataDir = t.TempDir()
	file := filepath.Join(f.Spec.PostgreSQL.DataDir, "postgresql.auto.conf")
	for name, tt := range map[string]struct{ line, want string }{
		"by number": {fmt.Sprintf(`LOG:  syntax error in file %q line 2, near token "x"`, file),
			"a = '1'\n# shared_buffers = 'much'\nshared_buffers_of = 2\n"},
		"by name": {`LOG:  invalid value for parameter "shared_buffers": "much"`,
			"a = '1'\n# shared_buffers = 'much'\nshared_buffers_of = 2\n"},
	} {
		if err := os.WriteFile(file,
			[]byte("a = '1'\nshared_buffers = 'much'\nshared_buffers_of = 2\n"),
			0o600); err != nil {
			t.Fatal(err)
		}
		steps, _ := f.withoutLine(f.host(pg3), file, tt.line)
		command := strings.TrimPrefix(steps[0].Command, "runuser -u postgres -- ")
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != tt.want {
			t.Errorf("%s: %q makes it\n%s%v", name, command, got, err)
		}
	}
}

// TestForeignDataIsKept: a data directory of another cluster is moved and not deleted, and never
// that of the member that takes writes.
func TestForeignDataIsKept(t *testing.T) {
	t.Parallel()
	f := recorded(t)
	f.host(pg3).Data.SystemID = "7"
	found := Diagnose(*f).Find("wrong-system-identifier")
	if len(found) != 1 || len(found[0].Remedy) != 4 || deletesData(found) ||
		!strings.Contains(found[0].Remedy[1].Command, "mv -T ") {
		t.Errorf("%+v", found)
	}
	f = recorded(t)
	f.host(pg1).Data.SystemID = "7"
	if found = Diagnose(*f).Find("wrong-system-identifier"); len(found) != 1 ||
		len(found[0].Remedy) != 0 {
		t.Errorf("of the primary: %+v", found)
	}
}

// TestPlannedStop: a host whose services were stopped in order is started, and nothing is copied.
func TestPlannedStop(t *testing.T) {
	t.Parallel()
	f := recorded(t)
	h := f.host(pg3)
	for name, u := range h.Units {
		u.Active, u.Sub, u.PID = "inactive", "dead", 0
		h.Units[name] = u
	}
	h.Patroni, h.Etcd, h.SQL = &Patroni{Error: "refused"}, &Etcd{Error: "refused"},
		&SQL{Error: "refused"}
	h.Data.ControlState, h.Data.Postmaster = "shut down in recovery", 0
	d := Diagnose(*f)
	if deletesData(d.Findings) || len(d.Find("unit-stopped")) == 0 {
		t.Errorf("%v", keysOf(d.Findings))
	}
	for _, found := range d.Findings {
		for _, s := range found.Remedy {
			if !strings.HasPrefix(s.Command, "systemctl start ") {
				t.Errorf("%s is mended by %+v", found.Key(), s)
			}
		}
	}
}

// deletesData tells whether a remedy deletes a member's data.
func deletesData(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool {
		return slices.ContainsFunc(f.Remedy, func(s Step) bool { return s.Deletes != "" })
	})
}
