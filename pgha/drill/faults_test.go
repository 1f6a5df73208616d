package drill

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pgha/toolkit/internal/scripttest"
)

const cutDevice = `echo "10.0.0.2 dev eth0 src 10.0.0.1 uid 0"`

// TestFaultScripts runs the scripts of faults/ and looks at what they do to the host, also where it
// refuses half-way.
func TestFaultScripts(t *testing.T) {
	t.Parallel()
	table := []string{"nft add table inet pgha_drill"}
	in := "nft add chain inet pgha_drill in { type filter hook input priority -300; }"
	out := "nft add chain inet pgha_drill out { type filter hook output priority -300; }"
	for name, c := range map[string]struct {
		script string
		args   []string
		fakes  map[string]string
		want   []string
		fails  bool
	}{
		"stop.sh": {stopScript, []string{"etcd"}, map[string]string{"systemctl": ""},
			[]string{"systemctl kill --signal=KILL --kill-whom=all etcd",
				"systemctl stop etcd"}, false},
		"stop.sh, a unit that is dead already": {stopScript, []string{"etcd"}, map[string]string{
			"systemctl": `[ "$1" = stop ]`,
		},
			[]string{"systemctl kill --signal=KILL --kill-whom=all etcd",
				"systemctl stop etcd"}, false},
		"cut.sh, both families": {cutScript, []string{"10.0.0.2", "fd00::2"},
			map[string]string{"nft": ""},
			slices.Concat(table, []string{in, out,
				"nft add rule inet pgha_drill in ip saddr 10.0.0.2 drop",
				"nft add rule inet pgha_drill out ip daddr 10.0.0.2 drop",
				"nft add rule inet pgha_drill in ip6 saddr fd00::2 drop",
				"nft add rule inet pgha_drill out ip6 daddr fd00::2 drop"}), false},
		"cut.sh, without nftables": {cutScript, []string{"10.0.0.2"},
			map[string]string{"nft": "exit 1"}, table, true},
		"oneway.sh, what comes": {onewayScript, []string{"in", "10.0.0.2", "fd00::2"},
			map[string]string{"nft": ""}, slices.Concat(table, []string{in,
				"nft add rule inet pgha_drill in ip saddr 10.0.0.2 drop",
				"nft add rule inet pgha_drill in ip6 saddr fd00::2 drop"}), false},
		"oneway.sh, what goes": {onewayScript, []string{"out", "10.0.0.2"},
			map[string]string{"nft": ""}, slices.Concat(table, []string{out,
				"nft add rule inet pgha_drill out ip daddr 10.0.0.2 drop"}), false},
		"oneway.sh, neither": {onewayScript, []string{"up", "10.0.0.2"},
			map[string]string{"nft": ""}, nil, true},
		"lossy.sh": {lossyScript, []string{"20", "10.0.0.2"}, map[string]string{"nft": ""},
			slices.Concat(table, []string{out, "nft add rule inet pgha_drill out numgen random " +
				"mod 100 < 20 ip daddr 10.0.0.2 drop"}), false},
		"standstill.sh, on a host that lacks a unit": {standstillScript, []string{"10.0.0.2"},
			map[string]string{"nft": "", "systemctl": "exit 1"},
			slices.Concat(table, []string{in, out,
				"nft add rule inet pgha_drill in ip saddr 10.0.0.2 drop",
				"nft add rule inet pgha_drill out ip daddr 10.0.0.2 drop",
				"systemctl kill --signal=STOP --kill-whom=all patroni",
				"systemctl kill --signal=STOP --kill-whom=all etcd",
				"systemctl kill --signal=STOP --kill-whom=all pgha-watch",
				"systemctl kill --signal=STOP --kill-whom=all pgha-failover"}), false},
		"standstill_undo.sh": {standstillUndoScript, []string{"10.0.0.2"},
			map[string]string{"nft": "exit 1", "systemctl": ""},
			[]string{"nft delete table inet pgha_drill",
				"systemctl kill --signal=CONT --kill-whom=all etcd",
				"systemctl kill --signal=CONT --kill-whom=all pgha-failover",
				"systemctl kill --signal=CONT --kill-whom=all pgha-watch",
				"systemctl kill --signal=CONT --kill-whom=all patroni"}, false},
		"agent_undo.sh": {agentUndoScript, []string{"KILL", "x"},
			map[string]string{"systemctl": "exit 5"},
			[]string{"systemctl stop pgha-drill-agent-watch",
				"systemctl kill --signal=CONT --kill-whom=main pgha-failover"}, false},
		"vrrp.sh": {vrrpScript, nil, map[string]string{"nft": ""},
			slices.Concat(table, []string{in, out,
				"nft add rule inet pgha_drill in meta l4proto 112 drop",
				"nft add rule inet pgha_drill out meta l4proto 112 drop"}), false},
		"filter_undo.sh, where nothing is": {filterUndoScript, nil,
			map[string]string{"nft": "exit 1"},
			[]string{"nft delete table inet pgha_drill"}, false},
		"slow.sh, a kernel without netem": {slowScript, []string{"10.0.0.2"},
			map[string]string{"nft": "", "tc": "exit 2", "ip": cutDevice},
			slices.Concat([]string{
				"ip -o route get 10.0.0.2", "tc qdisc add dev eth0 root netem delay 50ms 20ms",
			}, table,
				[]string{
					out, "nft add rule inet pgha_drill out numgen random mod 100 < 5 ip daddr " +
						"10.0.0.2 drop",
				}), false},
		"slow_undo.sh, where nothing is": {slowUndoScript, []string{"10.0.0.2"},
			map[string]string{"nft": "exit 1", "tc": "exit 2", "ip": cutDevice},
			[]string{
				"nft delete table inet pgha_drill", "ip -o route get 10.0.0.2",
				"tc qdisc del dev eth0 root",
			}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := scripttest.Run{With: "sh", Script: c.script, Args: c.args, Fakes: c.fakes}.Do(t)
			if diff := cmp.Diff(c.want, r.Calls); diff != "" || (r.Code != 0) != c.fails {
				t.Errorf("exit code %d, calls (-want +got):\n%s%s", r.Code, diff, r.Stderr)
			}
		})
	}
}

