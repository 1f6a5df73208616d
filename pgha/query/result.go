package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// QueryColumn is one column of an answer.
type QueryColumn struct {
	Name string `json:"name"`
	// Type is PostgreSQL's name of the type, or its number for one that is not built in.
	Type string `json:"type"`
}

// QueryResult is the answer to a statement. Its JSON form has the rows as objects, in the columns'
// order: numbers as JSON numbers with every digit, booleans and JSON as themselves, NULL as null,
// everything else as PostgreSQL writes it.
type QueryResult struct {
	Member string
	// Role is what the member was at that moment: QueryLeader out of recovery, QueryReplica in it.
	Role    QueryRole
	Columns []QueryColumn
	// Rows hold the values as PostgreSQL writes them; nil is NULL.
	Rows [][]*string
	// Truncated says that there were more rows than MaxRows.
	Truncated bool
	// Command is the server's word for what was done, such as "SELECT 3".
	Command string
	// ReadOnly says that the statement ran in a READ ONLY transaction.
	ReadOnly bool
	Duration time.Duration
}

// read collects the answer.
func (q *QueryResult) read(types *pgtype.Map, reader *pgconn.ResultReader, most int) error {
	for reader.NextRow() {
		if most >= 0 && len(q.Rows) >= most {
			q.Truncated = true
			continue
		}
		row := make([]*string, len(reader.Values()))
		for i, value := range reader.Values() {
			if value != nil {
				text := string(value)
				row[i] = &text
			}
		}
		q.Rows = append(q.Rows, row)
	}
	for _, field := range reader.FieldDescriptions() {
		column := QueryColumn{Name: field.Name,
			Type: strconv.FormatUint(uint64(field.DataTypeOID), 10)}
		if known, ok := types.TypeForOID(field.DataTypeOID); ok {
			column.Type = known.Name
		}
		q.Columns = append(q.Columns, column)
	}
	tag, err := reader.Close()
	q.Command = tag.String()
	return err
}

// Numeric reports whether the column holds numbers.
func (c QueryColumn) Numeric() bool {
	return slices.Contains([]string{"int2", "int4", "int8", "oid", "numeric", "float4",
		"float8"}, c.Type)
}

// keys are the columns' names in JSON. One that several columns have gets a number from the second
// one on, which no other column has.
func (q QueryResult) keys() []string {
	taken := map[string]bool{}
	for _, column := range q.Columns {
		taken[column.Name] = true
	}
	names, seen := make([]string, len(q.Columns)), map[string]int{}
	for i, column := range q.Columns {
		names[i] = column.Name
		seen[column.Name]++
		for seen[column.Name] > 1 && taken[names[i]] {
			names[i] = fmt.Sprintf("%s_%d", column.Name, seen[column.Name])
			if taken[names[i]] {
				seen[column.Name]++
			}
		}
		taken[names[i]] = true
	}
	return names
}

// MarshalJSON writes the rows as objects. A name that several columns have gets a number from the
// second one on.
func (q QueryResult) MarshalJSON() ([]byte, error) {
	names := q.keys()
	rows := make([]json.RawMessage, 0, len(q.Rows))
	for _, row := range q.Rows {
		object, err := q.object(names, row)
		if err != nil {
			return nil, err
		}
		rows = append(rows, object)
	}
	return json.Marshal(struct {
		Member    string            `json:"member"`
		Role      QueryRole         `json:"role"`
		ReadOnly  bool              `json:"read_only"`
		Command   string            `json:"command"`
		Columns   []QueryColumn     `json:"columns"`
		Rows      []json.RawMessage `json:"rows"`
		Truncated bool              `json:"truncated"`
		Seconds   float64           `json:"duration_seconds"`
	}{q.Member, q.Role, q.ReadOnly, q.Command, append([]QueryColumn{}, q.Columns...), rows,
		q.Truncated,
		q.Duration.Seconds()})
}

func (q QueryResult) object(names []string, row []*string) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, value := range row {
		name, err := json.Marshal(names[i])
		if err != nil {
			return nil, err
		}
		encoded, err := q.Columns[i].encode(value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(encoded)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode writes one value. NaN and Infinity are numbers to PostgreSQL but not to JSON: they stay
// text.
func (c QueryColumn) encode(value *string) ([]byte, error) {
	switch {
	case value == nil:
		return []byte("null"), nil
	case c.Type == "bool" && (*value == "t" || *value == "f"):
		return strconv.AppendBool(nil, *value == "t"), nil
	case (c.Numeric() || c.Type == "json" || c.Type == "jsonb") && json.Valid([]byte(*value)):
		return []byte(*value), nil
	}
	return json.Marshal(*value)
}
