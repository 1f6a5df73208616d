package leader

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/internal/pgsession"
	"github.com/pgha/toolkit/pgha/contents"
	"github.com/pgha/toolkit/pgha/internal/scram"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// with opens a session with a database of a member, from its own host, and closes it after f.
func with(ctx context.Context, c *site.Site, member, database string,
	f func(*pgx.Conn) error) error {
	route, err := c.MemberRoute(member)
	if err != nil {
		return err
	}
	cfg, err := c.SqlConfig(route)
	if err != nil {
		return err
	}
	cfg.Database = database
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost by it
	return f(conn)
}

// Do takes one step on the member that leads. The password is that of the step's role, of which the
// server gets a verifier alone. It is done whole or not at all.
func Do(ctx context.Context, c *site.Site, member string, step contents.Step,
	password pki.Secret) error {
	database := step.Database
	if database == "" {
		database = "postgres"
	}
	statements := step.SQL
	if step.SetsPassword {
		verifier, err := scram.New(password)
		if err != nil {
			return err
		}
		statements = append(statements[:len(statements):len(statements)],
			contents.PasswordSQL(step.Name, string(verifier.Reveal())))
	}
	err := with(ctx, c, member, database, func(conn *pgx.Conn) error {
		if _, err := conn.PgConn().Exec(ctx, pgsession.Quiet).ReadAll(); err != nil {
			return err
		}
		if step.Alone {
			_, err := conn.Exec(ctx, statements[0], pgx.QueryExecModeSimpleProtocol)
			return err
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, statement := range statements {
				if _, err := tx.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return explained(fmt.Errorf("%s %s on %s: %w", step.Kind, step.Name, member, bare(err)), err)
	}
	return nil
}

// bare is PostgreSQL's error without what it may quote of a statement.
func bare(err error) error {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	text := refused.Message
	if refused.Detail != "" {
		text += "; " + refused.Detail
	}
	return fmt.Errorf("PostgreSQL refuses: %s (SQLSTATE %s)", text, refused.Code)
}

// explained adds PostgreSQL's own hint.
func explained(err, cause error) error {
	var refused *pgconn.PgError
	if errors.As(cause, &refused) && refused.Hint != "" {
		return remote.WithHint(err, refused.Hint)
	}
	return err
}
