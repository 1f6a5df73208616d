package inspect

import (
	"context"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/sitetest"
)

func TestRoutesCoverTheMatrix(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, r := range Routes(sitetest.New(t)) {
		if r.From == r.To {
			t.Errorf("%v goes to itself", r)
		}
		counts[r.Port]++
	}
	// 6 ordered pairs of 3 databases; 2 balancers reach each of 3 databases; 2 ordered pairs of balancers.
	for port, want := range map[string]int{"2379": 6, "2380": 6, "5432": 12, "8008": 12, "vrrp": 2} {
		if counts[port] != want {
			t.Errorf("port %s: %d routes, want %d", port, counts[port], want)
		}
	}
}

func TestJudgeNamesTheBlockedPair(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	routes := []Route{{"pg1", "pg2", "2380", "etcd to etcd"}, {"pg1", "pg3", "2380", "etcd to etcd"}, {"lb1", "lb2", "vrrp", "election"}, {"lb2", "lb1", "vrrp", "election"}}
	blocked := judge(c, routes,
		map[string]string{"pg1 192.0.2.12:2380": "blocked", "pg1 192.0.2.13:2380": "open"},
		map[string]bool{"192.0.2.2 192.0.2.1": true})
	if len(blocked) != 2 {
		t.Fatalf("blocked: %v", blocked)
	}
	for i, want := range []string{"pg1 cannot reach port 2380 of pg2 (etcd to etcd): no answer within 3s", "lb2 cannot reach protocol 112 (VRRP) of lb1"} {
		if got := blocked[i].String(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The program itself, in both families: an open port, and one where nobody listens.
func TestPortsScript(t *testing.T) {
	t.Parallel()
	perl, err := exec.LookPath("perl")
	if err != nil {
		t.Skip("there is no perl")
	}
	for _, address := range []string{"127.0.0.1", "::1"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			open, closed := freePort(t, address), freePort(t, address)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			listener := exec.CommandContext(ctx, perl, "-e", portsScript, "listen", "30", "token", address, open)
			in, err := listener.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := listener.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := listener.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
				t.Fatalf("wait for the listener: %v", err)
			}
			openAt, closedAt := net.JoinHostPort(address, open), net.JoinHostPort(address, closed)
			got, err := exec.CommandContext(ctx, perl, "-e", portsScript, "probe", "5", "token", openAt, closedAt).Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{openAt + " open\n", closedAt + " refused\n"} {
				if !strings.Contains(string(got), want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			in.Close()
			if err := listener.Wait(); err != nil {
				t.Errorf("the listener ended with %v", err)
			}
		})
	}
}

// freePort returns a port that nobody used a moment ago; the test is skipped where the address doesn't exist.
func freePort(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
