package ssh_test

import (
	"context"
	"crypto"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/remote/ssh"
)

func TestDialFailures(t *testing.T) {
	t.Parallel()
	closedPort := func(t *testing.T, cfg *ssh.Config) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	noKey := func(_ *testing.T, cfg *ssh.Config) {
		cfg.Password = func(context.Context) (string, error) { return "wrong", nil }
	}
	tests := []struct {
		name   string
		server remotetest.ServerOptions
		change func(*testing.T, *ssh.Config)
		want   error
		says   string
		hint   string
	}{
		{"refused", remotetest.ServerOptions{}, closedPort, remote.ErrUnreachable, "refused",
			"is sshd running"},
		{"silent", remotetest.ServerOptions{Silent: true},
			func(_ *testing.T, c *ssh.Config) { c.Timeout = 200 * time.Millisecond },
			remote.ErrUnreachable, "did not finish the handshake within 200ms", "ss -ltnp"},
		{
			"wrong password", remotetest.ServerOptions{Password: "right"}, noKey, ssh.ErrAuth,
			"tried password", "authorized_keys",
		},
		{"no common method", remotetest.ServerOptions{Password: "right"},
			func(t *testing.T, c *ssh.Config) {
				c.Password, c.IdentityFiles = nil,
					remotetest.StartServer(t, remotetest.ServerOptions{}).Config().IdentityFiles
			}, ssh.ErrAuth, "wants another way", "authorized_keys"},
		{"key refused", remotetest.ServerOptions{}, func(t *testing.T, c *ssh.Config) {
			c.IdentityFiles = remotetest.StartServer(t,
				remotetest.ServerOptions{}).Config().IdentityFiles
		}, ssh.ErrAuth, "id_ed25519", "authorized_keys"},
		{
			"no credentials", remotetest.ServerOptions{},
			func(_ *testing.T, c *ssh.Config) {
				c.IdentityFiles = []string{}
			}, ssh.ErrAuth, "no key", "SSH_AUTH_SOCK",
		},
		{"pinned to another key", remotetest.ServerOptions{},
			func(_ *testing.T, c *ssh.Config) { c.Fingerprints = []string{"SHA256:other"} },
			ssh.ErrHostKeyChanged, "SHA256:other", "hosts[].ssh.host_key"},
		{"unknown key", remotetest.ServerOptions{}, func(t *testing.T, c *ssh.Config) {
			c.Fingerprints, c.KnownHostsFiles = nil,
				[]string{filepath.Join(t.TempDir(), "known_hosts")}
		}, ssh.ErrHostKeyUnknown, "SHA256:", "hosts[].ssh.host_key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := remotetest.StartServer(t, tt.server).Config()
			tt.change(t, &cfg)
			start := time.Now()
			_, err := ssh.Dial(t.Context(), cfg)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) ||
				!strings.HasPrefix(err.Error(), "sshd: ") {
				t.Errorf("err = %v, want %v from host sshd that says %q", err, tt.want, tt.says)
			}
			if hint := remote.Hint(err); !strings.Contains(hint, tt.hint) {
				t.Errorf("hint = %q, want %q in it", hint, tt.hint)
			}
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestDialHonoursContext(t *testing.T) {
	t.Parallel()
	cfg := remotetest.StartServer(t, remotetest.ServerOptions{Silent: true}).Config()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := ssh.Dial(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want DeadlineExceeded", err)
	}
}

func TestKnownHosts(t *testing.T) {
	t.Parallel()
	first := remotetest.StartServer(t, remotetest.ServerOptions{})
	file := filepath.Join(t.TempDir(), "ssh", "known_hosts")
	cfg := first.Config()
	cfg.Fingerprints, cfg.KnownHostsFiles, cfg.AcceptNew = nil, []string{file}, true
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := ssh.Dial(t.Context(), cfg)
			if err != nil {
				t.Errorf("accept new: %v", err)
				return
			}
			_ = s.Close()
		})
	}
	all.Wait()
	data, err := os.ReadFile(file)
	if err != nil || strings.Count(string(data), "\n") != 1 {
		t.Errorf("known_hosts holds %q, %v; want one line", data, err)
	}
	cfg.AcceptNew = false
	remotetest.Dial(t, cfg)

	// The same address with another key, as after a reinstallation or with somebody in between.
	second := remotetest.StartServer(t, remotetest.ServerOptions{})
	cfg.AcceptNew = true
	target := net.JoinHostPort("127.0.0.1", second.Port())
	cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, target)
	}
	if _, err := ssh.Dial(t.Context(), cfg); !errors.Is(err, ssh.ErrHostKeyChanged) {
		t.Errorf("err = %v, want ErrHostKeyChanged in spite of AcceptNew", err)
	}
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		server remotetest.ServerOptions
		cut    func(*remotetest.Server)
	}{
		"dropped mid-command": {remotetest.ServerOptions{},
			func(s *remotetest.Server) { s.Drop() }},
		"server falls silent": {remotetest.ServerOptions{Deaf: true}, func(*remotetest.Server) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := remotetest.StartServer(t, tt.server)
			cfg := server.Config()
			cfg.KeepAlive = 50 * time.Millisecond
			s := remotetest.Dial(t, cfg)
			out, in := io.Pipe()
			go func() {
				if !tt.server.Deaf {
					_, _ = io.ReadFull(out, make([]byte, 8))
				}
				tt.cut(server)
				_, _ = io.Copy(io.Discard, out)
			}()
			_, err := s.Stream(t.Context(), remote.Cmd{
				Argv: []string{"sh", "-c", "echo started; sleep 300"},
			}, in, io.Discard)
			_ = in.Close()
			if !errors.Is(err, remote.ErrDisconnected) || !remote.Retryable(err) ||
				!strings.HasPrefix(err.Error(), "sshd: ") {
				t.Errorf("err = %v, want ErrDisconnected of sshd", err)
			}
		})
	}
}

