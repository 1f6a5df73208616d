package pgha

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// resetFile lies on every database host from the moment a reset begins to change until the new cluster is there: who began
// it, and when. What a killed reset leaves is told by it.
const resetFile = "/var/lib/pgha/reset"

// markScript writes standard input to the file $1, or with nothing to read removes it.
const markScript = `umask 022
line=$(cat)
if [ -z "$line" ]; then
	rm -f "$1"
else
	mkdir -p "${1%/*}" && printf '%s\n' "$line" >"$1"
fi`

// lookAtReset prints the mark, and nothing while the one who left it still works: he holds the hosts' lock.
var lookAtReset = []string{"sh", "-c", `[ -s "$1" ] && flock -n "$2" true && cat "$1"`, "look", resetFile, hostLock}

// UnfinishedReset says what an interrupted reset's mark on a host means, or "" where there is none.
func UnfinishedReset(mark string) string {
	mark = strings.TrimSpace(mark)
	if mark == "" {
		return ""
	}
	return "a reset was begun by " + mark + " and not finished: some of the data may be gone; run pgha-cli reset again"
}

// mark says on all database hosts that a reset has begun.
func (r *job) markReset(ctx context.Context) error {
	return r.writeResetMark(ctx, fmt.Sprintf("%s at %s", whoAmI(), time.Now().Format(time.RFC3339)))
}

// unmarkReset says that it is over.
func (r *job) unmarkReset(ctx context.Context) error { return r.writeResetMark(ctx, "") }

func (r *job) writeResetMark(ctx context.Context, text string) error {
	targets, err := r.databases()
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Run(ctx, remote.Cmd{Argv: []string{"sh", "-c", markScript, "mark", resetFile}, Stdin: strings.NewReader(text), Mutating: true})
		return err
	})
}

// resetStatus asks the database hosts for the mark.
func (c *Cluster) resetStatus(ctx context.Context, s *Status) error {
	var mu sync.Mutex
	return remote.Each(ctx, c.Targets(), func(ctx context.Context, t *remote.Target) error {
		if h, err := c.Spec.Host(t.Name); err != nil || h.Role != spec.RoleDatabase {
			return err
		}
		res, err := t.Batch(ctx, lookAtReset)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if text := UnfinishedReset(string(res[0].Stdout)); text != "" {
			s.UnfinishedReset = text
		}
		return nil
	})
}
