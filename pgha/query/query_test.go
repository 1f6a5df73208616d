package query

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

func TestQueryResultJSON(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	result := QueryResult{
		Columns: []QueryColumn{
			{"z", "int8"}, {"n", "numeric"}, {"z", "text"}, {"b", "bool"}, {"j", "jsonb"},
			{"f", "float8"},
			{"z", "16400"},
		},
		Rows: [][]*string{
			{text("9007199254740993"), text("1.50"), text("12"), text("t"), text(`{"k": [1]}`),
				text("1e+20"), nil},
			{nil, text("NaN"), text("a\"\n<b>"), text("f"), nil, text("-Infinity"), text("x")},
		},
	}
	encoded, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Rows []json.RawMessage }
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"z":9007199254740993,"n":1.50,"z_2":"12","b":true,"j":{"k":[1]},"f":1e+20,"z_3":null}`,
		`{"z":null,"n":"NaN","z_2":"a\"\n\u003cb\u003e","b":false,"j":null,"f":"-Infinity","z_3":"x"}`,
	}
	for i, row := range got.Rows {
		if diff := cmp.Diff(want[i], string(row)); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestQueryError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sql            string
		position       int32
		line           string
		number, column int
	}{
		"first line":             {"SELECT x", 8, "SELECT x", 1, 8},
		"second line":            {"SELECT\n  zwölf,\n x", 10, "  zwölf,", 2, 3},
		"characters, not bytes":  {"SELECT 'ä', x", 13, "SELECT 'ä', x", 1, 13},
		"behind the end":         {"SELECT 1 +", 11, "SELECT 1 +", 1, 11},
		"no position":            {"SELECT 1/0", 0, "", 0, 0},
		"position out of bounds": {"SELECT", 70, "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := queryError("m1", test.sql, &pgconn.PgError{
				Severity: "ERROR", Code: "42703", Message: "no", Hint: "look",
				Position: test.position,
			})
			var refused *QueryError
			if !errors.As(err, &refused) || err.Error() != "m1: ERROR: no (SQLSTATE 42703)" ||
				remote.Hint(err) != "look" {
				t.Fatalf("error %v with hint %q", err, remote.Hint(err))
			}
			line, number, column := refused.Excerpt()
			if line != test.line || number != test.number || column != test.column {
				t.Errorf("got %q, line %d, column %d", line, number, column)
			}
		})
	}
	several := &pgconn.PgError{Code: "42601", Routine: "exec_parse_message"}
	if err := queryError("m1", "SELECT 1; SELECT 2", several); errs.KindOf(err) != errs.Refused {
		t.Errorf("two statements: %v", err)
	}
	if err := queryError("m1", "SELEC", &pgconn.PgError{
		Code: "42601", Routine: "scanner_yyerror",
	}); errors.Is(err, patroni.ErrInvalid) {
		t.Errorf("a syntax error is PostgreSQL's: %v", err)
	}
}

func TestQueryRefusals(t *testing.T) {
	t.Parallel()
	c := &site.Site{Spec: &spec.Spec{}}
	for name, opts := range map[string]QueryOptions{
		"nothing":        {SQL: " \n"},
		"copy out":       {SQL: "copy (SELECT 1)\nTO STDOUT (format csv)"},
		"copy in":        {SQL: "COPY t FROM stdin", Write: true},
		"unknown member": {SQL: "SELECT 1", Member: "nobody"},
		"unknown role":   {SQL: "SELECT 1", Role: "primary"},
	} {
		if _, err := Query(t.Context(), c, opts); errs.KindOf(err) != errs.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
