package inspect

import (
	"context"
	"slices"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/trial"
)

// Restarting is a database host whose PostgreSQL is to be restarted.
type Restarting struct {
	Target *remote.Target
	// Waiting are the settings that take effect with the restart.
	Waiting []string
}

// JudgeRestart tries on each of the hosts, all at the same time, whether a server starts with what
// stands in PostgreSQL's files now: settings of the DCS that wait, config.yml's own, and those of
// ALTER SYSTEM, which no one has judged. It returns what speaks against it; where a server could
// not be tried that is a warning. It changes nothing and takes a third of a second.
func JudgeRestart(ctx context.Context, c *site.Site,
	list []Restarting) ([]preflight.Finding, error) {
	tried := make([]TryOut, len(list))
	err := parallel.Each(list, func(i int, r Restarting) error {
		res, err := r.Target.Batch(ctx, trial.PresentQuestion(c.Spec.PostgreSQL.DataDir))
		if err != nil {
			return err
		}
		tried[i] = TryOut{Target: r.Target, changed: r.Waiting}
		present := trial.ReadPresent(string(res[0].Stdout))
		if !present.Made {
			return nil
		}
		s := trial.Server{Version: c.Spec.PostgreSQL.Version, DataDir: c.Spec.PostgreSQL.DataDir,
			Rules: present.Rules, Ident: present.Ident}
		// The server is judged as a whole: it is not compared with one that has the same files.
		tried[i].Server = s.Over(present)
		tried[i].try(ctx)
		return nil
	})
	without := func(t TryOut) bool { return t.Server.Version == 0 }
	return TrialFindings(c, slices.DeleteFunc(tried, without)), err
}
