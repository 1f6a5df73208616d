package settings

import (
	"context"
	"maps"
	"strings"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/trial"
)

// hosts adds what speaks against the values on the hosts: a server is tried on each whose
// PostgreSQL answers.
func (j *configJudge) hosts(ctx context.Context, values map[string]string) error {
	var list []inspect.TryOut
	for _, m := range j.members {
		if m.settings == nil {
			continue
		}
		h, err := j.cluster.MemberHost(m.name)
		if err != nil {
			return err
		}
		t, err := j.cluster.LenientTarget(h.Name)
		if err != nil {
			return err
		}
		s := trial.Server{Version: j.cluster.Spec.PostgreSQL.Version,
			DataDir:  m.settings["data_directory"].Value,
			Settings: maps.Clone(values)}
		for name, value := range j.settings {
			if value == nil {
				s.Removed = append(s.Removed, name)
			}
		}
		list = append(list, inspect.TryOut{Target: t, Server: s})
	}
	err := parallel.Each(list, func(i int, t inspect.TryOut) error {
		res, err := t.Target.Batch(ctx, trial.PresentQuestion(t.Server.DataDir))
		if err != nil {
			return err
		}
		present := trial.ReadPresent(string(res[0].Stdout))
		list[i].Present, list[i].Server.Rules, list[i].Server.Ident = present, present.Rules,
			present.Ident
		list[i].Run(ctx)
		return nil
	})
	for _, f := range inspect.TrialFindings(j.cluster, list) {
		switch key := strings.TrimPrefix(f.Field, "patroni.extra."); {
		case f.Warning:
			j.notes = append(j.notes, errs.Text("%s: %s", f.Host, f.Problem))
		case !j.told(key):
			j.problem(key, strings.TrimPrefix(f.Problem, f.Field+" "), f.Remedy.String())
		}
	}
	return err
}
