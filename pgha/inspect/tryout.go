package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/trial"
)

// trialTimeout bounds the trial on one host, which takes a third of a second.
const trialTimeout = 20 * time.Second

// TryOut is a server that a host is to try.
type TryOut struct {
	Target  *remote.Target
	Server  trial.Server
	Present trial.Present
	// changed are the settings that the present server has otherwise.
	changed []string
	answer  trial.Answer
	err     error
}

// tryOuts returns, for each database host whose server would get other settings or rules, the
// server that the specification makes of it. Where all is as it should be there is nothing to try.
// On hosts without data there is not either, unless fresh says that the first start is near.
func tryOuts(c *site.Site, facts map[string]preflight.Facts, fresh bool) ([]TryOut, error) {
	po, err := c.PatroniOptions()
	if err != nil {
		return nil, err
	}
	var list []TryOut
	written := map[string]string{}
	for _, f := range facts {
		if p := f.Running.Patroni; p != nil {
			maps.Copy(written, p.Written)
		}
	}
	for i, h := range c.Spec.Databases() {
		f, asked := facts[h.Name]
		version := f.Running.Data[c.Spec.PostgreSQL.DataDir].Version
		if !asked || f.Present.Made && version != c.Spec.PostgreSQL.Version ||
			f.Present.Made == fresh {
			continue
		}
		files, err := po.ServerFiles(po.Members[i])
		if err != nil {
			return nil, err
		}
		t := TryOut{Target: po.Members[i].Target, Present: f.Present, Server: trial.Server{
			Version: c.Spec.PostgreSQL.Version, DataDir: c.Spec.PostgreSQL.DataDir, New: fresh,
			Settings: files.Parameters, Removed: append(files.Removed,
				takenBack(files, written, f.Present)...),
			Rules: files.HBA, Ident: files.Ident,
		}}
		if t.Server.Differs(t.Present) {
			list = append(list, t)
		}
	}
	return list, nil
}

// takenBack names what an earlier apply wrote and the specification does not say any more, unless
// somebody has changed it.
func takenBack(files patroni.ServerFiles, written map[string]string,
	present trial.Present) []string {
	var names []string
	for name, value := range written {
		if _, said := files.Parameters[name]; !said && present.Settings[name] == value {
			names = append(names, name)
		}
	}
	return names
}

// tryAll runs the trials, all at the same time, in one round trip each.
func tryAll(ctx context.Context, list []TryOut) {
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() { list[i].Run(ctx) })
	}
	wg.Wait()
}

// Run has the host try the server, with the present settings below its own.
func (t *TryOut) Run(ctx context.Context) {
	t.changed = t.Server.Changed(t.Present)
	t.Server = t.Server.Over(t.Present)
	t.try(ctx)
}

func (t *TryOut) try(ctx context.Context) {
	res, err := t.Target.Run(ctx,
		remote.Cmd{Argv: trial.Command(t.Server), Stdin: strings.NewReader(trial.Input(t.Server,
			t.Present)),
			Env: []string{"LC_ALL=C"}, User: "postgres", Timeout: trialTimeout})
	t.answer, t.err = trial.Read(string(res.Stdout)), err
}

// JudgeServers tries what the specification makes of the servers, and returns what speaks against
// it.
func JudgeServers(ctx context.Context, c *site.Site, facts map[string]preflight.Facts,
	fresh bool) ([]preflight.Finding, error) {
	list, err := tryOuts(c, facts, fresh)
	if err != nil {
		return nil, err
	}
	values := map[string]map[string]string{} // by host; a trial goes on with more than what changes
	for _, t := range list {
		values[t.Target.Name] = t.newValues()
	}
	var refused map[string]string
	var asking sync.WaitGroup
	asking.Go(func() { refused = trySessions(ctx, c, values) })
	tryAll(ctx, list)
	asking.Wait()
	found := TrialFindings(c, list)
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		field := fieldOf(c, trial.Fault{Setting: name})
		if !slices.ContainsFunc(found, func(f preflight.Finding) bool { return f.Field == field }) {
			found = append(found, preflight.Finding{Field: field,
				Problem: field + ": PostgreSQL does not take it: " + refused[name],
				Remedy:  errs.Text("give a value that it takes")})
		}
	}
	return found, ctx.Err()
}

