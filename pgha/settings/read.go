package settings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// autoConf is the file that ALTER SYSTEM writes. It is read last, so it wins over what Patroni
// writes.
const autoConf = "postgresql.auto.conf"

// memberConfig is all that one member says of its settings.
type memberConfig struct {
	name string
	// file is what its config.yml holds, wanted what apply would write there.
	file, wanted map[string]string
	// settings are by name in lower case; nil when PostgreSQL does not answer.
	settings pgsetting.Catalogue
	// altered is what ALTER SYSTEM has set, with effect or without.
	altered map[string]string
	// lines are the texts that are in effect, as they stand in a file; rejected the names
	// PostgreSQL does not take from one.
	lines    map[string]string
	rejected map[string]bool
	// pending are the settings that wait for a restart as Patroni knows it.
	pending []string
	err     error
}

// customSQL finds what pg_settings does not list: values for extensions that are not loaded.
const customSQL = `SELECT name, value FROM unnest($1::text[]) AS name, current_setting(name, true) AS value WHERE value IS NOT NULL`

const filesSQL = `SELECT name, coalesce(setting, ''), sourcefile, applied, error IS NOT NULL FROM pg_file_settings WHERE name IS NOT NULL ORDER BY seqno`

// readMember reads the member's config.yml and asks its PostgreSQL. What answers is kept although
// the rest fails.
func readMember(ctx context.Context, c *site.Site, m *memberConfig, t *remote.Target,
	custom []string) error {
	err := m.readFile(ctx, t)
	if errors.Is(err, remote.ErrUnreachable) {
		return err
	}
	route, routeErr := c.MemberRoute(m.name)
	if routeErr != nil {
		return errs.Join(err, routeErr)
	}
	for key := range m.file {
		if name, ok := strings.CutPrefix(key, configtree.Parameters); ok &&
			strings.Contains(name, ".") {
			custom = append(custom, name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*site.SqlTimeout)
	defer cancel()
	sqlErr := c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		return m.readSettings(ctx, conn, custom)
	})
	if sqlErr != nil {
		sqlErr = fmt.Errorf("ask PostgreSQL: %w", sqlErr)
	}
	return errs.Join(err, sqlErr)
}

func (m *memberConfig) readFile(ctx context.Context, t *remote.Target) error {
	file, err := t.Get(ctx, patroni.ConfigPath)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // nothing is lost: it was read
	text, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", patroni.ConfigPath, err)
	}
	m.file, err = parseFile(text)
	return err
}

// readSettings asks PostgreSQL what it uses and what stands in its files.
func (m *memberConfig) readSettings(ctx context.Context, conn *pgx.Conn, custom []string) error {
	rows, err := conn.Query(ctx, site.SettingsSQL)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pgsetting.Setting])
	if err != nil {
		return err
	}
	settings := pgsetting.Catalogue{}
	for _, s := range all {
		settings[strings.ToLower(s.Name)] = s
	}
	var name, value, file string
	if rows, err = conn.Query(ctx, customSQL, custom); err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		if _, known := settings[name]; !known {
			settings[name] = pgsetting.Setting{Name: name, Value: value, Shown: value,
				Type:    "string",
				Context: "user", Source: "configuration file"}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.altered, m.lines, m.rejected = map[string]string{}, map[string]string{}, map[string]bool{}
	if rows, err = conn.Query(ctx, filesSQL); err != nil {
		return err
	}
	var applied, failed bool
	_, err = pgx.ForEachRow(rows, []any{&name, &value, &file, &applied, &failed}, func() error {
		name := strings.ToLower(name)
		if path.Base(file) == autoConf {
			m.altered[name] = value
		}
		if applied && settings[name].SourceFile == file {
			m.lines[name] = value
		}
		if failed && settings[name].Context != "postmaster" {
			m.rejected[name] = true
		}
		return nil
	})
	m.settings = settings
	return err
}

// uses returns what PostgreSQL uses of a setting.
func (m memberConfig) uses(name string) (MemberSetting, pgsetting.Setting, bool) {
	s, known := m.settings[name]
	if !known {
		return MemberSetting{}, s, false
	}
	actual := configtree.HidePasswords(s.Shown)
	source := s.Source
	if s.SourceFile != "" {
		source += " " + path.Base(s.SourceFile)
	}
	return MemberSetting{Actual: &actual, Source: source, PendingRestart: m.waits(name, s)}, s, true
}

// waits reports whether a new value of the setting waits for a restart. PostgreSQL does not know of
// those that Patroni gives it on the command line.
func (m memberConfig) waits(name string, s pgsetting.Setting) bool {
	for _, pending := range m.pending {
		if strings.EqualFold(pending, name) {
			return true
		}
	}
	return s.PendingRestart
}

// configProblems returns the problems that err is made of.
func configProblems(err error) []patroni.ConfigProblem {
	var problems *patroni.ConfigError
	if errors.As(err, &problems) {
		return problems.Problems
	}
	return nil
}
