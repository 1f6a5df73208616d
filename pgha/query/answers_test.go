package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// clusterSays lets every Patroni answer /cluster so.
func clusterSays(a *sitetest.Answering, code int, text string) {
	for _, h := range a.Spec.Databases() {
		a.REST(h.Name, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, text)
		})
	}
}

// whoever answers every statement but those that begin and end with the member's name.
func whoever(a *sitetest.Answering, hosts ...string) {
	for _, h := range hosts {
		a.SQL(h, func(statement string) ([][]any, error) {
			if strings.HasPrefix(strings.ToUpper(statement), "BEGIN") {
				return nil, nil
			}
			return [][]any{{h}}, nil
		})
	}
}

// TestWhoIsAsked: the leader, the replica that is behind the least, or whoever answers first; a
// cluster in which there is no such member is an error of its own, and garbage is none.
func TestWhoIsAsked(t *testing.T) {
	t.Parallel()
	row := func(name, role, state, lag string) string {
		return fmt.Sprintf(`{"name":%q,"role":%q,"state":%q,"timeline":4,"lag":%s}`, name, role, state,
			lag)
	}
	cluster := func(rows ...string) string {
		return `{"scope":"demo","members":[` + strings.Join(rows, ",") + `]}`
	}
	leads := row("m1", "leader", "running", "null")
	for name, tt := range map[string]struct {
		cluster string
		opts    QueryOptions
		host    string
		want    error
		says    string
	}{
		"the leader": {cluster(leads), QueryOptions{}, "pg1", nil, ""},
		"no leader": {cluster(row("m1", "replica", "running", "0")), QueryOptions{}, "",
			patroni.ErrNoLeader, ""},
		"no members": {cluster(), QueryOptions{Role: QueryLeader}, "", patroni.ErrNoLeader, ""},
		"the nearest replica": {cluster(leads, row("m2", "replica", "streaming", "9"),
			row("m3", "replica", "streaming", "8")), QueryOptions{Role: QueryReplica}, "pg3", nil, ""},
		"one whose lag nobody knows": {cluster(leads, row("m2", "replica", "streaming", `"unknown"`),
			row("m3", "replica", "streaming", "99999")), QueryOptions{Role: QueryReplica}, "pg3", nil, ""},
		"one that does not stream": {cluster(leads, row("m2", "replica", "running", "0"),
			row("m3", "replica", "start failed", "0")), QueryOptions{Role: QueryReplica}, "",
			patroni.ErrNoCandidate, ""},
		"a leader alone": {cluster(leads), QueryOptions{Role: QueryReplica}, "",
			patroni.ErrNoCandidate, ""},
		"garbage":          {"<html>", QueryOptions{}, "", nil, "Patroni"},
		"any, and garbage": {"<html>", QueryOptions{Role: QueryAny}, "pg1", nil, ""},
		"one by its host":  {"<html>", QueryOptions{Member: "pg2"}, "pg2", nil, ""},
		"a role of none":   {cluster(leads), QueryOptions{Role: "primary"}, "", patroni.ErrInvalid, ""},
		"a stranger leads": {cluster(row("m9", "leader", "running", "null")), QueryOptions{}, "", nil,
			"m9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := sitetest.NewAnswering(t)
			clusterSays(a, 200, tt.cluster)
			whoever(a, "pg1", "pg2", "pg3")
			tt.opts.SQL = "SELECT 1"
			got, err := Query(t.Context(), a.Site, tt.opts)
			switch {
			case tt.host != "" && (err != nil || *got.Rows[0][0] != tt.host):
				t.Errorf("%+v, %v", got, err)
			case tt.host == "" && (err == nil || tt.want != nil && !errors.Is(err, tt.want) ||
				!strings.Contains(err.Error(), tt.says)):
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestAnyOfThem: who does not answer is passed over, and where nobody does each says why.
func TestAnyOfThem(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	a.Away("pg1")
	whoever(a, "pg3") // pg2 refuses
	got, err := Query(t.Context(), a.Site, QueryOptions{SQL: "SELECT 1", Role: QueryAny})
	if err != nil || got.Member != "m3" {
		t.Errorf("%+v, %v", got, err)
	}
	a.Away("pg3")
	_, err = Query(t.Context(), a.Site, QueryOptions{SQL: "SELECT 1", Role: QueryAny})
	if !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("%v", err)
	}
	for _, m := range []string{"m1: ", "m2: ", "m3: "} {
		if !strings.Contains(err.Error(), m) {
			t.Errorf("%v: nothing of %s", err, m)
		}
	}
	a.ReadOnly = true
	if _, err := Query(t.Context(), a.Site, QueryOptions{SQL: "SELECT 1", Role: QueryAny,
		Write: true}); err == nil || errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("a write by who only looks: %v", err)
	}
}

// TestRowsAreBounded at, below and above the bound, and never by a negative one.
func TestRowsAreBounded(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	rows := func(n int) (list [][]any) {
		for i := range n {
			list = append(list, []any{int64(i), i%2 == 0})
		}
		return list
	}
	a.SQL("pg1", func(statement string) ([][]any, error) {
		n := 0
		if _, err := fmt.Sscanf(statement, "SELECT %d", &n); err != nil {
			return nil, nil
		}
		return rows(n), nil
	})
	for _, tt := range []struct {
		there, most, kept int
		truncated         bool
	}{
		{0, 0, 0, false}, {3, 3, 3, false}, {4, 3, 3, true}, {4, -1, 4, false}, {1, 1, 1, false},
		{defaultMaxRows + 1, 0, defaultMaxRows, true}, {defaultMaxRows, 0, defaultMaxRows, false},
		{defaultMaxRows + 1, -1, defaultMaxRows + 1, false},
	} {
		got, err := Query(t.Context(), a.Site, QueryOptions{SQL: fmt.Sprintf("SELECT %d", tt.there),
			Member: "m1", MaxRows: tt.most})
		if err != nil || len(got.Rows) != tt.kept || got.Truncated != tt.truncated {
			t.Errorf("%d rows, at most %d: %d, %v, %v", tt.there, tt.most, len(got.Rows),
				got.Truncated, err)
		}
	}
}

// TestServersRefuse: what PostgreSQL says stays whole, a session that is lost is no statement's
// fault, and a statement after another one is named as that.
func TestServersRefuse(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	var answer error
	a.SQL("pg1", func(statement string) ([][]any, error) {
		if strings.HasPrefix(strings.ToUpper(statement), "BEGIN") {
			return nil, nil
		}
		return nil, answer
	})
	ask := func(e *pgconn.PgError) error {
		answer = e
		_, err := Query(t.Context(), a.Site, QueryOptions{SQL: "SELECT 1;\nSELECT x", Member: "m1"})
		return err
	}
	err := ask(&pgconn.PgError{Severity: "ERROR", Code: "42703", Message: `column "x" does not exist`,
		Position: 18, Hint: "look for y"})
	var told *QueryError
	if !errors.As(err, &told) || told.Code != "42703" || remote.Hint(err) != "look for y" {
		t.Fatalf("%v", err)
	}
	if line, number, column := told.Excerpt(); line != "SELECT x" || number != 2 || column != 8 {
		t.Errorf("%q, line %d, column %d", line, number, column)
	}
	for _, at := range []int{-1, 0, 20, 1 << 30} {
		told.Position = at
		if line, number, column := told.Excerpt(); line != "" || number+column != 0 {
			t.Errorf("position %d: %q %d %d", at, line, number, column)
		}
	}
	if err := ask(&pgconn.PgError{Severity: "ERROR", Code: "42601",
		Routine: "exec_parse_message"}); !errors.Is(err, patroni.ErrInvalid) {
		t.Errorf("two statements: %v", err)
	}
	if err := ask(&pgconn.PgError{Severity: "ERROR", Code: "42601",
		Routine: "scanner_yyerror"}); errors.Is(err, patroni.ErrInvalid) || !errors.As(err, &told) {
		t.Errorf("a syntax error: %v", err)
	}
	if err := ask(&pgconn.PgError{Severity: "FATAL", Code: "57P01",
		Message: "terminating connection"}); !errors.As(err, &told) || told.Severity != "FATAL" {
		t.Errorf("the end of the session: %v", err)
	}
}

// TestCancelledBesideTheAnswer: a statement that was done is one, though ctx has ended meanwhile;
// one that is not is cancelled, and cut off where the server does not care.
func TestCancelledBesideTheAnswer(t *testing.T) {
	t.Parallel()
	a := sitetest.NewAnswering(t)
	first, endFirst := context.WithCancel(t.Context())
	defer endFirst()
	second, endSecond := context.WithCancel(t.Context())
	defer endSecond()
	hang := make(chan struct{})
	defer close(hang)
	a.SQL("pg1", func(statement string) ([][]any, error) {
		switch statement {
		case "DELETE FROM t":
			endFirst()
		case "SELECT pg_sleep(3600)":
			endSecond()
			<-hang
		}
		return nil, nil
	})
	got, err := Query(first, a.Site, QueryOptions{SQL: "DELETE FROM t", Member: "m1", Write: true})
	if err != nil || got.ReadOnly {
		t.Errorf("a write that was done: %+v, %v", got, err)
	}
	start := time.Now()
	_, err = Query(second, a.Site, QueryOptions{SQL: "SELECT pg_sleep(3600)", Member: "m1"})
	if !errors.Is(err, context.Canceled) || time.Since(start) > 10*cancelWait {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	if _, err = Query(second, a.Site, QueryOptions{SQL: "SELECT 1", Member: "m1"}); err == nil {
		t.Error("a query began after the end of its context")
	}
}

// TestNamesInJSON: no two columns have one name, whatever the statement calls them.
func TestNamesInJSON(t *testing.T) {
	t.Parallel()
	for columns, want := range map[string]string{
		"a":                 "a",
		"a a":               "a a_2",
		"a a a_2":           "a a_3 a_2",
		"a_2 a a":           "a_2 a a_3",
		"a a a_2 a_2 a_3":   "a a_4 a_2 a_2_2 a_3",
		"?column? ?column?": "?column? ?column?_2",
	} {
		var q QueryResult
		var row []*string
		for name := range strings.FieldsSeq(columns) {
			q.Columns = append(q.Columns, QueryColumn{Name: name, Type: "text"})
			row = append(row, &name)
		}
		if got := strings.Join(q.keys(), " "); got != want {
			t.Errorf("%s: %s, want %s", columns, got, want)
		}
		q.Rows = [][]*string{row}
		text, err := json.Marshal(q)
		var back struct{ Rows []map[string]string }
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || len(back.Rows) != 1 || len(back.Rows[0]) != len(q.Columns) {
			t.Errorf("%s: %s, %v", columns, text, err)
		}
	}
}

// TestCopiesAreRefused however they are written, before any host is asked; what only looks like one
// is not.
func TestCopiesAreRefused(t *testing.T) {
	t.Parallel()
	for sql, refused := range map[string]bool{
		"COPY t FROM STDIN":                          true,
		"copy\nt to\n stdout with (format csv)":      true,
		"-- all\nCOPY t TO STDOUT":                   true,
		"/* all\nof it */ copy (select 1) to stdout": true,
		" \t\n/**/--\n/* */COPY t FROM STDIN":        true,
		"COPY t TO '/tmp/x'":                         false,
		"SELECT 'copy t to stdout'":                  false,
		"/* copy t to stdout */ SELECT 1":            false,
		"-- copy t to stdout\nSELECT 1":              false,
		"COPYING to stdout":                          false,
	} {
		if got := copies.MatchString(sql); got != refused {
			t.Errorf("%q: %v", sql, got)
		}
	}
}
