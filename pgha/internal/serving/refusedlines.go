package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/pgfiles"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// RefusedLines asks the PostgreSQL of a host, on its socket, what it refuses.
func RefusedLines(ctx context.Context, c *site.Site, t *remote.Target) ([]string, error) {
	res, err := t.Run(ctx,
		remote.Cmd{User: "postgres", Argv: c.Psql("-c",
			pgfiles.RefusedSQL(c.Spec.PostgreSQL.Version))})
	if err != nil {
		return nil, err
	}
	var lines []string
	if err := json.Unmarshal(res.Stdout, &lines); err != nil {
		return nil, fmt.Errorf("read what PostgreSQL refuses: %w", err)
	}
	return lines, nil
}

// ErrLines: PostgreSQL refuses lines of its files.
var ErrLines = errs.New(errs.Unhealthy,
	"PostgreSQL does not take what stands in its files, and keeps what it read before")

// refusedWithin is how long PostgreSQL's files may take to follow a change before what they hold
// counts.
const refusedWithin = 3 * time.Second

// RefusedAfter asks the named members, or all, what they refuse after a change of theirs. A member
// that does not answer is left out; one that refuses something is asked again within refusedWithin,
// because Patroni may be about to write them again.
func RefusedAfter(ctx context.Context, c *site.Site, members ...string) error {
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
			lines := lastRefused(bounded, c, t)
			if len(lines) == 0 {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			found = append(found, remote.OnHost(h.Name,
				fmt.Errorf("%w: %w", ErrLines, errs.Reasons(lines))))
		})
	}
	wg.Wait()
	if ctx.Err() != nil || len(found) == 0 {
		return ctx.Err()
	}
	return errs.WithNext(errs.Join(found...),
		errs.Text("%s tells what is used instead", errs.Verb("config", "show")))
}

// RefusedAtLast is the last look of an apply: at the members that preflight's look a moment ago
// does not answer for.
func RefusedAtLast(ctx context.Context, r *job.Job) error {
	r.Mu.Lock()
	members := membersToAsk(r.Spec, r.Facts, len(r.Out.Changed()) > 0)
	r.Mu.Unlock()
	if len(members) == 0 {
		return nil
	}
	return RefusedAfter(ctx, r.Site, members...)
}

// membersToAsk are all members where something was changed, and else those that refused something
// before, or did not say.
func membersToAsk(sp *spec.Spec, facts map[string]preflight.Facts, changed bool) []string {
	var members []string
	for _, h := range sp.Databases() {
		if told := facts[h.Name].Running.Refused; changed || told == nil || len(told) > 0 {
			members = append(members, h.Member)
		}
	}
	return members
}

// lastRefused polls until nothing is refused or ctx ends, and returns what was refused last.
func lastRefused(ctx context.Context, c *site.Site, t *remote.Target) (last []string) {
	_ = poll.Until(ctx, poll.Options{What: "no refused line", Every: 300 * time.Millisecond},
		func(ctx context.Context) (string, error) {
			lines, err := RefusedLines(ctx, c, t)
			if err != nil {
				return "", poll.Stop(err)
			}
			last = lines
			return strings.Join(lines, "; "), nil
		})
	return last
}
