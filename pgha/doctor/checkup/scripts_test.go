package checkup

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/doctor"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestJournalsScript runs journals.sh: each unit has its part, long lines are cut, and what
// journalctl complains of is part of the answer.
func TestJournalsScript(t *testing.T) {
	t.Parallel()
	r := scripttest.Run{With: "sh", Script: journalsScript,
		Args: []string{"etcd.service", "patroni.service"},
		Fakes: map[string]string{
			"journalctl": `case $* in *etcd*) echo "No journal files" >&2; exit 1;; esac; printf '%0700d\n' 0`,
		}}.Do(t)
	if want := "== etcd.service\nNo journal files\n== patroni.service\n" +
		strings.Repeat("0", 600) +
		"\n"; r.Stdout != want {
		t.Errorf("%+v", r)
	}
}

// answers is a server that answers each path with a text; other paths are hung up on.
func answers(t *testing.T, paths map[string]string) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := paths[r.URL.Path]
		if !ok {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	return s
}

// look runs look.py with what a host's Patroni and etcd answer and returns what doctor reads in it.
// Its yaml is one that reads JSON.
func look(t *testing.T, patroni, etcd *httptest.Server, etc string) (*doctor.Host, string) {
	t.Helper()
	lib := t.TempDir()
	scripttest.Write(t, lib, "yaml.py",
		"import json\nSafeLoader = None\n\n\ndef load(f, loader):\n    return json.load(f)\n")
	etcdHost, etcdPort, err := net.SplitHostPort(etcd.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := scripttest.Run{With: "python3", Script: "import sys; sys.path.insert(0, '" + lib + "')\n" +
		lookScript,
		Args: []string{patroni.Listener.Addr().String(), etcdHost, etcdPort, etc + "/data",
			etc + "/etcd-data",
			"own|" + etc + "/etc/own.crt|" + etc + "/etc/own.key",
			"none|" + etc + "/none.crt|" + etc + "/none.key"},
		Paths: map[string]string{"/etc/": etc + "/etc/"}}.Do(t)
	if r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	h := &doctor.Host{Data: &doctor.Data{}, Patroni: &doctor.Patroni{}, Etcd: &doctor.Etcd{}}
	readPrograms(h, remote.Result{Stdout: []byte(r.Stdout)})
	return h, r.Stdout
}

// TestLookScript runs look.py on a host where all answers.
func TestLookScript(t *testing.T) {
	t.Parallel()
	patroni := answers(t, map[string]string{
		"/patroni": `{"state": "running", "role": "primary", "timeline": 3, "database_system_identifier": "77", "patroni": {"version": "4.1.0"},
			"pause": true, "dcs_last_seen": 1700000000, "pending_restart": true}`,
		"/cluster": `{"members": [{"name": "pg1", "role": "leader", "state": "running", "timeline": 3},
			{"name": "pg2", "role": "replica", "state": "streaming", "timeline": 3, "lag": "unknown"}]}`})
	etcd := answers(t, map[string]string{
		"/v3/maintenance/status":  `{"header": {"member_id": "1", "cluster_id": "2", "revision": "9"}, "leader": "1", "version": "3.6.16", "dbSize": "8", "dbSizeInUse": "4"}`,
		"/v3/cluster/member/list": `{"members": [{"ID": "1", "name": "pg1"}, {"ID": "5"}]}`,
		"/v3/maintenance/alarm":   `{"alarms": [{"memberID": "1", "alarm": "NOSPACE"}, {"memberID": "5", "alarm": "NOSPACE"}]}`,
		"/metrics": "etcd_server_quota_backend_bytes 2.147483648e+09\n" +
			"etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.001\"} 90\n" +
			"etcd_disk_wal_fsync_duration_seconds_bucket{le=\"0.002\"} 199\n" +
			"etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"} 200\n" +
			"etcd_disk_wal_fsync_duration_seconds_count 200\n"})
	dir := t.TempDir()
	scripttest.Write(t, dir, "etc/patroni/config.yml",
		`{"scope": "c", "name": "pg1", "restapi": {}, "etcd3": {}, "postgresql": {"pg_hba": ["local  all all peer"]}}`)
	scripttest.Write(t, dir, "etc/etcd/etcd.env",
		"ETCD_NAME=pg1\nETCD_INITIAL_CLUSTER_STATE=\"existing\"\n")
	scripttest.Write(t, dir, "data/pg_hba.conf",
		"# Written by Patroni\n\nlocal\tall all peer # everybody here\n")
	scripttest.Write(t, dir, "data/postmaster.pid", "999999999\n")
	scripttest.Write(t, dir, "etcd-data/member/wal/0.wal", "")
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: patroni.Certificate().Raw})
	scripttest.Write(t, dir, "etc/own.crt", string(own))
	scripttest.Write(t, dir, "etc/own.key", "not a key")

	h, said := look(t, patroni, etcd, dir)
	if p := h.Patroni; p.Error != "" || p.Role != "primary" || p.Timeline != 3 || !p.Paused ||
		p.Version != "4.1.0" ||
		len(p.PendingRestart) != 1 || len(p.Members) != 2 || p.Members[1].Lag != -1 {
		t.Errorf("Patroni: %+v\n%s", p, said)
	}
	if e := h.Etcd; e.Error != "" || e.ID != "1" || e.Revision != 9 || e.DBInUse != 4 ||
		e.Quota != 2<<30 ||
		e.FsyncSeconds != 0.002 ||
		len(e.Alarms) != 1 || e.Members["5"] != "" || e.Members["1"] != "pg1" {
		t.Errorf("etcd: %+v\n%s", e, said)
	}
	var files struct {
		Files struct {
			State       string `json:"initial_state"`
			EtcdData    bool   `json:"etcd_data"`
			Postmaster  int    `json:"postmaster"`
			ConfigError string `json:"config_error"`
		} `json:"files"`
	}
	if err := json.Unmarshal([]byte(said), &files); err != nil {
		t.Fatal(err)
	}
	if f := files.Files; f.State != "existing" || !f.EtcdData || f.Postmaster != 0 ||
		f.ConfigError != "" ||
		!strings.Contains(said, `"hba": ["local all all peer"]`) {
		t.Errorf("files: %+v\n%s", f, said)
	}
	if c := h.Certificates; len(c) != 2 || c[0].KeyMatches || c[0].PEM == "" || c[1].Error == "" {
		t.Errorf("certificates: %+v", c)
	}
}

