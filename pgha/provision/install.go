package provision

import (
	"context"
	"os"
	"strings"

	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// timeZone is what the change is called that sets a host's time zone.
const timeZone = "time zone"

// setTimeZone sets the host's time zone if the spec names one and the host has another.
func setTimeZone(ctx context.Context, r *job.Job, t *remote.Target) error {
	want := r.Spec.Timezone
	if want == "" {
		return nil
	}
	have, err := t.Output(ctx, "timedatectl", "show", "--property=Timezone", "--value")
	if err != nil || strings.TrimSpace(have) == want {
		return err
	}
	_, err = t.Do(ctx, timeZone, "set to "+want, remote.Cmd{Argv: []string{"timedatectl",
		"set-timezone", want}})
	return err
}

// repository returns the resources that make PostgreSQL's packages available: none for the
// distribution's own.
func repository(ctx context.Context, r *job.Job, t *remote.Target) ([]remote.Resource, error) {
	pg := r.Spec.PostgreSQL
	if pg.Source == spec.SourceDistribution {
		return nil, nil
	}
	release, err := t.Output(ctx, "sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
	if err != nil {
		return nil, err
	}
	repo := site.Repository{URL: pg.Repository.URL, Suite: pg.Repository.Suite,
		Components: pg.Repository.Components, Codename: strings.TrimSpace(release)}
	if pg.Repository.KeyFile != "" {
		if repo.Key, err = os.ReadFile(pg.Repository.KeyFile); err != nil {
			return nil, err
		}
	}
	return repo.Resources(site.RepositoryLayout(r.Spec)), nil
}
