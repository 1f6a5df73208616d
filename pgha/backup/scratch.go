package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/remote"
)

// Scratch is a restored copy of the databases in a directory next to a host's data.
type Scratch struct {
	Options
	// Target is the host.
	Target *remote.Target
	// Purpose ends the directory's name.
	Purpose string
}

// Reached is what a restored server has replayed.
type Reached struct {
	// LastCommit is the last one that it has; nil if none followed the backup.
	LastCommit *time.Time `json:"last_commit"`
	// FirstGone is the commit at which it stopped, in PostgreSQL's words; nil where it went on to
	// the end.
	FirstGone *string `json:"first_gone"`
	LSN       string  `json:"lsn"`
	Timeline  int     `json:"timeline"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
	// Socket is the directory of the server's socket.
	Socket string `json:"socket"`
}

// Directory is where the copy is; its data is in the directory data there.
func (s Scratch) Directory() string { return s.WithDefaults().scratchDir(s.Purpose) }

// Restore copies, by options of pgbackrest restore. size is the databases' in bytes: without room
// for it nothing is copied. It runs as a unit, and continues when this program ends: a later call
// waits for it. What is there complete stays; what is not is begun again.
func (s Scratch) Restore(ctx context.Context, size int64, options ...string) error {
	argv := append([]string{"restore", s.Directory(), strconv.FormatInt(size, 10)}, options...)
	_, err := s.unit(ctx, argv...)
	return err
}

// Open starts a server on the copy, which nobody reaches but PostgreSQL's system user on that host,
// and waits until it has replayed all that it shall.
func (s Scratch) Open(ctx context.Context) (Reached, error) {
	var r Reached
	if err := s.serve(ctx); err != nil {
		return r, err
	}
	text, err := s.unit(ctx, "open", s.Directory())
	if err == nil {
		err = json.Unmarshal([]byte(text), &r)
	}
	return r, err
}

// serve starts the server, unless it runs: as a unit of its own, because one that ends while
// something that it has started continues keeps its name taken (systemd 262).
func (s Scratch) serve(ctx context.Context) error {
	o, unit := s.Options, "pgha-scratch-"+s.Purpose+"-server"
	state, err := s.Target.Output(ctx, "systemctl", "show", "-P", "ActiveState", unit)
	if err != nil || strings.TrimSpace(state) == "active" {
		return remote.OnHost(s.Target.Name, err)
	}
	_, err = s.Target.Do(ctx, s.Directory(), "serve", remote.Cmd{Argv: []string{"systemd-run", "--quiet",
		"--collect", "--unit=" + unit, "--uid=" + systemUser, "--gid=" + systemUser,
		"--property=KillSignal=SIGINT", "--property=TimeoutStopSec=infinity",
		"--property=WorkingDirectory=/", "/usr/bin/python3", scratchPath, o.settingsPath(), "serve", s.Directory()}})
	return remote.OnHost(s.Target.Name, err)
}

// Finish stops the server, and makes of the copy the ordinary data of a server.
func (s Scratch) Finish(ctx context.Context) error {
	_, err := s.unit(ctx, "finish", s.Directory())
	return err
}

// Drop stops the server and deletes the copy. Safe to repeat.
func (s Scratch) Drop(ctx context.Context) error {
	_, err := s.unit(ctx, "drop", s.Directory())
	return err
}

// unit runs scratch.py as a unit of its own, and returns what it printed. One that a former call
// has begun is waited for first.
func (s Scratch) unit(ctx context.Context, argv ...string) (string, error) {
	o, t := s.WithDefaults(), s.Target
	unit := "pgha-scratch-" + s.Purpose
	out := "/run/" + unit
	if t.Planning() {
		_, err := t.Do(ctx, s.Directory(), argv[0], remote.Cmd{Argv: []string{"true"}})
		return "", err
	}
	if err := o.awaitEnd(ctx, t, unit); err != nil {
		return "", err
	}
	start := append([]string{"systemd-run", "--quiet", "--no-block", "--collect", "--unit=" + unit,
		"--uid=" + systemUser, "--gid=" + systemUser, "--property=StandardOutput=truncate:" + out + ".out",
		"--property=StandardError=truncate:" + out + ".err", "--property=WorkingDirectory=/",
		"/usr/bin/python3", scratchPath, o.settingsPath()}, argv...)
	if _, err := t.Do(ctx, s.Directory(), argv[0], remote.Cmd{Argv: start}); err != nil {
		return "", remote.OnHost(t.Name, err)
	}
	if err := o.awaitEnd(ctx, t, unit); err != nil {
		return "", err
	}
	text, err := t.Output(ctx, "cat", out+".out")
	if err == nil && strings.TrimSpace(text) == "" {
		words, _ := t.Output(ctx, "cat", out+".err")
		err = fmt.Errorf("%w: %s %s: %s", ErrFailed, argv[0], s.Directory(), said([]byte(words)))
	}
	if err != nil {
		return "", remote.OnHost(t.Name, err)
	}
	return text, nil
}

// awaitEnd waits until a unit does not run any more.
func (o Options) awaitEnd(ctx context.Context, t *remote.Target, unit string) error {
	start := time.Now()
	return poll.Until(ctx, poll.Options{What: "the end of " + unit + " on " + t.Name,
		Every: 300 * time.Millisecond}, func(ctx context.Context) (string, error) {
		state, err := t.Output(ctx, "systemctl", "show", "-P", "ActiveState", unit)
		if err != nil {
			return "", err
		}
		switch s := strings.TrimSpace(state); s {
		case "active", "activating", "deactivating":
			if waited := time.Since(start).Round(5 * time.Second); waited > 0 {
				o.Progress(fmt.Sprintf("%s works since %s", unit, waited))
			}
			return s, nil
		}
		return "", nil
	})
}

// NewTimeline lets a host's own data, whose server must be down, go on on a timeline that is free
// in the archive, as a promotion does. Safe to repeat: each time takes another one.
func NewTimeline(ctx context.Context, o Options, t *remote.Target) error {
	s := Scratch{Options: o, Target: t, Purpose: "fork"}
	_, err := s.unit(ctx, "fork", s.Directory())
	return err
}
