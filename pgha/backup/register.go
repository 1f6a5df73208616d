package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// ErrForeign: the repository belongs to another cluster.
var ErrForeign = errs.New(errs.Refused, "the repository is another cluster's")

// Register gives the cluster its place in the repository, which has to know the system identifier
// of the databases: stanza-create where there is none, and stanza-upgrade where the repository
// knows this cluster's former databases, whose backups stay. The leader must run. Safe to repeat:
// where nothing differs nothing is changed.
//
// system is the identifier of the databases, and former those that they had before; a repository
// that knows neither is refused with ErrForeign.
func Register(ctx context.Context, o Options, system string, former []string) error {
	o = o.WithDefaults()
	have, err := List(ctx, o)
	switch {
	case errors.Is(err, ErrNoRepository):
		return o.stanza(ctx, "stanza-create")
	case err != nil:
		return err
	case have.System == system || system == "":
		return nil
	}
	for _, id := range former {
		if id == have.System {
			return o.stanza(ctx, "stanza-upgrade")
		}
	}
	t := o.Repository.Target
	return errs.WithNext(remote.OnHost(t.Name, fmt.Errorf("%w: %s has backups of databases with the "+
		"system identifier %s, and these have %s", ErrForeign, o.Where(), have.System, system)),
		errs.Text("give the cluster a directory of its own (backup.repository of the specification), "+
			"or, if they are those from before a reset, run `runuser -u postgres -- pgbackrest "+
			"--stanza=%s stanza-upgrade` on %s", o.Stanza, t.Name))
}

// stanza runs one of pgBackRest's commands about the stanza. Directly after the servers' start they
// may not hear each other yet.
func (o Options) stanza(ctx context.Context, command string) error {
	t := o.Repository.Target
	cmd := remote.Cmd{User: systemUser, Argv: o.pgbackrest(command)}
	if t.Planning() {
		_, err := t.Do(ctx, "stanza "+o.Stanza, command, cmd)
		return err
	}
	err := poll.Until(ctx, poll.Options{What: "pgbackrest " + command, Bound: o.Wait,
		Every: time.Second, Progress: o.Progress}, func(ctx context.Context) (string, error) {
		_, err := t.Do(ctx, "stanza "+o.Stanza, command, cmd)
		var exit *remote.ExitError
		if errors.As(err, &exit) {
			return said([]byte(exit.Stderr)), nil
		}
		return "", err
	})
	if err != nil {
		return fmt.Errorf("register the cluster in the repository: %w", remote.OnHost(t.Name, err))
	}
	return nil
}

// Check pushes a segment of the write-ahead log and waits until it is in the repository. It is run
// on the repository's host, which knows who leads: a replica's own check always fails (exit 27 of
// pgBackRest 2.60). The error has pgBackRest's words.
func Check(ctx context.Context, o Options) error {
	o = o.WithDefaults()
	t := o.Repository.Target
	_, err := t.Run(ctx, remote.Cmd{User: systemUser, Timeout: o.Wait,
		Argv: o.pgbackrest("--archive-timeout=30", "check")})
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", ErrFailed, said([]byte(exit.Stderr)))
	}
	if err != nil {
		return fmt.Errorf("check the archive: %w", remote.OnHost(t.Name, err))
	}
	return nil
}
