package pgha

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/remote"
)

// tryScript gives PostgreSQL's own program a configuration file, which it reads, complains of, and ends: -C only prints a
// setting. No server is started, and the one that runs does not notice.
const tryScript = `umask 077
file=$(mktemp) || exit 3
trap 'rm -f "$file"' EXIT
cat >"$file"
"$1" -D "$2" -C config_file -c "config_file=$file" 2>&1`

// trySettings asks the PostgreSQL of a member whether it takes the values, and returns its complaints by name.
func (c *Cluster) trySettings(ctx context.Context, member string, catalogue pgsetting.Catalogue, values map[string]string) (map[string]string, error) {
	route, err := c.memberRoute(member)
	if err != nil {
		return nil, err
	}
	refused := map[string]string{}
	err = c.withSQL(ctx, route, func(conn *pgx.Conn) error {
		var programs string
		if err := conn.QueryRow(ctx, "SELECT setting FROM pg_config() WHERE name = 'BINDIR'").Scan(&programs); err != nil {
			return err
		}
		output, err := tryFile(ctx, route.from, path.Join(programs, "postgres"), catalogue["data_directory"].Value, values)
		if err != nil {
			return err
		}
		maps.Copy(refused, complaints(output, values))
		return trySession(ctx, conn, catalogue, values, refused)
	})
	if err != nil {
		return nil, fmt.Errorf("ask PostgreSQL on %s whether it takes the values: %w", member, err)
	}
	return refused, nil
}

// tryFile runs the program and returns what it says. A complaint is no error.
func tryFile(ctx context.Context, t *remote.Target, program, data string, values map[string]string) (string, error) {
	var file strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&file, "%s = '%s'\n", name, strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(values[name]))
	}
	res, err := t.Run(ctx, remote.Cmd{Argv: []string{"sh", "-c", tryScript, "sh", program, data}, Stdin: strings.NewReader(file.String()),
		Env: []string{"LC_ALL=C"}, User: "postgres"})
	if exit := new(remote.ExitError); errors.As(err, &exit) && exit.Code == 1 {
		err = nil
	}
	return string(res.Stdout), err
}

// complaint finds PostgreSQL's message in a line of its log, behind a prefix that the file may have changed.
var complaint = regexp.MustCompile(`(LOG|FATAL|HINT|DETAIL):  (.*)`)

// complaints sorts the messages by the setting that they name.
func complaints(output string, values map[string]string) map[string]string {
	found := map[string]string{}
	last := ""
	for line := range strings.Lines(output) {
		m := complaint.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		message := strings.TrimSpace(m[2])
		if m[1] == "HINT" || m[1] == "DETAIL" {
			if last != "" {
				found[last] += "; " + message
			}
			continue
		}
		last = ""
		for name := range values {
			if strings.Contains(strings.ToLower(message), `"`+name+`"`) {
				last, found[name] = name, message
			}
		}
	}
	return found
}

// trySession sets in a transaction that is rolled back what a session may set: that looks into the database as well, and
// knows the extensions that are loaded.
func trySession(ctx context.Context, conn *pgx.Conn, catalogue pgsetting.Catalogue, values, refused map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		s, known := catalogue[name]
		if _, told := refused[name]; told || known && s.Context != "user" && s.Context != "superuser" {
			continue
		}
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		if err != nil {
			return err
		}
		_, setErr := tx.Exec(ctx, "SELECT set_config($1, $2, true)", name, values[name])
		if err := tx.Rollback(ctx); err != nil {
			return err
		}
		var no *pgconn.PgError
		switch {
		case errors.As(setErr, &no):
			refused[name] = no.Message
			if no.Detail != "" {
				refused[name] += "; " + no.Detail
			}
		case setErr != nil:
			return setErr
		}
	}
	return nil
}

// libraries are the settings that name files to load: PostgreSQL does not start, or lets nobody in, when one is missing.
var libraries = []string{"shared_preload_libraries", "session_preload_libraries", "local_preload_libraries"}

const missingSQL = `SELECT library FROM unnest($1::text[]) AS library, (SELECT setting FROM pg_config() WHERE name = 'PKGLIBDIR') AS dir
WHERE pg_stat_file(CASE WHEN library LIKE '%/%' THEN replace(library, '$libdir', dir.setting) ELSE dir.setting || '/' || library END
	|| CASE WHEN library LIKE '%.so' THEN '' ELSE '.so' END, true) IS NULL`

// hosts adds what the members' hosts lack for the values: a library, or memory.
func (j *configJudge) hosts(ctx context.Context, values map[string]string) error {
	buffers, sized := values["shared_buffers"]
	wanted := map[string]string{}
	for _, name := range libraries {
		for library := range strings.SplitSeq(values[name], ",") {
			if library = strings.Trim(library, ` "`); library != "" {
				wanted[library] = name
			}
		}
	}
	if !sized && len(wanted) == 0 {
		return nil
	}
	for _, m := range j.members {
		if m.settings == nil {
			continue
		}
		route, err := j.cluster.memberRoute(m.name)
		if err != nil {
			return err
		}
		err = j.cluster.withSQL(ctx, route, func(conn *pgx.Conn) error {
			if err := j.lacking(ctx, conn, m.name, wanted); err != nil || !sized {
				return err
			}
			return j.memory(ctx, conn, m, buffers)
		})
		if err != nil {
			return fmt.Errorf("ask PostgreSQL on %s what its host has: %w", m.name, err)
		}
	}
	return nil
}

// lacking looks for the files of libraries, which are given with the setting that names each.
func (j *configJudge) lacking(ctx context.Context, conn *pgx.Conn, member string, wanted map[string]string) error {
	rows, err := conn.Query(ctx, missingSQL, slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return err
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, library := range missing {
		effect := "would let nobody in"
		if wanted[library] == "shared_preload_libraries" {
			effect = "would not start"
		}
		j.problem(parameters+wanted[library], fmt.Sprintf("%s has no library %s, and %s", member, library, effect), "install it on every database host first")
	}
	return err
}

var memTotal = regexp.MustCompile(`MemTotal:\s+(\d+) kB`)

func (j *configJudge) memory(ctx context.Context, conn *pgx.Conn, m memberConfig, buffers string) error {
	var meminfo string
	if err := conn.QueryRow(ctx, "SELECT pg_read_file('/proc/meminfo')").Scan(&meminfo); err != nil {
		return err
	}
	found := memTotal.FindStringSubmatch(meminfo)
	if found == nil {
		return nil
	}
	total, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return nil
	}
	s := m.settings["shared_buffers"]
	_, page := pgsetting.Family(s.Unit)
	if n, err := s.Number(buffers); err == nil && n*page > total*1024 {
		j.problem(parameters+"shared_buffers", fmt.Sprintf("%s is more than the memory of %s's host, %.0fMB: PostgreSQL would not start", buffers, m.name, total/1024), "give at most a quarter of it")
	}
	return nil
}
