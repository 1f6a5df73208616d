package lb_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/lb"
)

// TestMetricsForTheirNetworksAlone scrapes a real HAProxy from a network that may, and from one
// that may not.
func TestMetricsForTheirNetworksAlone(t *testing.T) {
	t.Parallel()
	subnet := 6
	for network, want := range map[string]bool{"127.0.0.0/8": true, "192.0.2.0/24": false} {
		subnet++
		s := startStackWith(t, subnet, func(o *lb.Options) { o.MetricsNetworks = []string{network} }, "",
			"pg1")
		s.databases[0].role.Store("primary")
		until(t, s.WritePort, "pg1")
		url := fmt.Sprintf("http://127.0.0.1:%d", s.MetricsPort)
		code, body := get(url + "/metrics")
		const metric = `haproxy_server_status{proxy="postgres_write",server="pg1",state="UP"} 1`
		if (code == http.StatusOK) != want || strings.Contains(body, metric) != want {
			t.Errorf("%s: %d\n%s", network, code, body)
		}
		if code, _ := get(url + "/stats"); want && code != http.StatusNotFound {
			t.Errorf("something else than metrics is answered with %d", code)
		}
	}
}

// get returns 0 where the connection is refused or closed.
func get(url string) (int, string) {
	res, err := http.Get(url) //nolint:gosec,noctx // a port of this test's own
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// TestLogLeavesOutWhatWentWell: of sessions the log has those that no server took.
func TestLogLeavesOutWhatWentWell(t *testing.T) {
	t.Parallel()
	journal, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = journal.Close() })
	s := startStackWith(t, 9, func(*lb.Options) {}, journal.LocalAddr().String(), "pg1")
	s.databases[0].role.Store("primary")
	until(t, s.WritePort, "pg1")
	s.databases[0].aborts.Store(true)
	c, _ := connect(s.WritePort)
	speak(t, c)
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
	_ = s.databases[0].postgres.Close()
	if c, err = net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.WritePort))); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	speak(t, c)
	const wrong = " SC " // the server took no connection
	seen := ""
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(seen, wrong) &&
		time.Now().Before(deadline); {
		b := make([]byte, 2048)
		_ = journal.SetReadDeadline(deadline)
		n, _, _ := journal.ReadFrom(b)
		seen += string(b[:n]) + "\n"
	}
	if strings.Count(seen, " postgres_write postgres_write/pg1 ") != 1 ||
		!strings.Contains(seen, wrong) {
		t.Errorf("HAProxy logs:\n%s", seen)
	}
}

// speak makes a session one that counts: those that say nothing are not logged in any case.
func speak(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "a client's first word"); err != nil {
		t.Fatal(err)
	}
}
