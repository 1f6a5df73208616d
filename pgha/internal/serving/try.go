package serving

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/internal/site"
)

// TrySettings asks the PostgreSQL of a member, in a session, whether it takes the values, and
// returns its complaints by name.
func TrySettings(ctx context.Context, c *site.Site, member string, catalogue pgsetting.Catalogue,
	values map[string]string) (map[string]string, error) {
	route, err := c.MemberRoute(member)
	if err != nil {
		return nil, err
	}
	refused := map[string]string{}
	err = c.WithSQL(ctx, route, func(conn *pgx.Conn) error {
		return trySession(ctx, conn, catalogue, values, refused)
	})
	if err != nil {
		return nil, fmt.Errorf("ask PostgreSQL on %s whether it takes the values: %w", member, err)
	}
	return refused, nil
}

// trySession sets in a transaction that is rolled back what a session may set: that looks into the
// database as well, and knows the extensions that are loaded.
func trySession(ctx context.Context, conn *pgx.Conn, catalogue pgsetting.Catalogue,
	values, refused map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		s, known := catalogue[name]
		if _, told := refused[name]; told || known && s.Context != "user" &&
			s.Context != "superuser" {
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
