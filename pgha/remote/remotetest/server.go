package remotetest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"github.com/pgha/toolkit/pgha/remote/ssh"
)

// ServerOptions choose how a Server behaves; the zero value is a healthy one.
type ServerOptions struct {
	// Silent accepts TCP connections and never says anything.
	Silent bool
	// Deaf completes the handshake and then answers no request at all.
	Deaf bool
	// MaxSessions is how many sessions one connection may have at a time; more are refused. 0 means
	// no limit.
	MaxSessions int
	// NoForwarding refuses direct-tcpip channels, like AllowTcpForwarding no.
	NoForwarding bool
	// NoNetwork lets nobody listen where direct-tcpip channels lead: the test's own network is left
	// alone.
	NoNetwork bool
	// Noise is printed on standard output before every command, like a chatty login shell does.
	Noise string
	// Password, when set, is accepted (as password and keyboard-interactive) and keys are not.
	Password string
	// User is the only account there is; "" takes every name for one.
	User string
	// Identity is the file of a private key that is accepted, so that several servers can have the
	// same; "" makes one.
	Identity string
	// DropFirst closes so many connections before a word is said, like MaxStartups does.
	DropFirst int
	// Latency is the round-trip time. Packets travel at the same time, as on a long line.
	Latency time.Duration
	// LoseEvery loses each so many-th packet from the server: it arrives when it has been sent
	// again, after one more Latency and 200 ms, Linux's shortest time-out of a retransmission, and
	// those behind it wait. 0 loses none.
	LoseEvery int
	// Env are variables, each "NAME=value", that commands get in addition to the test's own.
	Env []string
	// Answer, when set, is what runs commands in place of sh, and returns their exit status. It
	// ends when ctx does, which is when the client is gone or has closed the session.
	Answer func(ctx context.Context, line string, stdin io.Reader, stdout, stderr io.Writer) int
}

// Server is an SSH server on a loopback address, in this process. It really executes what it is
// told, by sh -c, as the user who runs the test.
type Server struct {
	opts     ServerOptions
	config   *cryptossh.ServerConfig
	listener net.Listener
	hostKey  cryptossh.PublicKey
	done     sync.WaitGroup
	cancel   context.CancelFunc

	mu       sync.Mutex
	conns    map[net.Conn]bool // true once authenticated
	accepted int
	commands int
}

// StartServer starts a Server that ends with the test.
func StartServer(t testing.TB, opts ServerOptions) *Server {
	t.Helper()
	if opts.Identity == "" {
		opts.Identity = filepath.Join(t.TempDir(), "id_ed25519")
		if err := WriteIdentity(opts.Identity); err != nil {
			t.Fatal(err)
		}
	}
	s, err := NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// NewServer starts a Server that runs until it is closed. Identity must be set.
func NewServer(opts ServerOptions) (*Server, error) {
	client, err := readIdentity(opts.Identity)
	if err != nil {
		return nil, fmt.Errorf("start SSH server: %w", err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("start SSH server: %w", err)
	}
	signer, err := cryptossh.NewSignerFromKey(private)
	if err != nil {
		return nil, fmt.Errorf("start SSH server: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start SSH server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{opts: opts, listener: listener, hostKey: signer.PublicKey(), cancel: cancel,
		conns: map[net.Conn]bool{}}
	s.config = serverConfig(opts, client)
	s.config.AddHostKey(signer)
	s.done.Add(1)
	go s.accept(ctx)
	return s, nil
}

// Config is what DialSSH needs to reach the server: its address, pinned host key, and the
// credentials it accepts.
func (s *Server) Config() ssh.Config {
	addr, _ := s.listener.Addr().(*net.TCPAddr)
	cfg := ssh.Config{
		Name:          "sshd",
		Address:       addr.IP.String(),
		Port:          addr.Port,
		IdentityFiles: []string{s.opts.Identity},
		Fingerprints:  []string{s.Fingerprint()},
	}
	if s.opts.Password != "" {
		cfg.IdentityFiles = []string{}
		cfg.Password = func(context.Context) (string, error) { return s.opts.Password, nil }
	}
	return cfg
}

// Fingerprint is the SHA-256 fingerprint of the server's host key.
func (s *Server) Fingerprint() string { return cryptossh.FingerprintSHA256(s.hostKey) }

// HostKey is the server's host key.
func (s *Server) HostKey() cryptossh.PublicKey { return s.hostKey }

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

// Accepted is how many connections there have been in all.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Commands is how many commands there have been in all.
func (s *Server) Commands() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commands
}

// Close ends the server, its connections and the commands on them.
func (s *Server) Close() {
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
		s.mu.Lock()
		s.accepted++
		drop := s.accepted <= s.opts.DropFirst
		s.mu.Unlock()
		if drop {
			_ = conn.Close()
			continue
		}
		if s.opts.Latency > 0 {
			conn = newSlowConn(conn, s.opts.Latency, s.opts.LoseEvery)
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
	c, channels, requests, err := cryptossh.NewServerConn(conn, s.config)
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
	go cryptossh.DiscardRequests(requests)
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

func serverConfig(opts ServerOptions, clientKey cryptossh.PublicKey) *cryptossh.ServerConfig {
	judge := func(c cryptossh.ConnMetadata, right bool) (*cryptossh.Permissions, error) {
		if !right || (opts.User != "" && c.User() != opts.User) {
			return nil, errors.New("wrong credentials")
		}
		return nil, nil
	}
	if opts.Password == "" {
		return &cryptossh.ServerConfig{PublicKeyCallback: func(c cryptossh.ConnMetadata,
			key cryptossh.PublicKey) (*cryptossh.Permissions, error) {
			return judge(c, string(key.Marshal()) == string(clientKey.Marshal()))
		}}
	}
	return &cryptossh.ServerConfig{
		PasswordCallback: func(c cryptossh.ConnMetadata, given []byte) (*cryptossh.Permissions,
			error) {
			return judge(c, string(given) == opts.Password)
		},
		KeyboardInteractiveCallback: func(c cryptossh.ConnMetadata,
			ask cryptossh.KeyboardInteractiveChallenge) (*cryptossh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			return judge(c, err == nil && len(answers) == 1 && answers[0] == opts.Password)
		},
	}
}

// WriteIdentity makes a private key for clients in a new file.
func WriteIdentity(file string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := cryptossh.MarshalPrivateKey(private, "")
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(block), 0o600)
}

func readIdentity(file string) (cryptossh.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := cryptossh.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	return signer.PublicKey(), nil
}
