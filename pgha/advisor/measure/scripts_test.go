package measure

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestMeasureScript runs advise_measure.sh here: on an address that answers and one that refuses,
// with and without writing, and where etcd's folder is still to be made.
func TestMeasureScript(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, sync := range []string{"yes", "no"} {
		dir := t.TempDir()
		r := scripttest.Run{With: "bash", Script: measureScript,
			Args: []string{sync, dir + "/etcd/data", dir + "/not/made", "127.0.0.1", port,
				"127.0.0.2", "1"}}.Do(t)
		if r.Code != 0 {
			t.Fatalf("%+v", r)
		}
		facts, trips := parseMeasured(r.Stdout, "pg1",
			map[string]string{"127.0.0.1": "pg2", "127.0.0.2": "pg3"})
		if facts.MemoryBytes == 0 || facts.DataDisk == "" || facts.EtcdDisk == "" ||
			facts.DataFree == 0 {
			t.Errorf("%+v of\n%s", facts, r.Stdout)
		}
		if len(trips) != 2 || trips[0].To != "pg2" || trips[0].Seconds <= 0 ||
			trips[1].Seconds > 2 {
			t.Errorf("%+v of\n%s", trips, r.Stdout)
		}
		if (facts.Sync.Samples > 0) != (sync == "yes") {
			t.Errorf("%s: %+v", sync, facts.Sync)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// TestMeasureScriptWithoutRoom: a disk that takes no file gives no figure and no error.
func TestMeasureScriptWithoutRoom(t *testing.T) {
	t.Parallel()
	r := scripttest.Run{With: "bash", Script: measureScript,
		Args:  []string{"yes", t.TempDir(), t.TempDir()},
		Fakes: map[string]string{"mktemp": "echo 'No space left on device' >&2; exit 1"}}.Do(t)
	if facts, _ := parseMeasured(r.Stdout, "pg1", nil); r.Code != 0 || facts.Sync.Samples != 0 ||
		facts.MemoryBytes == 0 {
		t.Errorf("%+v", r)
	}
}

// TestStrangersScript runs advise_strangers.pl, which needs root: adverts are heard once each, with
// their router's number; what is too short or no advert is not.
func TestStrangersScript(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("raw sockets are for root")
	}
	const send = `use Socket; socket(my $s, PF_INET, SOCK_RAW, 112) or die $!; for (1 .. 30) {
		send($s, $_, 0, sockaddr_in(0, inet_aton('127.0.0.1'))) for pack('C*', 0x21, 51, 100, 1), pack('C*', 0x22, 9, 0, 0), 'x';
		select(undef, undef, undef, 0.05) }`
	sender := exec.CommandContext(t.Context(), "perl", "-e", send)
	if err := sender.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _ = sender.Wait() }()
	began := time.Now()
	r := scripttest.Run{With: "perl", Script: strangersScript,
		Args: []string{strconv.Itoa(1), "127.0.0.1"}}.Do(t)
	if strings.Contains(r.Stderr, "join:") {
		t.Skip(r.Stderr) // no multicast on this machine
	}
	if r.Stdout != "127.0.0.1 51\n" || time.Since(began) < time.Second {
		t.Errorf("%+v", r)
	}
}

// TestStrangersScriptRefuses: an address that no interface has is an error, in both families.
func TestStrangersScriptRefuses(t *testing.T) {
	t.Parallel()
	for _, own := range []string{"203.0.113.7", "2001:db8::7"} {
		if r := (scripttest.Run{
			With: "perl", Script: strangersScript, Args: []string{"1", own},
		}).Do(t); r.Code == 0 || r.Stderr == "" {
			t.Errorf("%s: %+v", own, r)
		}
	}
}
