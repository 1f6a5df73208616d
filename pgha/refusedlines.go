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
	"github.com/pgha/toolkit/internal/pgfiles"
	"github.com/pgha/toolkit/pgha/remote"
)

// refusedLines asks the PostgreSQL of a host, on its socket, what it refuses.
func (c *Cluster) refusedLines(ctx context.Context, t *remote.Target) ([]string, error) {
	res, err := t.Run(ctx, remote.Cmd{User: "postgres", Argv: c.psql("-c", pgfiles.RefusedSQL(c.Spec.PostgreSQL.Version))})
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

// refusedAtLast is the last look of an apply: at the members that preflight's look a moment ago does not answer for.
func (r *job) refusedAtLast(ctx context.Context) error {
	r.mu.Lock()
	members := membersToAsk(r.Spec, r.facts, len(r.out.changed()) > 0)
	r.mu.Unlock()
	if len(members) == 0 {
		return nil
	}
	return r.refusedAfter(ctx, members...)
}

// membersToAsk are all members where something was changed, and else those that refused something before, or did not say.
func membersToAsk(sp *Spec, facts map[string]Facts, changed bool) []string {
	var members []string
	for _, h := range sp.Databases() {
		if told := facts[h.Name].Running.Refused; changed || told == nil || len(told) > 0 {
			members = append(members, h.Member)
		}
	}
	return members
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
