package probe

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// server speaks as much of PostgreSQL's protocol as the writer needs, keeps the rows, and can be
// made to fail.
type server struct {
	address string

	mu       sync.Mutex
	down     bool // connections are refused
	conns    map[net.Conn]bool
	mute     map[net.Conn]bool // sessions that get no answer any more
	demoted  map[net.Conn]bool // sessions to what is no longer the primary
	silent   bool              // takes connections and says nothing on them
	silences int               // how many
	replica  bool              // all sessions are
	lose     bool              // forget the next row after having acknowledged it
	// keep the next row, and break the connection instead of acknowledging it
	cut     bool
	rows    []int64
	answers map[int64]time.Time // when each row was acknowledged
	cancels int                 // cancel requests that came
	wg      sync.WaitGroup
}

func newServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		address: l.Addr().String(), conns: map[net.Conn]bool{}, mute: map[net.Conn]bool{},
		demoted: map[net.Conn]bool{}, answers: map[int64]time.Time{},
	}
	s.wg.Go(func() { s.accept(l) })
	t.Cleanup(func() {
		l.Close()
		s.reset()
		s.wg.Wait()
	})
	return s
}

func (s *server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.set(func() { s.conns[conn] = true })
		s.wg.Go(func() { s.serve(conn) })
	}
}

// refuse resets all sessions and takes no more: a process that was killed. The port stays its own,
// so that no other process gets it meanwhile; dial is what refuses.
func (s *server) refuse() {
	s.set(func() { s.down = true })
	s.reset()
}

func (s *server) listen() { s.set(func() { s.down = false }) }

func (s *server) dial(ctx context.Context, network, address string) (net.Conn, error) {
	down := false
	if s.set(func() { down = s.down }); down {
		return nil, &net.OpError{Op: "dial", Net: network,
			Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// reset cuts all sessions and takes new ones: a proxy that found another primary.
func (s *server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		if err := conn.(*net.TCPConn).SetLinger(0); err == nil {
			conn.Close()
		}
	}
}

// hang leaves the sessions that are open without an answer for ever: a host without power. New ones
// work.
func (s *server) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		s.mute[conn] = true
	}
}

// demote leaves the sessions that are open on a replica. New ones lead to the primary.
func (s *server) demote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		s.demoted[conn] = true
	}
}

func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// between is the time between the answers to two rows, by the server's own record.
func (s *server) between(from, to int64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[to].Sub(s.answers[from])
}

func (s *server) table() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows)
}

func (s *server) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.set(func() { delete(s.conns, conn) })
	}()
	b := pgproto3.NewBackend(conn, conn)
	if !s.login(b) {
		return
	}
	for {
		message, err := b.Receive()
		if err != nil {
			return
		}
		query, ok := message.(*pgproto3.Query)
		if !ok {
			return // the client takes its leave
		}
		s.answer(b, conn, query.String)
		if b.Flush() != nil {
			return
		}
	}
}

func (s *server) login(b *pgproto3.Backend) bool {
	first, err := b.ReceiveStartupMessage()
	if _, cancel := first.(*pgproto3.CancelRequest); cancel {
		s.set(func() { s.cancels++ })
	}
	if _, ok := first.(*pgproto3.StartupMessage); err != nil || !ok {
		return false
	}
	silent := false
	s.set(func() {
		if silent = s.silent; silent {
			s.silences++
		}
	})
	if silent {
		_, _ = b.Receive() // until the client has enough
		return false
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return b.Flush() == nil
}

var insertedRow = regexp.MustCompile(
	`^INSERT INTO "public"\."pgha_probe" \(run, seq\) VALUES \( '([A-Z2-7]+)' ,  '(\d+)' \)$`)

func (s *server) answer(b *pgproto3.Backend, conn net.Conn, sql string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	insert := insertedRow.FindStringSubmatch(sql)
	switch {
	case s.mute[conn]:
		return
	case s.replica, s.demoted[conn]:
		b.Send(&pgproto3.ErrorResponse{
			Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "25006",
			Message: "read-only transaction",
		})
	case insert == nil &&
		!regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS "public"\."pgha_probe" \(`).MatchString(
			sql):
		b.Send(&pgproto3.ErrorResponse{
			Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42601",
			Message: "unexpected: " + sql,
		})
	case insert == nil:
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("CREATE TABLE")})
	default:
		seq, _ := strconv.ParseInt(insert[2], 10, 64)
		if !s.lose {
			s.rows = append(s.rows, seq)
		}
		s.lose = false
		if s.cut {
			s.cut = false
			conn.Close()
			return
		}
		s.answers[seq] = time.Now()
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("INSERT 0 1")})
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
}

// config leads to the server.
func (s *server) config(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%s user=u dbname=d sslmode=disable",
		host, port))
	if err != nil {
		t.Fatal(err)
	}
	cfg.DialFunc = s.dial
	return cfg
}
