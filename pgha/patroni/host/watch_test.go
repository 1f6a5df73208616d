package host_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/testpki"
	"github.com/pgha/toolkit/pgha/internal/reference"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni/host"
	"github.com/pgha/toolkit/pgha/pki"
)

// TestWatchWakesPatroni runs the real script beside a process that stands in for PostgreSQL: each
// end of it has to reach Patroni's REST API, with the member's client certificate, and an end that
// it was not there for must not.
func TestWatchWakesPatroni(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	woken := make(chan string, 10)
	server := restServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		woken <- fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body)
	})
	data, certs := t.TempDir(), t.TempDir()
	client := testpki.Issue(t, pki.ClientUsage)
	at := layout.CertificateOf(layout.RESTClient)
	for path, content := range map[string][]byte{
		at.CA: testpki.CA(t).CertPEM(), at.File: client.Cert, at.Key: client.Key.Reveal(),
	} {
		if err := os.WriteFile(filepath.Join(certs, filepath.Base(path)), content,
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	pidFile := filepath.Join(data, "postmaster.pid")
	// of a PostgreSQL that was killed long ago
	if err := os.WriteFile(pidFile, []byte("2147483646\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	var said lockedBuffer
	ctx, cancel := context.WithCancel(t.Context())
	watch := exec.CommandContext(ctx, python, "-I", "watch.py", "--data", data, "--rest",
		server.Listener.Addr().String(), "--certs", certs)
	watch.Stderr = &said
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = watch.Wait() }()

	// In the second round PostgreSQL stops in order, and nobody starts it again.
	for round, inOrder := range []bool{false, true} {
		postgres := exec.Command("sleep", "600")
		if err := postgres.Start(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n%s\n", postgres.Process.Pid, data),
			0o600); err != nil {
			t.Fatal(err)
		}
		awaitWatched(t, watch.Process.Pid)
		if round == 0 && len(woken) > 0 {
			t.Fatalf("woken although PostgreSQL runs: %s", <-woken)
		}
		for len(woken) > 0 {
			<-woken // of the end before, of which Patroni hears several times
		}
		if inOrder {
			if err := os.Remove(pidFile); err != nil {
				t.Fatal(err)
			}
		}
		_ = postgres.Process.Kill()
		_ = postgres.Wait()
		select {
		case got := <-woken:
			if want := `PATCH /config {"pgha": null}`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("Patroni was not woken; it says\n%s", said.String())
		}
	}
	for _, words := range []string{
		"has ended; Patroni answered 200", "was stopped and is not back; Patroni answered 200",
	} {
		for start := time.Now(); !strings.Contains(said.String(), words); {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("it does not say %q but\n%s", words, said.String())
			}
			select {
			case <-t.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// awaitWatched waits until the script holds a descriptor of a process.
func awaitWatched(t *testing.T, pid int) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 20*time.Second; {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.Contains(to, "pidfd") {
				return
			}
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("the process is not watched")
}

// restServer is a REST API that wants a client certificate.
func restServer(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	rest := testpki.Issue(t, pki.ServerUsage, "127.0.0.1")
	pair, err := rest.TLS()
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(testpki.CA(t).CertPEM())
	s := httptest.NewUnstartedServer(handle)
	s.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// lockedBuffer is read while a process still writes into it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWatchServiceNamesTheMembersOwnAPI(t *testing.T) {
	t.Parallel()
	o := reference.Options().WithDefaults()
	service, err := o.WatchService(o.Members[1])
	if err != nil {
		t.Fatal(err)
	}
	want := "\nExecStart=" + host.WatchPath +
		" --data /var/lib/postgresql/data --rest 192.168.0.204:8008 --certs /etc/patroni/certs\n"
	if !strings.Contains(string(service), want) {
		t.Errorf("got\n%swant%s", service, want)
	}
}