// TestAgentScript runs agent.sh, with a journal that says the words: the signal comes then, and
// once.
func TestAgentScript(t *testing.T) {
	t.Parallel()
	r := scripttest.Run{With: "sh", Script: agentScript, Args: []string{"KILL", "it is suspected"},
		Fakes: map[string]string{"systemctl": "", "journalctl": "echo pgha: nothing; echo pgha: " +
			"it is suspected", "systemd-run": `while [ "$1" != sh ]; do shift; done; exec "$@"`},
	}.Do(t)
	if len(r.Calls) < 5 || r.Calls[0] != "systemctl stop pgha-drill-agent-watch" ||
		!slices.Equal(r.Calls[len(r.Calls)-2:], []string{
			"systemctl kill --signal=KILL --kill-whom=main pgha-failover",
			"systemctl stop pgha-drill-agent-watch"}) || r.Code != 0 {
		t.Errorf("%+v", r)
	}
}

// TestCertificateScripts runs certificate.sh and certificate_undo.sh: what was there is there
// again, and Patroni reads it.
func TestCertificateScripts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{filepath.Join(dir, "certs/rest-server"), filepath.Join(dir, "kept")}
	run := func(script string) scripttest.Result {
		return scripttest.Run{With: "sh", Script: script, Args: args,
			Fakes: map[string]string{"systemctl": ""}}.Do(t)
	}
	if r := run(certificateScript); r.Code == 0 {
		t.Error("a certificate that is not there was kept")
	}
	scripttest.Write(t, dir, "certs/rest-server.crt", "certificate")
	scripttest.Write(t, dir, "certs/rest-server.key", "key")
	if r := run(certificateScript); r.Code != 0 {
		t.Fatal(r)
	}
	scripttest.Write(t, dir, "certs/rest-server.crt", "a short one")
	scripttest.Write(t, dir, "certs/rest-server.key", "its key")
	r := run(certificateUndoScript)
	if want := []string{
		"systemctl kill --signal=HUP --kill-whom=main patroni",
	}; r.Code != 0 || !slices.Equal(r.Calls, want) {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]string{"crt": "certificate", "key": "key"} {
		if got, err := os.ReadFile(args[0] + "." + name); string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(args[1]); err == nil {
		t.Error("the copy of the key is left behind")
	}
}