// newValues are the settings that get another value on a server that runs.
func (t *TryOut) newValues() map[string]string {
	values := map[string]string{}
	for _, name := range t.Server.Changed(t.Present) {
		if value, stays := t.Server.Settings[name]; stays && !t.Server.New {
			values[name] = value
		}
	}
	return values
}

// trySessions asks the first of the servers that answers what it says of values that a session may
// have: it looks into the database, too. Where none answers nothing is known, and a correction gets
// through.
func trySessions(ctx context.Context, c *site.Site,
	values map[string]map[string]string) map[string]string {
	for _, host := range slices.Sorted(maps.Keys(values)) {
		if len(values[host]) == 0 {
			continue
		}
		if refused, err := serving.TrySettings(ctx, c, host,
			pgsetting.Of(c.Spec.PostgreSQL.Version),
			values[host]); err == nil {
			return refused
		}
	}
	return nil
}

// TrialFindings makes findings of what the hosts answered, each once with all hosts that have it. A
// trial that could not be made is a warning: nothing is known then.
func TrialFindings(c *site.Site, list []TryOut) []preflight.Finding {
	var found []preflight.Finding
	add := func(t TryOut, f preflight.Finding) {
		f.Host = t.Target.Name
		for i := range found {
			if found[i].Field == f.Field && found[i].Problem == f.Problem {
				found[i].Host += ", " + f.Host
				return
			}
		}
		found = append(found, f)
	}
	for _, t := range list {
		if problem := cmp.Or(t.answer.Broken, trialError(t.err)); problem != "" {
			add(t, preflight.Finding{Problem: "whether PostgreSQL takes the settings could not " +
				"be tried: " + problem,
				Remedy: errs.Text("see whether /tmp is full or read-only there"), Warning: true})
		}
		for _, k := range t.answer.Known {
			add(t, preflight.Finding{Problem: "PostgreSQL would not start with what it has now: " +
				k.Text,
				Remedy:  errs.Text("%s lists its settings", errs.Verb("config", "show")),
				Warning: true})
		}
		for _, f := range trial.Judge(t.Server, t.changed, t.answer) {
			add(t, preflight.Finding{Field: fieldOf(c, f), Problem: f.Problem,
				Remedy: errs.Text("%s", f.Remedy)})
		}
	}
	for i, f := range found {
		if !f.Warning {
			found[i].Problem = fmt.Sprintf("%s on %s: %s", f.Field, f.Host, f.Problem)
		}
	}
	return found
}

// trialError says why a trial has no answer.
func trialError(err error) string {
	var exit *remote.ExitError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &exit) && exit.Stderr != "":
		return strings.TrimSpace(exit.Stderr)
	}
	return err.Error()
}

// fieldOf is where the specification says what a trial has found wrong.
func fieldOf(c *site.Site, f trial.Fault) string {
	if f.Rule != "" {
		if i := slices.Index(c.Spec.PostgreSQL.PgHBA, f.Rule); i >= 0 {
			return fmt.Sprintf("postgresql.pg_hba[%d]", i)
		}
		return fmt.Sprintf("the rule %q", f.Rule)
	}
	for name := range configtree.Section(c.Spec.Patroni.Extra, "postgresql", "parameters") {
		if strings.EqualFold(name, f.Setting) {
			return "patroni.extra.postgresql.parameters." + name
		}
	}
	for name := range c.Spec.PostgreSQL.Parameters {
		if strings.EqualFold(name, f.Setting) {
			return configtree.ParameterPrefix + name
		}
	}
	return strings.TrimSuffix(configtree.ParameterPrefix+f.Setting, ".")
}
