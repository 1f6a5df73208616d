package remotetest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
	"golang.org/x/crypto/ssh"
)

// ServerOptions choose how a Server behaves; the zero value is a healthy one.
type ServerOptions struct {
	// Silent accepts TCP connections and never says anything.
	Silent bool
	// Deaf completes the handshake and then answers no request at all.
	Deaf bool
	// MaxSessions is how many sessions one connection may have at a time; more are refused. 0 means no limit.
	MaxSessions int
	// NoForwarding refuses direct-tcpip channels, like AllowTcpForwarding no.
	NoForwarding bool
	// Noise is printed on standard output before every command, like a chatty login shell does.
	Noise string
	// Password, when set, is accepted (as password and keyboard-interactive) and keys are not.
	Password string
	// Latency delays every packet from the server.
	Latency time.Duration
	// Env are variables, each "NAME=value", that commands get in addition to the test's own.
	Env []string
}

// Server is an SSH server on a loopback address, in this process. It really executes what it is told, by sh -c, as the
// user who runs the test.
type Server struct {
	opts     ServerOptions
	config   *ssh.ServerConfig
	listener net.Listener
	hostKey  ssh.PublicKey
	keyFile  string
	done     sync.WaitGroup
	cancel   context.CancelFunc

	mu    sync.Mutex
	conns map[net.Conn]bool // true once authenticated
}

// StartServer starts a Server that ends with the test.
func StartServer(t testing.TB, opts ServerOptions) *Server {
	t.Helper()
	clientKey, keyFile := writeClientKey(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{opts: opts, listener: listener, hostKey: signer.PublicKey(), keyFile: keyFile, cancel: cancel, conns: map[net.Conn]bool{}}
	s.config = serverConfig(opts.Password, clientKey)
	s.config.AddHostKey(signer)
	s.done.Add(1)
	go s.accept(ctx)
	t.Cleanup(s.stop)
	return s
}

// Config is what DialSSH needs to reach the server: its address, pinned host key, and the credentials it accepts.
func (s *Server) Config() remote.SSHConfig {
	addr, _ := s.listener.Addr().(*net.TCPAddr)
	cfg := remote.SSHConfig{
		Name:          "sshd",
		Address:       addr.IP.String(),
		Port:          addr.Port,
		IdentityFiles: []string{s.keyFile},
		Fingerprints:  []string{s.Fingerprint()},
	}
	if s.opts.Password != "" {
		cfg.IdentityFiles = []string{}
		cfg.Password = func(context.Context) (string, error) { return s.opts.Password, nil }
	}
	return cfg
}

// Fingerprint is the SHA-256 fingerprint of the server's host key.
func (s *Server) Fingerprint() string { return ssh.FingerprintSHA256(s.hostKey) }

// HostKey is the server's host key.
func (s *Server) HostKey() ssh.PublicKey { return s.hostKey }

// Port is the TCP port the server listens on.
func (s *Server) Port() string { return strconv.Itoa(s.listener.Addr().(*net.TCPAddr).Port) }

// Drop cuts every connection without a goodbye, and the commands on it.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Connections is how many authenticated connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, authenticated := range s.conns {
		if authenticated {
			n++
		}
	}
	return n
}

func (s *Server) stop() {
	s.cancel()
	_ = s.listener.Close()
	s.Drop()
	s.done.Wait()
}

func (s *Server) accept(ctx context.Context) {
	defer s.done.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if s.opts.Latency > 0 {
			conn = &slowConn{conn, s.opts.Latency}
		}
		s.mu.Lock()
		s.conns[conn] = false
		s.mu.Unlock()
		s.done.Add(1)
		go s.serve(ctx, conn)
	}
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer s.done.Done()
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	// A connection that was accepted while the server stops has been missed by Drop.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if s.opts.Silent {
		<-ctx.Done()
		return
	}
	c, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conns[conn] = true
	s.mu.Unlock()
	if s.opts.Deaf {
		<-ctx.Done()
		return
	}
	go ssh.DiscardRequests(requests)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	connection := &connection{server: s, ctx: ctx}
	for ch := range channels {
		connection.handle(ch)
	}
	_ = c.Close()
	cancel()
	connection.done.Wait()
}

func serverConfig(password string, clientKey ssh.PublicKey) *ssh.ServerConfig {
	wrong := errors.New("wrong credentials")
	if password == "" {
		return &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if string(key.Marshal()) != string(clientKey.Marshal()) {
				return nil, wrong
			}
			return nil, nil
		}}
	}
	return &ssh.ServerConfig{
		PasswordCallback: func(_ ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if string(given) != password {
				return nil, wrong
			}
			return nil, nil
		},
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 || answers[0] != password {
				return nil, wrong
			}
			return nil, nil
		},
	}
}

func writeClientKey(t testing.TB) (ssh.PublicKey, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey(), file
}

// slowConn delays what is written to it.
type slowConn struct {
	net.Conn
	delay time.Duration
}

func (c *slowConn) Write(p []byte) (int, error) {
	time.Sleep(c.delay)
	return c.Conn.Write(p)
}
