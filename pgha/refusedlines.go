package pgha

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/remote"
)

// RefusedSQL is a query for what a running PostgreSQL of the major version, 14 or later, does not
// take of the files that it reads: one JSON list of texts that name file and line. It keeps what it
// read before, and the next start finds out. Settings that wait for a restart are not among them:
// one that was taken out of the files has an error without file, line and name, as those of recovery
// have on a member that was promoted (PostgreSQL 18.6).
func RefusedSQL(version int) string {
	const settings = `SELECT format('%s line %s: %s%s', f.sourcefile, f.sourceline, f.name || ': ', f.error) FROM pg_file_settings f
	LEFT JOIN pg_settings s ON lower(s.name) = lower(f.name) WHERE f.error IS NOT NULL AND f.sourcefile IS NOT NULL
	AND NOT coalesce(s.pending_restart, false)`
	const rules = ` UNION ALL SELECT format('line %s of pg_hba.conf: %s', line_number, error) FROM pg_hba_file_rules WHERE error IS NOT NULL`
	const mappings = ` UNION ALL SELECT format('line %s of pg_ident.conf: %s', line_number, error) FROM pg_ident_file_mappings WHERE error IS NOT NULL`
	query := settings + rules
	if version >= 15 {
		query += mappings
	}
	return `SELECT coalesce(json_agg(text), '[]') FROM (` + query + `) AS refused (text)`
}

// refusedLines asks the PostgreSQL of a host, on its socket, what it refuses.
func (c *Cluster) refusedLines(ctx context.Context, t *remote.Target) ([]string, error) {
	res, err := t.Run(ctx, remote.Cmd{User: "postgres", Argv: c.psql("-c", RefusedSQL(c.Spec.PostgreSQL.Version))})
	if err != nil {
		return nil, err
	}
	var lines []string
	if err := json.Unmarshal(res.Stdout, &lines); err != nil {
		return nil, fmt.Errorf("read what PostgreSQL refuses: %w", err)
	}
	return lines, nil
}

// errLines: PostgreSQL refuses lines of its files.
var errLines = errors.New("PostgreSQL does not take what stands in its files, and keeps what it read before")

// checkRefusedLines is the look of verify, and the last one of apply.
func checkRefusedLines(ctx context.Context, c *Cluster) (string, error) {
	databases, err := c.databases()
	if err != nil {
		return "", err
	}
	err = remote.Each(ctx, databases, func(ctx context.Context, t *remote.Target) error {
		lines, err := c.refusedLines(ctx, t)
		if len(lines) > 0 {
			err = remote.WithHint(fmt.Errorf("%w: %w", errLines, reasons(lines)),
				"put right what the line says: the specification (pgha-cli apply), pgha-cli config set, or ALTER SYSTEM RESET for postgresql.auto.conf")
		}
		return err
	})
	return "postgresql.conf, pg_hba.conf and pg_ident.conf, line by line", err
}

// refusedWithin is how long PostgreSQL's files may take to follow a change before what they hold counts.
const refusedWithin = 3 * time.Second

// refusedAfter asks the named members, or all, what they refuse after a change of theirs. A member that does not answer is
// left out; one that refuses something is asked again within refusedWithin, because Patroni may be about to write anew.
func (c *Cluster) refusedAfter(ctx context.Context, members ...string) error {
	bounded, cancel := context.WithTimeout(ctx, refusedWithin)
	defer cancel()
	var mu sync.Mutex
	var found []error
	var wg sync.WaitGroup
	for _, h := range c.Spec.Databases() {
		t, err := c.Target(h.Name)
		if err != nil || len(members) > 0 && !slices.Contains(members, h.Member) {
			continue
		}
		wg.Go(func() {
			lines := c.lastRefused(bounded, t)
			if len(lines) == 0 {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			found = append(found, remote.OnHost(h.Name, fmt.Errorf("%w: %w", errLines, reasons(lines))))
		})
	}
	wg.Wait()
	if ctx.Err() != nil || len(found) == 0 {
		return ctx.Err()
	}
	return remote.WithHint(errlist.Join(found...), "pgha-cli config show tells what is used instead")
}

// lastRefused asks until nothing is refused, or the time is over.
func (c *Cluster) lastRefused(ctx context.Context, t *remote.Target) (last []string) {
	for {
		lines, err := c.refusedLines(ctx, t)
		switch {
		case err != nil:
			return last
		case len(lines) == 0:
			return nil
		}
		last = lines
		select {
		case <-ctx.Done():
			return last
		case <-time.After(300 * time.Millisecond):
		}
	}
}
