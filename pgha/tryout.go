package pgha

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

	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/trial"
)

// trialTimeout bounds the trial on one host, which takes a third of a second.
const trialTimeout = 20 * time.Second

// tryOut is a server that a host is to try.
type tryOut struct {
	target  *remote.Target
	server  trial.Server
	present trial.Present
	// changed are the settings that the present server has otherwise.
	changed []string
	answer  trial.Answer
	err     error
}

// tryOuts returns, for each database host whose server would get other settings or rules, the server that the
// specification makes of it. Where all is as it shall be there is nothing to try. On hosts without data there is not
// either, unless fresh says that the first start is near.
func (c *Cluster) tryOuts(facts map[string]Facts, fresh bool) ([]tryOut, error) {
	po, err := c.patroniOptions()
	if err != nil {
		return nil, err
	}
	var list []tryOut
	written := map[string]string{}
	for _, f := range facts {
		if p := f.Running.Patroni; p != nil {
			maps.Copy(written, p.Written)
		}
	}
	for i, h := range c.Spec.Databases() {
		f, asked := facts[h.Name]
		version := f.Running.Data[c.Spec.PostgreSQL.DataDir].Version
		if !asked || f.Present.Made && version != c.Spec.PostgreSQL.Version || f.Present.Made == fresh {
			continue
		}
		files, err := po.ServerFiles(po.Members[i])
		if err != nil {
			return nil, err
		}
		t := tryOut{target: po.Members[i].Target, present: f.Present, server: trial.Server{
			Version: c.Spec.PostgreSQL.Version, DataDir: c.Spec.PostgreSQL.DataDir, New: fresh,
			Settings: files.Parameters, Removed: append(files.Removed, takenBack(files, written, f.Present)...), Rules: files.HBA, Ident: files.Ident,
		}}
		if t.server.Differs(t.present) {
			list = append(list, t)
		}
	}
	return list, nil
}

// takenBack names what an earlier apply wrote and the specification does not say any more, unless somebody has changed it.
func takenBack(files patroni.ServerFiles, written map[string]string, present trial.Present) []string {
	var names []string
	for name, value := range written {
		if _, said := files.Parameters[name]; !said && present.Settings[name] == value {
			names = append(names, name)
		}
	}
	return names
}

// tryAll runs the trials, all at the same time, in one round trip each.
func tryAll(ctx context.Context, list []tryOut) {
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() { list[i].run(ctx) })
	}
	wg.Wait()
}

// run has the host try the server, with the present settings below its own.
func (t *tryOut) run(ctx context.Context) {
	t.changed = t.server.Changed(t.present)
	t.server = t.server.Over(t.present)
	res, err := t.target.Run(ctx, remote.Cmd{Argv: trial.Command(t.server), Stdin: strings.NewReader(trial.Input(t.server, t.present)),
		Env: []string{"LC_ALL=C"}, User: "postgres", Timeout: trialTimeout})
	t.answer, t.err = trial.Read(string(res.Stdout)), err
}

// judgeServers tries what the specification makes of the servers, and returns what speaks against it.
func (c *Cluster) judgeServers(ctx context.Context, facts map[string]Facts, fresh bool) ([]Finding, error) {
	list, err := c.tryOuts(facts, fresh)
	if err != nil {
		return nil, err
	}
	values := map[string]map[string]string{} // by host; a trial goes on with more than what changes
	for _, t := range list {
		values[t.target.Name] = t.newValues()
	}
	var refused map[string]string
	var asking sync.WaitGroup
	asking.Go(func() { refused = c.trySessions(ctx, values) })
	tryAll(ctx, list)
	asking.Wait()
	found := c.trialFindings(list)
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		field := c.fieldOf(trial.Fault{Setting: name})
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Field == field }) {
			found = append(found, Finding{Field: field, Problem: field + ": PostgreSQL does not take it: " + refused[name], Remedy: "give a value that it takes"})
		}
	}
	return found, ctx.Err()
}

// newValues are the settings that get another value on a server that runs.
func (t *tryOut) newValues() map[string]string {
	values := map[string]string{}
	for _, name := range t.server.Changed(t.present) {
		if value, stays := t.server.Settings[name]; stays && !t.server.New {
			values[name] = value
		}
	}
	return values
}

// trySessions asks the first of the servers that answers what it says of values that a session may have: it looks into the
// database, too. Where none answers nothing is known, and a correction gets through.
func (c *Cluster) trySessions(ctx context.Context, values map[string]map[string]string) map[string]string {
	for _, host := range slices.Sorted(maps.Keys(values)) {
		if len(values[host]) == 0 {
			continue
		}
		if refused, err := c.trySettings(ctx, host, pgsetting.Of(c.Spec.PostgreSQL.Version), values[host]); err == nil {
			return refused
		}
	}
	return nil
}

// trialFindings makes findings of what the hosts answered, each once with all hosts that have it. A trial that could not be
// made is a warning: nothing is known then.
func (c *Cluster) trialFindings(list []tryOut) []Finding {
	var found []Finding
	add := func(t tryOut, f Finding) {
		f.Host = t.target.Name
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
			add(t, Finding{Problem: "whether PostgreSQL takes the settings could not be tried: " + problem, Remedy: "see whether /tmp is full or read-only there", Warning: true})
		}
		for _, k := range t.answer.Known {
			add(t, Finding{Problem: "PostgreSQL would not start with what it has now: " + k.Text, Remedy: "pgha-cli config show lists its settings", Warning: true})
		}
		for _, f := range trial.Judge(t.server, t.changed, t.answer) {
			add(t, Finding{Field: c.fieldOf(f), Problem: f.Problem, Remedy: f.Remedy})
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
func (c *Cluster) fieldOf(f trial.Fault) string {
	if f.Rule != "" {
		if i := slices.Index(c.Spec.PostgreSQL.PgHBA, f.Rule); i >= 0 {
			return fmt.Sprintf("postgresql.pg_hba[%d]", i)
		}
		return fmt.Sprintf("the rule %q", f.Rule)
	}
	for name := range section(c.Spec.Patroni.Extra, "postgresql", "parameters") {
		if strings.EqualFold(name, f.Setting) {
			return "patroni.extra.postgresql.parameters." + name
		}
	}
	for name := range c.Spec.PostgreSQL.Parameters {
		if strings.EqualFold(name, f.Setting) {
			return parameterPrefix + name
		}
	}
	return strings.TrimSuffix(parameterPrefix+f.Setting, ".")
}

// tryFirstStart tries, on hosts that have PostgreSQL since a moment ago and no data, whether it starts with what the
// specification says: else the first member would try again and again.
func (r *job) tryFirstStart(ctx context.Context) error {
	if r.planning() {
		return nil
	}
	r.mu.Lock()
	facts := r.facts
	r.mu.Unlock()
	found, err := r.judgeServers(ctx, facts, true)
	if err != nil {
		return err
	}
	r.place(found)
	return PreflightReport{Findings: found}.Err()
}
