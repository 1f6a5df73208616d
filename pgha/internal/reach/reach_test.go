package reach

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestScript runs reach.pl in both families: an open port, one where nobody listens, and what is no
// address.
func TestScript(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1", "::1"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			open, closed := listen(t, address), listen(t, address)
			refused := closed.Addr().String()
			closed.Close()
			got := ask(t, 5*time.Second, open.Addr().String(), refused, "no-address:80", "nonsense")
			if reason := got["no-address:80"]; reason == "" || reason == OK {
				t.Errorf("a name: %q", reason)
			}
			delete(got, "no-address:80")
			want := map[string]string{open.Addr().String(): OK, refused: Refused}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoAnswer: a listener whose queue is full says nothing, as a firewall that drops everything.
// reach.pl waits for its time and no longer.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	silent := full(t)
	began := time.Now()
	got := ask(t, 300*time.Millisecond, silent)
	if took := time.Since(began); got[silent] != NoAnswer || took > 20*time.Second {
		t.Errorf("%v after %s", got, took)
	}
}

func TestReadHalfAnAnswer(t *testing.T) {
	t.Parallel()
	got := Read("10.0.0.1:80 ok\n10.0.0.2:80 No route to host\n\nperl: warning\n10.0.0.3:80")
	want := map[string]string{"10.0.0.1:80": OK, "10.0.0.2:80": "No route to host",
		"perl:": "warning"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ask(t *testing.T, within time.Duration, addresses ...string) map[string]string {
	t.Helper()
	argv := Question(within, addresses...)
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return Read(string(out))
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