func TestJumpAndTunnel(t *testing.T) {
	t.Parallel()
	bastion := remotetest.StartServer(t, remotetest.ServerOptions{}).Config()
	cfg := remotetest.StartServer(t, remotetest.ServerOptions{}).Config()
	cfg.Jump = &bastion
	s := remotetest.Dial(t, cfg)
	if _, err := s.Run(t.Context(), remote.Cmd{Argv: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	conn, err := s.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "ping" {
		t.Errorf("echo = %q, %v", buf, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read past its deadline: %v", err)
	}
	_, _ = conn.Close(), l.Close()
	if _, err := s.DialContext(t.Context(), "tcp", l.Addr().String()); !errors.Is(err,
		syscall.ECONNREFUSED) {
		t.Errorf("dial of a closed port: %v, want ECONNREFUSED", err)
	}
}

func TestForwardingForbidden(t *testing.T) {
	t.Parallel()
	s := remotetest.Dial(t, remotetest.StartServer(t,
		remotetest.ServerOptions{NoForwarding: true}).Config())
	_, err := s.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	if hint := remote.Hint(err); !strings.Contains(hint, "AllowTcpForwarding") {
		t.Errorf("err = %v, hint = %q", err, hint)
	}
}

func TestEncryptedIdentity(t *testing.T) {
	t.Parallel()
	server := remotetest.StartServer(t, remotetest.ServerOptions{})
	cfg := server.Config()
	pem, err := os.ReadFile(cfg.IdentityFiles[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := cryptossh.ParseRawPrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	cfg.IdentityFiles = []string{encrypt(t, key, "open sesame")}
	if _, err := ssh.Dial(t.Context(), cfg); !errors.Is(err, ssh.ErrAuth) ||
		!strings.Contains(err.Error(), "encrypted") {
		t.Errorf("err = %v, want ErrAuth that says the key is encrypted", err)
	}
	cfg.Passphrase = func(string) ([]byte, error) { return []byte("open sesame"), nil }
	remotetest.Dial(t, cfg)
}

func encrypt(t *testing.T, key crypto.PrivateKey, passphrase string) (file string) {
	t.Helper()
	block, err := cryptossh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
