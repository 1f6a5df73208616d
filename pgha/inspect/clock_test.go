package inspect

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/internal/scripttest"
)

// TestTimeScript runs clock.pl on this machine and compares what it says with what the kernel and
// the file system tell this process.
func TestTimeScript(t *testing.T) {
	t.Parallel()
	var timex unix.Timex
	if _, err := unix.Adjtimex(&timex); err != nil {
		t.Skip("the kernel does not tell: ", err)
	}
	synchronised, zone := "no", "UTC"
	if timex.Maxerror < 16e6 {
		synchronised = "yes"
	}
	if link, err := os.Readlink("/etc/localtime"); err == nil {
		_, zone, _ = strings.Cut(link, "/zoneinfo/")
	}
	run := scripttest.Run{With: "perl", Script: timeScript,
		Fakes: map[string]string{"timedatectl": "echo asked"}}
	r := run.Do(t)
	got := output.KeyValues(r.Stdout)
	if got["NTPSynchronized"] != synchronised || got["Timezone"] != zone || len(r.Calls) > 0 {
		t.Errorf("%+v, want %s and %s", r, synchronised, zone)
	}
	run.Paths = map[string]string{"/proc/self/exe": "/dev/null"} // a machine that it does not know
	if r := run.Do(t); r.Stdout != "asked\n" {
		t.Errorf("where the system call's number is not known: %+v", r)
	}
}

// TestRoot reads the status of processes of many users.
func TestRoot(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{
		"Name:\tgrep\nUid:\t0\t0\t0\t0\nGid:\t0": true, "Name:\tgrep\nUid:\t1000\t0\t0\t0\n": true,
		"Name:\tgrep\nUid:\t0\t1000\t0\t0\n":        false,
		"Name:\tgrep\nUid:\t1000\t1000\t1000\t1000": false,
		"": false, "Name:\tUid:\t0\t0\n": false, "Name:\tx\nUid:": false,
	} {
		if root(status) != want {
			t.Errorf("%q: %v", status, !want)
		}
	}
}
