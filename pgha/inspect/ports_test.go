package inspect

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/reach"
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
	// 6 ordered pairs of 3 databases; 2 balancers reach each of 3 databases; 2 ordered pairs of
	// balancers.
	for port, want := range map[string]int{"2379": 6, "2380": 6, "5432": 12, "8008": 12,
		"vrrp": 2} {
		if counts[port] != want {
			t.Errorf("port %s: %d routes, want %d", port, counts[port], want)
		}
	}
}

func TestJudgeNamesTheBlockedPair(t *testing.T) {
	t.Parallel()
	c := sitetest.New(t)
	routes := []Route{
		{"pg1", "pg2", "2380", "etcd to etcd"}, {"pg1", "pg3", "2380", "etcd to etcd"},
		{"lb1", "lb2", "vrrp", "election"}, {"lb2", "lb1", "vrrp", "election"},
	}
	blocked := judge(c, routes,
		map[string]string{"pg1 192.0.2.12:2380": reach.NoAnswer, "pg1 192.0.2.13:2380": reach.OK},
		map[string]bool{"192.0.2.2 192.0.2.1": true})
	if len(blocked) != 2 {
		t.Fatalf("blocked: %v", blocked)
	}
	for i, want := range []string{
		"pg1 cannot reach port 2380 of pg2 (etcd to etcd): no answer within 3s",
		"lb2 cannot reach protocol 112 (VRRP) of lb1",
	} {
		if got := blocked[i].String(); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestPortsScript runs ports.pl in both families: it answers with its token on free ports, tells
// which is busy, and ends with its input. VRRP is sent and heard where this user may.
func TestPortsScript(t *testing.T) {
	t.Parallel()
	perl, err := exec.LookPath("perl")
	if err != nil {
		t.Skip("there is no perl")
	}
	for _, address := range []string{"127.0.0.1", "::1"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			open := freePort(t, address)
			busy, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
			if err != nil {
				t.Fatal(err)
			}
			defer busy.Close()
			_, taken, _ := net.SplitHostPort(busy.Addr().String())
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			listener := exec.CommandContext(ctx, perl, "-e", portsScript, "listen", "30", "token",
				address, open, taken, "vrrp")
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
			lines := bufio.NewScanner(out)
			for _, want := range []string{"busy " + taken, "ready"} {
				if !lines.Scan() || lines.Text() != want {
					t.Fatalf("the listener says %q, not %q", lines.Text(), want)
				}
			}
			conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, open), 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := io.ReadAll(conn); string(answer) != "token\n" {
				t.Errorf("the listener answers %q, %v", answer, err)
			}
			conn.Close()
			for _, token := range []string{"somebody else's", "the token"} {
				send := exec.CommandContext(ctx, perl, "-e", portsScript, "send", "0", token,
					address)
				if text, err := send.CombinedOutput(); err != nil || len(text) > 0 {
					t.Errorf("send: %v, %s", err, text)
				}
			}
			in.Close()
			var heard []string
			for lines.Scan() {
				heard = append(heard, lines.Text())
			}
			if os.Geteuid() == 0 && !slices.Equal(heard, []string{"vrrp " + address}) {
				t.Errorf("the listener heard %q", heard)
			}
			if err := listener.Wait(); err != nil {
				t.Errorf("the listener ended with %v", err)
			}
		})
	}
}

// freePort returns a port that nobody used a moment ago; the test is skipped where the address
// doesn't exist.
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
