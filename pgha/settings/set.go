package settings

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
)

// SetConfigOptions say what changes in the dynamic configuration: Set or Document, not both.
type SetConfigOptions struct {
	engine.Operation
	// Set holds new values by name; nil removes. A name is a path ("ttl", "postgresql.use_slots",
	// "postgresql.parameters.work_mem") or a parameter of PostgreSQL alone ("work_mem").
	Set map[string]any
	// Document is the whole configuration as it shall be: what is not in it is removed.
	Document map[string]any
	// Expect is the whole configuration that the operator saw. When the DCS holds another by then, nothing is changed. nil
	// takes what is found.
	Expect map[string]any
}

// SetConfigResult is what SetConfig did.
type SetConfigResult struct {
	patroni.SetConfigResult
	// Notes are what deserves attention: a specification that says otherwise, a restart that is needed, a value that
	// could not be checked, a member on which something else wins.
	Notes []string `json:"notes,omitempty"`
}

// DynamicConfig returns the configuration in the DCS. Numbers are int64 or float64. Changes nothing. The error matches
// patroni.ErrUnavailable when no member answers.
func DynamicConfig(ctx context.Context, c *site.Site) (map[string]any, error) {
	po, err := c.PatroniOptions()
	if err != nil {
		return nil, err
	}
	config, err := patroni.NewClient(po).Config(ctx)
	if err != nil {
		return nil, err
	}
	return configtree.Plain(config).(map[string]any), nil
}

// SetConfig changes settings of the whole cluster, waits until every member that answers has them in effect or waits for a
// restart because of them, and says which do.
//
// Nothing is changed unless all is well: the names are known to Patroni or to the PostgreSQL that runs, Patroni's rules
// hold, and PostgreSQL takes the values, which it is asked without setting them. What is wrong comes in one
// *patroni.ConfigError, which matches patroni.ErrInvalid. A configuration that somebody else has changed since it was
// looked at matches patroni.ErrConflict. Safe to repeat.
func SetConfig(ctx context.Context, c *site.Site, opts SetConfigOptions) (SetConfigResult, error) {
	var result SetConfigResult
	err := engine.Operate(ctx, c, "config", opts.Operation, job.LockEtcd, func(ctx context.Context, run *job.Job) error {
		po, err := engine.PatroniOptions(run)
		if err != nil {
			return err
		}
		change, err := prepareConfig(ctx, c, po, opts)
		if err != nil {
			return err
		}
		for _, note := range change.notes {
			run.Warn("", note)
		}
		result.Notes = change.notes
		expect := opts.Expect
		if expect == nil {
			expect = change.before
		}
		result.SetConfigResult, err = patroni.SetConfig(ctx, po, patroni.SetConfigOptions{Patch: change.patch, Expect: expect})
		if err != nil || run.Planning() || len(result.Changes) == 0 {
			return err
		}
		run.Progress("waiting until PostgreSQL uses it")
		if result.Pending, err = awaitSettings(ctx, c, po, change); err != nil {
			return err
		}
		return serving.RefusedAfter(ctx, c)
	})
	return result, err
}

// configChange is a change of the dynamic configuration that has been looked at from all sides.
type configChange struct {
	before, patch map[string]any
	// settings are the parameters that change, by name, with nil for those that go.
	settings map[string]*string
	members  []memberConfig
	notes    []string
}

// prepareConfig looks at everything, and refuses what would not work.
func prepareConfig(ctx context.Context, c *site.Site, po patroni.Options, opts SetConfigOptions) (*configChange, error) {
	before, err := patroni.NewClient(po).Config(ctx)
	if err != nil {
		return nil, err
	}
	members, err := memberConfigs(ctx, c, po, nil)
	if err != nil {
		return nil, err
	}
	judge := &configJudge{configChange: &configChange{before: before, members: members}, cluster: c}
	if !judge.findCatalogue() {
		return nil, remote.WithHint(fmt.Errorf("%w: no PostgreSQL answers, so nobody can say which settings there are: %w", patroni.ErrUnavailable, members[0].err), "pgha-cli status shows the members")
	}
	if opts.Document != nil {
		judge.patch = configtree.Replacement(before, opts.Document)
	} else {
		judge.resolve(opts.Set)
	}
	judge.patroni()
	if err := judge.postgresql(ctx); err != nil {
		return nil, err
	}
	judge.inUse(ctx)
	if len(judge.problems) > 0 {
		slices.SortStableFunc(judge.problems, func(a, b patroni.ConfigProblem) int { return strings.Compare(a.Key, b.Key) })
		return nil, remote.WithHint(&patroni.ConfigError{Problems: judge.problems}, "nothing was changed; pgha-cli config show lists the settings there are")
	}
	wanted, err := site.SpecConfig(po)
	if err != nil {
		return nil, err
	}
	judge.note(configtree.Flatten(wanted))
	return judge.configChange, nil
}

// settingsWait bounds the wait for PostgreSQL after Patroni has taken the configuration.
const settingsWait = 30 * time.Second

// awaitSettings waits until every PostgreSQL that answers uses the settings, or waits for a restart, and returns who does.
func awaitSettings(ctx context.Context, c *site.Site, po patroni.Options, change *configChange) ([]patroni.PendingMember, error) {
	start := time.Now()
	inner, cancel := context.WithTimeout(ctx, settingsWait)
	defer cancel()
	client := patroni.NewClient(po)
	var late []string
	for {
		members, err := memberConfigs(inner, c, po, nil)
		if err == nil {
			late = nil
			var pending []patroni.PendingMember
			for i, m := range members {
				if node, err := client.Patroni(inner, m.name); err == nil {
					members[i].pending = node.PendingReason
				}
				if len(members[i].pending) > 0 {
					pending = append(pending, patroni.PendingMember{Member: m.name, Settings: members[i].pending})
				}
				late = append(late, members[i].late(change.settings)...)
			}
			if len(late) == 0 {
				return pending, nil
			}
		}
		select {
		case <-inner.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, &patroni.TimeoutError{What: "PostgreSQL to use the settings", After: time.Since(start), Seen: "not yet: " + strings.Join(late, ", "),
				Look: "the change is made; pgha-cli config show tells where it does not hold, and why"}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// late names the settings that the member neither uses nor waits to use. Where ALTER SYSTEM or config.yml wins there is
// nothing to wait for.
func (m memberConfig) late(settings map[string]*string) []string {
	if m.settings == nil {
		return nil
	}
	var late []string
	for name, want := range settings {
		s, known := m.settings[name]
		_, altered := m.altered[name]
		_, local := m.file[configtree.Parameters+name]
		used := want != nil && (s.Same(*want, s.Value) || m.lines[name] == *want)
		switch {
		case !known, altered, local:
		case want == nil && (s.Context == "postmaster" || !strings.HasSuffix(s.SourceFile, "/postgresql.conf")):
		case want != nil && used != m.waits(name, s): // both, while Patroni has not noticed that nothing waits any more
		case strings.Contains(s.Source, "database") || strings.Contains(s.Source, "user"):
		default:
			late = append(late, name+" on "+m.name)
		}
	}
	slices.Sort(late)
	return late
}
