package backup

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pgha/toolkit/internal/shell"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

//go:embed replica.py
var replicaProgram []byte

// Copied is what a replica's data was made of.
type Copied struct {
	// Backup is the label of the backup that was restored.
	Backup string `json:"backup"`
	// Segments of the log came from the archive.
	Segments int `json:"segments"`
	// RestoredSeconds is how long the backup took, LogSeconds the log.
	RestoredSeconds float64 `json:"restored_seconds"`
	LogSeconds      float64 `json:"log_seconds"`
}

// ErrNoBackup means that the repository has no backup of the cluster as it is now.
var ErrNoBackup = errs.WithNext(errs.New(errs.NotFound, "there is no backup of this cluster"),
	errs.Text("%s makes one", errs.Verb("backup")))

// ErrNotConfigured means that a database host cannot make a replica of a backup yet.
var ErrNotConfigured = errs.New(errs.Refused, "the host cannot make a replica of a backup yet")

// ReplicaCommand returns what makes a replica's data of the newest backup and of the archive's log,
// on a database host, in the place of pg_basebackup (patroni.ReinitializeOptions), and the backup.
// What an earlier one has said of itself on that host is forgotten. The error matches
// ErrNotConfigured where Configure has not been there, and ErrNoRepository or ErrNoBackup where
// there is nothing to restore.
func ReplicaCommand(ctx context.Context, o Options,
	t *remote.Target) (command string, of Set, err error) {
	o = o.WithDefaults()
	have, err := List(ctx, o)
	if err != nil {
		return "", of, err
	}
	for _, set := range have.Sets {
		if set.System == have.System && !set.Damaged {
			of = set
		}
	}
	if of.Label == "" {
		return "", of, ErrNoBackup
	}
	res, err := t.Run(ctx, remote.Cmd{Script: `test -e "$1" && rm -f "$2" || echo missing`,
		Argv: []string{replicaPath, copiedResult}, Timeout: lookTimeout})
	if err != nil {
		return "", of, remote.OnHost(t.Name, err)
	}
	if strings.TrimSpace(string(res.Stdout)) != "" {
		return "", of, errs.WithNext(remote.OnHost(t.Name, ErrNotConfigured),
			errs.Text("%s puts the program there", errs.Verb("apply")))
	}
	command, err = shell.Join([]string{"/usr/bin/python3", replicaPath, o.settingsPath(), of.Label})
	return command, of, err
}

// LastCopied says what ReplicaCommand has made on a host; false where it has made nothing since it
// was last asked for: pg_basebackup has then, because the backup could not be used.
func LastCopied(ctx context.Context, t *remote.Target) (Copied, bool, error) {
	var c Copied
	text, err := t.Output(ctx, "sh", "-c", `cat "$1" 2>/dev/null || :`, "sh", copiedResult)
	if err != nil || strings.TrimSpace(text) == "" {
		return c, false, err
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, false, fmt.Errorf("read what was copied: %w", remote.OnHost(t.Name, err))
	}
	return c, true, nil
}
