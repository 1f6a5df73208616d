package pgsession_test

import (
	"errors"
	"net"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgha/toolkit/internal/pgsession"
)

// answers are what the server of TestAsk says to a statement.
var answers = map[string][]pgproto3.BackendMessage{
	"two rows": {
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("a")}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte("one")}},
		&pgproto3.DataRow{Values: [][]byte{nil}},
		&pgproto3.NoticeResponse{Severity: "WARNING", Message: "a word"},
		&pgproto3.DataRow{Values: [][]byte{[]byte("tw\xc3\xb6"), []byte("other")}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 3")},
	},
	"a fault": {&pgproto3.ErrorResponse{Severity: "ERROR", Message: "no"}},
	"no rows": {&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")}},
}

// TestAsk runs ask.pl against a server that speaks the protocol.
func TestAsk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		login      pgproto3.BackendMessage
		statements []string
		out        string
		fails      bool
	}{
		"all are asked": {
			&pgproto3.AuthenticationOk{}, []string{"two rows", "a fault", "no rows", "two rows"},
			"one\ntwö\none\ntwö\n", false,
		},
		"nothing to ask": {&pgproto3.AuthenticationOk{}, nil, "", false},
		"wants a password": {
			&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}},
			[]string{"two rows"}, "", true,
		},
		"lets nobody in": {
			&pgproto3.ErrorResponse{Severity: "FATAL", Message: "no pg_hba.conf entry"},
			[]string{"two rows"}, "", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), ".s.PGSQL.5432")
			told := make(chan map[string]string, 1)
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
			if err != nil {
				t.Fatal(err)
			}
			go func() { told <- serve(listener, test.login) }()
			out, err := ask(t, path, test.statements...)
			listener.Close()
			if out != test.out || (err != nil) != test.fails {
				t.Errorf("says %q, %v; want %q", out, err, test.out)
			}
			want := map[string]string{"user": "admin", "database": "postgres",
				"options": `-c a=b\ c`}
			if diff := cmp.Diff(want, <-told); diff != "" {
				t.Errorf("begins with (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAskWhereNobodyListens(t *testing.T) {
	t.Parallel()
	out, err := ask(t, filepath.Join(t.TempDir(), "no"), "two rows")
	var exit *exec.ExitError
	if out != "" || !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("says %q, %v", out, err)
	}
}

func ask(t *testing.T, path string, statements ...string) (string, error) {
	t.Helper()
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	argv := append([]string{"-e", pgsession.AskScript(), self.Username, path, "admin", `-c a=b\ c`},
		statements...)
	out, err := exec.CommandContext(t.Context(), "perl", argv...).Output()
	return string(out), err
}

// serve answers one session, and returns what it began with.
func serve(listener net.Listener, login pgproto3.BackendMessage) map[string]string {
	conn, err := listener.Accept()
	if err != nil {
		return nil
	}
	defer conn.Close()
	server := pgproto3.NewBackend(conn, conn)
	first, err := server.ReceiveStartupMessage()
	startup, ok := first.(*pgproto3.StartupMessage)
	if err != nil || !ok {
		return nil
	}
	server.Send(login)
	if _, in := login.(*pgproto3.AuthenticationOk); !in {
		_ = server.Flush() // the test sees what comes of it
		return startup.Parameters
	}
	server.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "18.6"})
	server.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte("four")})
	for {
		server.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if server.Flush() != nil {
			return startup.Parameters
		}
		message, err := server.Receive()
		query, ok := message.(*pgproto3.Query)
		if err != nil || !ok {
			return startup.Parameters
		}
		for _, answer := range answers[query.String] {
			server.Send(answer)
		}
	}
}
