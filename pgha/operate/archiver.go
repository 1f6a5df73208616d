package operate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/remote"
)

// archiverCommand prints the WAL segment that the archiver of a host has in hand: its process says
// so in its title, also while PostgreSQL is shutting down and answers nobody.
const archiverCommand = `ps -eo args= | sed -n 's/^postgres: .*archiver archiving //p' | head -n 1`

// aboutArchiver adds to a timeout that a member's PostgreSQL waits for its archiver, where it does.
// A server that stops archives everything first, and Patroni kills it for that only in synchronous
// mode, after primary_stop_timeout.
func aboutArchiver(ctx context.Context, r *job.Job, member string, err error) error {
	h, specErr := r.MemberHost(member)
	if err == nil || specErr != nil {
		return err
	}
	t, targetErr := r.Target(h.Name)
	if targetErr != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	segment, lookErr := t.Output(ctx, "sh", "-c", archiverCommand)
	if segment = strings.TrimSpace(segment); lookErr != nil || segment == "" {
		return err
	}
	return remote.WithHint(fmt.Errorf("%w; PostgreSQL on %s waits for its archiver, which has %s "+
		"in hand",
		err, h.Name, segment),
		"it comes back by itself once archive_command has ended there; the other members go on "+
			"meanwhile")
}
