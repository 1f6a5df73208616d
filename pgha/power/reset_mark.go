package power

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
)

// markScript writes standard input to the file $1, or with nothing to read removes it.
//
//go:embed mark.sh
var markScript string

// mark says on all hosts of databases and of etcd that a reset has begun.
func markReset(ctx context.Context, r *job.Job) error {
	return writeResetMark(ctx, r, fmt.Sprintf("%s at %s", vault.WhoAmI(),
		time.Now().Format(time.RFC3339)))
}

// unmarkReset says that it is over.
func unmarkReset(ctx context.Context, r *job.Job) error { return writeResetMark(ctx, r, "") }

func writeResetMark(ctx context.Context, r *job.Job, text string) error {
	targets, err := r.MemberHosts()
	if err != nil {
		return err
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		_, err := t.Run(ctx, remote.Cmd{Argv: []string{"sh", "-c", markScript, "mark",
			site.ResetFile},
			Stdin: strings.NewReader(text), Mutating: true})
		return err
	})
}
