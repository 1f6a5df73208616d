package pgha

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/pgsetting"
)

// setting is one row of pg_settings.
type setting = pgsetting.Setting

// meaning asks PostgreSQL for its settings, and returns what tells whether two texts are the same value of one.
func (c *Cluster) meaning(ctx context.Context) (func(name, a, b string) bool, error) {
	var all []setting
	err := c.withSQL(ctx, c.writeRoute(), func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, settingsSQL)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[setting])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	byName := map[string]setting{}
	for _, s := range all {
		byName[strings.ToLower(s.Name)] = s
	}
	return func(name, a, b string) bool { return byName[strings.ToLower(name)].Same(a, b) }, nil
}
