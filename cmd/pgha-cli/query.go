package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

func queryCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "query", Usage: "run one SQL statement on a member, through SSH", ArgsUsage: "SQL",
		Description: "Connects to the member itself, from its own host, as superuser: it needs " +
			"neither balancer nor virtual\n" +
			"IP. SQL of - is read from standard input. Ctrl-C cancels the statement on the " +
			"server.\n\n" +
			"The statement runs in a READ ONLY transaction unless --write is given. That guards " +
			"against slips, not against\n" +
			"intent: functions such as pg_terminate_backend act in it, too.\n\n" +
			"   pgha-cli query 'SELECT * FROM pg_stat_replication'\n" +
			"   pgha-cli query --member postgresql-02 'SHOW work_mem'\n" +
			"   pgha-cli query --write 'VACUUM'",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "member", Usage: "the `MEMBER` to ask"},
			&cli.StringFlag{Name: "role", DefaultText: "leader",
				Usage: "the `ROLE` to ask: leader, replica (the one least behind) or any"},
			&cli.StringFlag{Name: "database", Aliases: []string{"d"}, DefaultText: "postgres",
				Usage: "the `DATABASE` to ask"},
			&cli.BoolFlag{Name: "write", DisableDefaultText: true,
				Usage: "let the statement change things; it runs on its own, outside a transaction"},
			numberFlag("max-rows", 0, "10000", "keep at most this `NUMBER` of rows; -1 keeps all"),
			&cli.DurationFlag{Name: "timeout", DefaultText: "no limit",
				Usage: "give up after this `TIME`, such as 90s"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			sql, err := statement(c)
			if err != nil {
				return err
			}
			opts := lookOptions()
			if c.Bool("write") {
				opts = changeOptions()
			}
			return withCluster(c, out, opts, func(ctx context.Context, cl *pgha.Cluster) error {
				result, err := cl.Query(ctx, pgha.QueryOptions{SQL: sql, Member: c.String("member"),
					Role: pgha.QueryRole(c.String("role")), Database: c.String("database"),
					Write: c.Bool("write"), MaxRows: c.Int("max-rows")})
				if err != nil {
					return explainQuery(out, result, err)
				}
				if result.Truncated {
					out.Notef("%s only the first %d rows are shown; --max-rows shows more\n",
						out.Paint(terminal.Yellow, "!"), len(result.Rows))
				}
				if wantsJSON(c) {
					return out.JSON(result)
				}
				printRows(out, result)
				return nil
			})
		},
	}
}

// statement returns the SQL that was given, or that standard input holds.
func statement(c *cli.Context) (string, error) {
	if c.String("member") != "" && c.String("role") != "" {
		return "", usagef("--member and --role both say which members to ask: give one of them")
	}
	sql, err := oneArgument(c, "SQL statement, in quotes")
	if err != nil || sql != "-" {
		return sql, err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return "", fmt.Errorf("read the statement from standard input: %w", err)
	}
	return string(text), nil
}

// explainQuery shows where in the statement PostgreSQL stumbled, and what of this command may help.
func explainQuery(out *terminal.Terminal, result pgha.QueryResult, err error) error {
	var refused *pgha.QueryError
	if !errors.As(err, &refused) {
		return err
	}
	if line, number, column := refused.Excerpt(); line != "" {
		prefix := fmt.Sprintf("LINE %d: ", number)
		out.Notef("%s%s\n%s^\n", prefix, printable(line), strings.Repeat(" ", len(prefix)+column-1))
	}
	if refused.Detail != "" {
		out.Notef("DETAIL: %s\n", printable(refused.Detail))
	}
	const readOnly, insideTransaction = "25006", "25001"
	switch {
	case refused.Code == readOnly && result.Role == pgha.QueryReplica:
		return withHint(err, "%s is a replica, which only reads: ask the leader, with --write",
			result.Member)
	case result.ReadOnly && (refused.Code == readOnly || refused.Code == insideTransaction):
		return withHint(err, "it was run in a READ ONLY transaction: add --write")
	}
	return err
}

// printRows prints an aligned table: numbers to the right, NULL apart from the text "NULL" on a
// terminal.
func printRows(out *terminal.Terminal, q pgha.QueryResult) {
	if len(q.Columns) == 0 {
		out.Printf("%s\n", q.Command)
		return
	}
	cells := make([][]string, len(q.Rows))
	widths := make([]int, len(q.Columns))
	for i, column := range q.Columns {
		widths[i] = utf8.RuneCountInString(printable(column.Name))
	}
	for r, row := range q.Rows {
		cells[r] = make([]string, len(row))
		for i, value := range row {
			cells[r][i] = "NULL"
			if value != nil {
				cells[r][i] = printable(*value)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cells[r][i]))
		}
	}
	var header, rule []string
	for i, column := range q.Columns {
		header = append(header, align(printable(column.Name), widths[i], column.Numeric()))
		rule = append(rule, strings.Repeat("-", widths[i]))
	}
	out.Printf("%s\n%s\n", strings.TrimRight(strings.Join(header, "  "), " "),
		strings.Join(rule, "  "))
	for r, row := range cells {
		line := make([]string, len(row))
		for i, text := range row {
			line[i] = align(text, widths[i], q.Columns[i].Numeric())
			if q.Rows[r][i] == nil {
				line[i] = out.Paint(terminal.Dim, line[i])
			}
		}
		out.Printf("%s\n", strings.TrimRight(strings.Join(line, "  "), " "))
	}
	out.Notef("%s\n",
		out.Paint(terminal.Dim, fmt.Sprintf("%s, %s (%s), %s", q.Command, q.Member, q.Role,
			seconds(q.Duration))))
}

func align(text string, width int, right bool) string {
	pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if right {
		return pad + text
	}
	return text + pad
}

// printable makes line breaks and whatever else would move the cursor visible.
func printable(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\x%02x`, r)
		}
	}
	return b.String()
}
