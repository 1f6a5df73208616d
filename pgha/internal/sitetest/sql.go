package sitetest

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgha/toolkit/pgha/layout"
)

// Answer is what a server says to a statement: rows, of which all have the types of the first, or
// an error; a *pgconn.PgError keeps its code. A prepared statement asks when it is described and
// when it is bound.
type Answer func(statement string) (rows [][]any, err error)

// SQL lets something that speaks as PostgreSQL answer at the port of a database host. It lets
// everybody in, with a certificate of that host.
func (a *Answering) SQL(host string, answer Answer) {
	a.t.Helper()
	a.sql(a.address(host, a.Spec.PostgreSQL.Port), host, answer)
}

// Writes lets it answer at the address by which applications write.
func (a *Answering) Writes(answer Answer) {
	a.t.Helper()
	r := a.WriteRoute()
	a.sql(net.JoinHostPort(r.Host, strconv.Itoa(r.Port)), a.Spec.Databases()[0].Name, answer)
}

func (a *Answering) sql(address, host string, answer Answer) {
	a.t.Helper()
	config := a.tls(host, layout.Postgres, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = l.Close() })
	a.lead(address, l.Addr().String())
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serveSQL(conn, config, answer)
			}()
		}
	}()
}

// session is one client of a server.
type session struct {
	*pgproto3.Backend
	answer  Answer
	sql     map[string]string // prepared statements
	rows    [][]any
	err     error
	formats []int16
	failed  bool // until the next Sync
}

func serveSQL(conn net.Conn, config *tls.Config, answer Answer) {
	s := &session{Backend: pgproto3.NewBackend(conn, conn), answer: answer, sql: map[string]string{}}
	first, err := s.ReceiveStartupMessage()
	if _, asks := first.(*pgproto3.SSLRequest); err == nil && asks {
		if _, err := conn.Write([]byte("S")); err != nil {
			return
		}
		encrypted := tls.Server(conn, config)
		s.Backend = pgproto3.NewBackend(encrypted, encrypted)
		first, err = s.ReceiveStartupMessage()
	}
	if _, begins := first.(*pgproto3.StartupMessage); err != nil || !begins {
		return // who wants to cancel something, or nothing that this speaks
	}
	s.Send(&pgproto3.AuthenticationOk{})
	s.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	s.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	s.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for s.Flush() == nil {
		message, err := s.Receive()
		if err != nil || !s.handle(message) {
			return
		}
	}
}

// handle answers a message; false for the last one.
func (s *session) handle(message pgproto3.FrontendMessage) bool {
	if _, sync := message.(*pgproto3.Sync); s.failed && !sync {
		return true
	}
	switch m := message.(type) {
	case *pgproto3.Query:
		s.rows, s.err = s.answer(m.String)
		s.formats = nil
		s.describe()
		s.execute()
		s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		s.failed = false
	case *pgproto3.Parse:
		s.sql[m.Name] = m.Query
		s.Send(&pgproto3.ParseComplete{})
	case *pgproto3.Describe:
		if m.ObjectType == 'S' {
			s.rows, s.err = s.answer(s.sql[m.Name])
			s.Send(&pgproto3.ParameterDescription{ParameterOIDs: parameters(s.sql[m.Name])})
		}
		s.describe()
	case *pgproto3.Bind:
		s.rows, s.err = s.answer(s.sql[m.PreparedStatement])
		s.formats = m.ResultFormatCodes
		s.Send(&pgproto3.BindComplete{})
	case *pgproto3.Execute:
		s.execute()
	case *pgproto3.Sync:
		s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		s.failed = false
	case *pgproto3.Terminate:
		return false
	}
	return true
}

// parameters are the types of a statement's parameters: names where it compares with a list.
func parameters(sql string) []uint32 {
	switch {
	case strings.Contains(sql, "ANY ($1)"):
		return []uint32{pgtype.TextArrayOID}
	case strings.Contains(sql, "$1"):
		return []uint32{pgtype.Float8OID}
	}
	return nil
}

func (s *session) describe() {
	if s.err != nil || len(s.rows) == 0 {
		s.Send(&pgproto3.NoData{})
		return
	}
	var fields []pgproto3.FieldDescription
	types := pgtype.NewMap()
	for _, value := range s.rows[0] {
		f := pgproto3.FieldDescription{Name: []byte("column"), DataTypeSize: -1, TypeModifier: -1,
			DataTypeOID: pgtype.TextOID}
		if known, ok := types.TypeForValue(value); ok {
			f.DataTypeOID = known.OID
		}
		fields = append(fields, f)
	}
	s.Send(&pgproto3.RowDescription{Fields: fields})
}

func (s *session) execute() {
	if s.err != nil {
		e := &pgconn.PgError{Severity: "ERROR", Code: "XX000", Message: s.err.Error()}
		_ = errors.As(s.err, &e)
		s.Send(&pgproto3.ErrorResponse{Severity: e.Severity, Code: e.Code, Message: e.Message,
			Detail: e.Detail, Hint: e.Hint, Position: e.Position, Routine: e.Routine})
		s.failed = true
		return
	}
	types := pgtype.NewMap()
	for _, row := range s.rows {
		var values [][]byte
		for i, value := range row {
			format := int16(pgtype.TextFormatCode)
			switch {
			case len(s.formats) == 1:
				format = s.formats[0]
			case len(s.formats) > i:
				format = s.formats[i]
			}
			oid := uint32(pgtype.TextOID)
			if known, ok := types.TypeForValue(value); ok {
				oid = known.OID
			}
			text, err := types.Encode(oid, format, value, nil)
			if err != nil {
				panic(err) // a test's own values
			}
			values = append(values, text)
		}
		s.Send(&pgproto3.DataRow{Values: values})
	}
	s.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")})
}
