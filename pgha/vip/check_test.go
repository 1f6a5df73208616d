package vip_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"
)

// check runs the script that keepalived runs and returns whether HAProxy passed.
func check(t *testing.T, port string) (bool, time.Duration) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed here")
	}
	start := time.Now()
	return exec.CommandContext(t.Context(), bash, "check_haproxy.sh", port).Run() == nil,
		time.Since(start)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler func(asked int64) int // status, 0 hangs up without an answer
		want    bool
	}{
		"answers":  {func(int64) int { return 200 }, true},
		"refuses":  {func(int64) int { return 503 }, false},
		"hangs up": {func(int64) int { return 0 }, false},
		"two failures are borne": {
			func(asked int64) int {
				return map[bool]int{true: 503, false: 200}[asked == 2 || asked == 3]
			}, true,
		},
		"three failures are not": {
			func(asked int64) int {
				return map[bool]int{true: 503, false: 200}[asked >= 2 && asked <= 4]
			}, false,
		},
		"fails at the last asking": {
			func(asked int64) int { return map[bool]int{true: 503, false: 200}[asked >= 4] }, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				status := c.handler(asked.Add(1))
				if r.URL.Path != "/health" || status == 0 {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(status)
			}))
			defer s.Close()
			_, port, err := net.SplitHostPort(s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got, took := check(t, port); got != c.want {
				t.Errorf("passed: %v, want %v (after %s, asked %d times)", got, c.want, took,
					asked.Load())
			}
		})
	}
}

func TestCheckOfADeadPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if passed, _ := check(t, port); passed {
		t.Error("a port where nobody listens passed")
	}
}

func TestCheckOfAHungProcess(t *testing.T) {
	t.Parallel()
	// The kernel accepts for a process that does nothing any more.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	passed, took := check(t, port)
	if passed {
		t.Error("a process that doesn't answer passed")
	}
	if took > 4*time.Second {
		t.Errorf("the script took %s, keepalived kills it after 4 s", took)
	}
}