// TestLookScriptOfABrokenHost runs look.py where all that is asked is broken: each part says so by
// itself, and none hides another.
func TestLookScriptOfABrokenHost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scripttest.Write(t, dir, "etc/patroni/config.yml", `{"scope": "c", "postgresql": {}}`)
	half := answers(t, map[string]string{
		"/patroni":               `{"state": "start failed"}`,
		"/v3/maintenance/status": `{"code": 14, "message": "etcdserver: no leader"}`,
	})
	for name, c := range map[string]struct {
		patroni, etcd      *httptest.Server
		patroniHas, etcHas string
	}{
		"half answers": {half, half, "", "etcdserver: no leader"},
		"hang up":      {answers(t, nil), answers(t, nil), "hung up", "hung up"},
		"no JSON": {
			answers(t, map[string]string{"/patroni": "<html>"}),
			answers(t, map[string]string{"/v3/maintenance/status": "[]"}), "JSONDecodeError",
			"hung up",
		},
		"another program": {
			answers(t, map[string]string{"/patroni": "null"}),
			answers(t, map[string]string{"/v3/maintenance/status": "{}"}), "AttributeError",
			"hung up",
		},
	} {
		h, said := look(t, c.patroni, c.etcd, dir)
		if !strings.Contains(h.Patroni.Error, c.patroniHas) ||
			(h.Patroni.Error == "") != (c.patroniHas == "") ||
			!strings.Contains(h.Etcd.Error, c.etcHas) {
			t.Errorf("%s: %+v, %+v", name, h.Patroni, h.Etcd)
		}
		if !strings.Contains(said, `"config_error": "KeyError: 'name'"`) {
			t.Errorf("%s: %s", name, said)
		}
	}
}
