package backup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// ArchiveAll brings the log to the archive that the leader, on t, has written until now, and waits
// until it is there. Before that it writes the row that is written each minute: a recovery ends at
// a moment only where a later commit is archived. Safe to repeat.
func ArchiveAll(ctx context.Context, o Options, t *remote.Target) error {
	o = o.WithDefaults()
	if t.Planning() {
		return nil
	}
	if _, err := t.Run(ctx, remote.Cmd{Argv: []string{"systemctl", "start",
		canaryUnit + ".service"}}); err != nil {
		return fmt.Errorf("write the time into a row: %w", remote.OnHost(t.Name, err))
	}
	last, err := o.ask(ctx, t, "SELECT pg_walfile_name(pg_switch_wal())")
	if err != nil {
		return fmt.Errorf("close the segment of the log: %w", err)
	}
	if _, _, ok := place(last); !ok { // everything would count as behind it
		return remote.OnHost(t.Name, fmt.Errorf("close the segment of the log: %q is none", last))
	}
	return poll.Until(ctx, poll.Options{What: "segment " + last + " in the archive", Bound: o.Wait,
		Every: 500 * time.Millisecond, Progress: o.Progress,
		Next: errs.Text("%s says why it does not come; without it what was written last would be lost",
			errs.Verb("backup", "check"))}, func(ctx context.Context) (string, error) {
		there, err := o.ask(ctx, t, "SELECT coalesce(last_archived_wal, '') COLLATE \"C\" >= '"+
			last+"' FROM pg_stat_archiver")
		if err != nil || there == "t" {
			return "", err
		}
		return "waiting for the archive", nil
	})
}

// ask runs a statement on the host's own server, as PostgreSQL's system user.
func (o Options) ask(ctx context.Context, t *remote.Target, statement string) (string, error) {
	res, err := t.Run(ctx, remote.Cmd{User: systemUser, Timeout: lookTimeout,
		Argv: append(o.psql(), "-Atc", statement)})
	return strings.TrimSpace(string(res.Stdout)), remote.OnHost(t.Name, err)
}