// TestWALScripts runs wal.sh and wal_undo.sh, with a folder that stands for the file system.
func TestWALScripts(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "main")
	scripttest.Write(t, data, "pg_wal/000000010000000000000001", "segment")
	run := func(script, mounted string) scripttest.Result {
		return scripttest.Run{With: "sh", Script: script, Args: []string{data},
			Fakes: map[string]string{
				"systemctl": "", "mount": "", "umount": `rm -rf "$1"/*`,
				"mountpoint": mounted}}.Do(t)
	}
	r := run(walScript, "")
	if r.Code != 0 || len(r.Calls) != 3 || !strings.HasPrefix(r.Calls[1],
		"mount -t tmpfs -o size=") {
		t.Fatalf("%+v", r)
	}
	scripttest.Write(t, data, "pg_wal/balloon", "all the room")
	if r := run(walUndoScript, "exit 1"); r.Code != 0 || len(r.Calls) != 1 {
		t.Errorf("where nothing is mounted: %+v", r)
	}
	if r := run(walUndoScript, ""); r.Code != 0 ||
		r.Calls[len(r.Calls)-1] != "systemctl start patroni" {
		t.Errorf("%+v", r)
	}
	left, err := filepath.Glob(filepath.Dir(data) + "/*/pg_wal*/*")
	if want := []string{data + "/pg_wal/000000010000000000000001"}; err != nil ||
		!slices.Equal(left, want) {
		t.Errorf("left are %v, %v", left, err)
	}
	// A second file system is not put on top of the first.
	if err := os.Rename(data+"/pg_wal", data+"/elsewhere"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(data+"/elsewhere", data+"/pg_wal"); err != nil {
		t.Fatal(err)
	}
	if r := run(walScript, ""); r.Code == 0 || len(r.Calls) > 0 {
		t.Errorf("WAL behind a link: %+v", r)
	}
}

// TestForgetEtcd runs forget_etcd.sh: the member's data is removed and nothing else.
func TestForgetEtcd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scripttest.Write(t, dir, "member/wal/0.wal", "x")
	scripttest.Write(t, dir, "other", "x")
	r := scripttest.Run{
		With: "sh", Script: forgetEtcd, Args: []string{dir},
		Fakes: map[string]string{"systemctl": ""},
	}.Do(t)
	left, _ := filepath.Glob(dir + "/*")
	if r.Code != 0 || !slices.Equal(left, []string{dir + "/other"}) || len(r.Calls) != 2 {
		t.Errorf("%+v, left are %v", r, left)
	}
}

// TestBreakAndMend runs break.sh and mend.sh: the timer that gives back stands before anything is
// broken, and what it gave back already is left alone.
func TestBreakAndMend(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken")
	breaks := func(timer string) scripttest.Result {
		return scripttest.Run{With: "sh", Script: breakScript,
			Args: []string{"pgha-drill-x", "60", "undo", `echo "$1" >` + broken, "argument"},
			Fakes: map[string]string{
				"systemctl": "exit 5", "systemd-run": timer, "date": "echo 1700000000",
			}}.Do(t)
	}
	if r := breaks("exit 1"); r.Code == 0 {
		t.Error("broken without a timer")
	}
	if _, err := os.Stat(broken); err == nil {
		t.Fatal("broken without a timer")
	}
	r := breaks("")
	if text, err := os.ReadFile(broken); string(text) != "argument\n" || r.Code != 0 {
		t.Errorf("%+v; %q, %v", r, text, err)
	}
	if want := "--on-calendar=@1700000061 --timer-property=AccuracySec=100ms " +
		"--property=Type=oneshot /bin/sh -c undo sh argument"; !strings.HasSuffix(
		r.Calls[2], want) {
		t.Errorf("the timer is %q", r.Calls[2])
	}
	for name, c := range map[string]struct {
		state, start string
		calls, code  int
	}{
		"given back now":          {"loaded", "", 4, 0},
		"the timer did so before": {"not-found", "", 1, 0},
		"systemd does not answer": {"", "", 1, 0},
		"it cannot be given back": {"loaded", "exit 1", 2, 1},
	} {
		r := scripttest.Run{With: "sh", Script: mendScript, Args: []string{"pgha-drill-x"},
			Fakes: map[string]string{
				"systemctl": `case $1 in show) echo ` + c.state + `;; start) ` + c.start +
					`:;; esac`}}
		if c.start != "" {
			r.Fakes["systemctl"] = `case $1 in show) echo ` + c.state + `;; start) exit 1;; esac`
		}
		if got := r.Do(t); len(got.Calls) != c.calls || got.Code != c.code {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestHolderScript runs holder.sh until its reader is gone.
func TestHolderScript(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{"echo '2: eth0 inet 10.0.0.9/32'": "yes",
		"": "no"} {
		r := scripttest.Run{With: "bash", Script: `bash -c "$1" holder 10.0.0.9 | head -n 2`,
			Args:  []string{holderScript},
			Fakes: map[string]string{"ip": answer}}.Do(t)
		if r.Stdout != want+"\n"+want+"\n" || !strings.HasPrefix(r.Calls[0],
			"ip -o address show to 10.0.0.9") {
			t.Errorf("%+v", r)
		}
	}
}
