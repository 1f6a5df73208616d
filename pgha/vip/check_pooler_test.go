package vip_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/scripttest"
)

// answering is a port where somebody answers eight bytes as it is told; "" is nobody who answers.
func answering(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 8)
				_, err := io.ReadFull(c, b)
				// What libpq asks for GSSAPI with (protocol: GSSENCRequest).
				if err == nil && string(b) == "\x00\x00\x00\x08\x04\xd2\x16\x30" && answer != "" {
					_, _ = io.WriteString(c, answer)
					return
				}
				time.Sleep(5 * time.Second)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestCheckPooler runs check_pooler.sh.
func TestCheckPooler(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed here")
	}
	script, err := os.ReadFile("check_pooler.sh")
	if err != nil {
		t.Fatal(err)
	}
	text := string(script)
	well, other, hangs := answering(t, "N"), answering(t, "E"), answering(t, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, dead, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	for name, c := range map[string]struct {
		ports []string
		want  int
	}{
		"both answer":       {[]string{well, well}, 0},
		"one says else":     {[]string{well, other}, 1},
		"one hangs":         {[]string{well, hangs}, 1},
		"nobody listens":    {[]string{dead, well}, 1},
		"there is only one": {[]string{well}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			got := scripttest.Run{With: "bash", Script: text, Args: c.ports}.Do(t)
			if got.Code != c.want {
				t.Errorf("%+v", got)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("it took %s, and keepalived ends it after 4 s", took)
			}
		})
	}
}
