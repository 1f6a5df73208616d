package settings

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
)

// SetConfigOptions say what changes in the dynamic configuration: Set or Document, not both.
type SetConfigOptions struct {
	engine.Operation
	// Set holds new values by name; nil removes. A name is a path ("ttl", "postgresql.use_slots",
	// "postgresql.parameters.work_mem") or a parameter of PostgreSQL alone ("work_mem").
	Set map[string]any
	// Document is the whole configuration as it should be: what is not in it is removed.
	Document map[string]any
	// Expect is the whole configuration that the operator saw. When the DCS holds another by then,
	// nothing is changed. nil takes what is found.
	Expect map[string]any
}

// SetConfigResult is what SetConfig did.
type SetConfigResult struct {
	patroni.SetConfigResult
	// Notes are what deserves attention: a specification that says otherwise, a restart that is
	// needed, a value that could not be checked, a member on which something else wins.
	Notes []errs.Next `json:"notes,omitempty"`
}

// DynamicConfig returns the configuration in the DCS. Numbers are int64 or float64. Changes
// nothing. The error matches patroni.ErrUnavailable when no member answers.
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

// SetConfig changes settings of the whole cluster, waits until every member that answers has them
// in effect or waits for a restart because of them, and says which do.
//
// Nothing is changed unless all is well: the names are known to Patroni or to the PostgreSQL that
// runs, Patroni's rules hold, and PostgreSQL takes the values, which it is asked without setting
// them. An older copy of the state directory, and that of another cluster, match errs.ErrRefused.
// What is wrong comes in one *patroni.ConfigError, which matches patroni.ErrInvalid. A
// configuration that somebody else has changed since it was looked at matches patroni.ErrConflict.
// Safe to repeat.
func SetConfig(ctx context.Context, c *site.Site, opts SetConfigOptions) (SetConfigResult, error) {
	var result SetConfigResult
	err := engine.Operate(ctx, c, "config", opts.Operation, job.LockEtcd,
		func(ctx context.Context, run *job.Job) error {
			po, err := engine.PatroniOptions(run)
			if err != nil {
				return err
			}
			stale := make(chan error, 1)
			go func() { stale <- judgeState(ctx, c) }()
			change, err := prepareConfig(ctx, c, po, opts)
			if err := cmp.Or(<-stale, err); err != nil {
				return err
			}
			for _, note := range change.notes {
				run.WarnNext("", note)
			}
			result.Notes = change.notes
			expect := opts.Expect
			if expect == nil {
				expect = change.before
			}
			result.SetConfigResult, err = patroni.SetConfig(ctx, po,
				patroni.SetConfigOptions{Patch: change.patch, Expect: expect})
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

// judgeState refuses a state directory that is older than the hosts, or of another cluster: its
// specification would be compared with settings that it knows nothing of. A host that does not
// answer keeps nothing from being changed.
func judgeState(ctx context.Context, c *site.Site) error {
	ctx, cancel := context.WithTimeout(ctx, settingsWait)
	defer cancel()
	notes, _ := c.AskStateNotes(ctx) //nolint:errcheck // see above
	return c.JudgeState(notes)
}

// configChange is a change of the dynamic configuration that has been looked at from all sides.
type configChange struct {
	before, patch map[string]any
	// settings are the parameters that change, by name, with nil for those that go.
	settings map[string]*string
	members  []memberConfig
	notes    []errs.Next
}

// prepareConfig looks at everything, and refuses what would not work.
func prepareConfig(ctx context.Context, c *site.Site, po patroni.Options,
	opts SetConfigOptions) (*configChange,
	error) {
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
		return nil, errs.WithNext(
			fmt.Errorf("%w: no PostgreSQL answers, so nobody can say which settings there are: %w",
				patroni.ErrUnavailable, members[0].err),
			errs.Text("%s shows the members", errs.Verb("status")))
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
		slices.SortStableFunc(judge.problems,
			func(a, b patroni.ConfigProblem) int { return strings.Compare(a.Key, b.Key) })
		return nil, errs.WithNext(&patroni.ConfigError{Problems: judge.problems},
			errs.Text("nothing was changed; %s lists the settings there are",
				errs.Verb("config", "show")))
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

// awaitSettings waits until every PostgreSQL that answers uses the settings, or waits for a
// restart, and returns who does.
func awaitSettings(ctx context.Context, c *site.Site, po patroni.Options,
	change *configChange) ([]patroni.PendingMember, error) {
	client := patroni.NewClient(po)
	var pending []patroni.PendingMember
	err := poll.Until(ctx, poll.Options{
		What: "PostgreSQL to use the settings", Bound: settingsWait, Every: 200 * time.Millisecond,
		Next: errs.Text("the change is made; %s tells where it does not hold, and why",
			errs.Verb("config", "show")),
	}, func(ctx context.Context) (string, error) {
		members, err := memberConfigs(ctx, c, po, nil)
		if err != nil {
			return "", err
		}
		pending = nil
		var late []string
		for i, m := range members {
			if node, err := client.Patroni(ctx, m.name); err == nil {
				members[i].pending = node.PendingReason
			}
			if len(members[i].pending) > 0 {
				pending = append(pending, patroni.PendingMember{Member: m.name,
					Settings: members[i].pending})
			}
			late = append(late, members[i].late(change.settings)...)
		}
		if len(late) == 0 {
			return "", nil
		}
		return "not yet: " + strings.Join(late, ", "), nil
	})
	if err != nil {
		return nil, err
	}
	return pending, nil
}

// late names the settings that the member neither uses nor waits to use. Where ALTER SYSTEM or
// config.yml wins there is nothing to wait for.
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
		case want == nil && (s.Context == "postmaster" ||
			!strings.HasSuffix(s.SourceFile, "/postgresql.conf")):
		// both, while Patroni has not noticed that nothing waits any more
		case want != nil && used != m.waits(name, s):
		case strings.Contains(s.Source, "database") || strings.Contains(s.Source, "user"):
		default:
			late = append(late, name+" on "+m.name)
		}
	}
	slices.Sort(late)
	return late
}
