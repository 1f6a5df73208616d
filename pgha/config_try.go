package pgha

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/trial"
)

// trySettings asks the PostgreSQL of a member, in a session, whether it takes the values, and returns its complaints by name.
func (c *Cluster) trySettings(ctx context.Context, member string, catalogue pgsetting.Catalogue, values map[string]string) (map[string]string, error) {
	route, err := c.memberRoute(member)
	if err != nil {
		return nil, err
	}
	refused := map[string]string{}
	err = c.withSQL(ctx, route, func(conn *pgx.Conn) error { return trySession(ctx, conn, catalogue, values, refused) })
	if err != nil {
		return nil, fmt.Errorf("ask PostgreSQL on %s whether it takes the values: %w", member, err)
	}
	return refused, nil
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

// hosts adds what speaks against the values on the hosts: a server is tried on each whose PostgreSQL answers.
func (j *configJudge) hosts(ctx context.Context, values map[string]string) error {
	var list []tryOut
	for _, m := range j.members {
		if m.settings == nil {
			continue
		}
		h, err := j.cluster.memberHost(m.name)
		if err != nil {
			return err
		}
		t, err := j.cluster.lenientTarget(h.Name)
		if err != nil {
			return err
		}
		s := trial.Server{Version: j.cluster.Spec.PostgreSQL.Version, DataDir: m.settings["data_directory"].Value, Settings: maps.Clone(values)}
		for name, value := range j.settings {
			if value == nil {
				s.Removed = append(s.Removed, name)
			}
		}
		list = append(list, tryOut{target: t, server: s})
	}
	err := parallel.Each(list, func(i int, t tryOut) error {
		res, err := t.target.Batch(ctx, trial.PresentQuestion(t.server.DataDir))
		if err != nil {
			return err
		}
		present := trial.ReadPresent(string(res[0].Stdout))
		list[i].present, list[i].server.Rules, list[i].server.Ident = present, present.Rules, present.Ident
		list[i].run(ctx)
		return nil
	})
	for _, f := range j.cluster.trialFindings(list) {
		switch key := strings.TrimPrefix(f.Field, "patroni.extra."); {
		case f.Warning:
			j.notes = append(j.notes, f.Host+": "+f.Problem)
		case !j.told(key):
			j.problem(key, strings.TrimPrefix(f.Problem, f.Field+" "), f.Remedy)
		}
	}
	return err
}
