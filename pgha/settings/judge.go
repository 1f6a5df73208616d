package settings

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/internal/suggest"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/serving"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/patroni/dynamic"
)

// configJudge finds everything that is wrong with a change before it is made.
type configJudge struct {
	*configChange
	cluster *site.Site
	// asked is the member whose PostgreSQL knows best: the catalogue is its pg_settings.
	asked     string
	catalogue pgsetting.Catalogue
	problems  []patroni.ConfigProblem
}

// findCatalogue takes the first member that answers: all run the same PostgreSQL.
func (j *configJudge) findCatalogue() bool {
	for _, m := range j.members {
		if m.settings != nil {
			j.asked, j.catalogue = m.name, m.settings
			return true
		}
	}
	return false
}

func (j *configJudge) problem(key, problem, remedy string) {
	j.problems = append(j.problems, patroni.ConfigProblem{Key: key, Problem: problem,
		Remedy: remedy})
}

// resolve makes a patch of names as people type them.
func (j *configJudge) resolve(settings map[string]any) {
	j.patch = map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if settings[key] == nil {
			if path := j.there(key); path != nil {
				configtree.Put(j.patch, path, nil)
				continue
			}
		}
		if path := j.path(key); path != nil {
			configtree.Put(j.patch, path, settings[key])
		}
	}
}

// there finds a key that stands in the configuration, misspelt or not: what stands there can be
// taken away.
func (j *configJudge) there(key string) []string {
	path := strings.Split(key, ".")
	for n := range len(path) {
		// What is left may be a name with dots of its own.
		if inside := configtree.Section(j.before, path[:n]...); inside != nil {
			if rest := strings.Join(path[n:], "."); inside[rest] != nil {
				return append(slices.Clone(path[:n]), rest)
			}
		}
	}
	for name := range configtree.Section(j.before, "postgresql", "parameters") {
		if strings.EqualFold(name, strings.TrimPrefix(key, configtree.Parameters)) {
			return []string{"postgresql", "parameters", name}
		}
	}
	return nil
}

// path finds where a key belongs; nil, with a problem told, when it belongs nowhere.
func (j *configJudge) path(key string) []string {
	root, rest, dotted := strings.Cut(key, ".")
	_, isParameter := j.catalogue[strings.ToLower(key)]
	switch {
	case strings.HasPrefix(key, configtree.Parameters):
		return j.parameterPath(strings.TrimPrefix(key, configtree.Parameters))
	case slices.Contains(configtree.Sections, root) && dotted:
		if root == "postgresql" && !slices.Contains(dynamic.SectionKeys(), rest) {
			if near := suggest.Nearest(strings.Split(rest, ".")[0],
				dynamic.SectionKeys()); near != "" &&
				near != strings.Split(rest, ".")[0] {
				j.problem(key, "there is no such section", "did you mean postgresql."+near+"?")
				return nil
			}
		}
		return configtree.PathOf(key)
	case slices.Contains(dynamic.Keys(), key), j.before[key] != nil:
		return []string{key}
	case isParameter:
		return j.parameterPath(key)
	case dotted && suggest.Nearest(root, configtree.Sections) == "":
		return j.parameterPath(key)
	case dotted:
		j.problem(key, "there is no such section",
			"did you mean "+suggest.Nearest(root, configtree.Sections)+"?")
		return nil
	}
	j.problem(key, "neither Patroni nor PostgreSQL has such a setting",
		j.catalogue.Nearest(key, dynamic.Keys()))
	return nil
}

// parameterPath finds the parameter under the name that it may have already, in whatever case.
func (j *configJudge) parameterPath(name string) []string {
	for there := range configtree.Section(j.before, "postgresql", "parameters") {
		if strings.EqualFold(there, name) {
			return []string{"postgresql", "parameters", there}
		}
	}
	return []string{"postgresql", "parameters", strings.ToLower(name)}
}

// patroni adds what Patroni would not take of the result, unless it was so before.
func (j *configJudge) patroni() {
	known := configProblems(patroni.ValidateDynamic(j.before))
	for _, p := range configProblems(patroni.ValidateDynamic(configtree.Merged(j.before, j.patch))) {
		if !slices.Contains(known, p) {
			j.problems = append(j.problems, p)
		}
	}
}

// told reports whether something is wrong with the key already.
func (j *configJudge) told(key string) bool {
	return slices.ContainsFunc(j.problems, func(p patroni.ConfigProblem) bool { return strings.EqualFold(p.Key, key) })
}

// postgresql adds what PostgreSQL would not take: first by its catalogue, then by its own word.
func (j *configJudge) postgresql(ctx context.Context) error {
	j.settings = map[string]*string{}
	try := map[string]string{}
	patch := configtree.Section(j.patch, "postgresql", "parameters")
	for _, given := range slices.Sorted(maps.Keys(patch)) {
		name, key := strings.ToLower(given), configtree.Parameters+given
		if j.told(key) {
			continue
		}
		if patch[given] == nil {
			j.settings[name] = nil
			continue
		}
		text := fmt.Sprint(patch[given])
		j.settings[name] = &text
		if problem, remedy := j.catalogue.Judge(name, text); problem != "" {
			j.problem(key, problem, remedy)
			continue
		}
		try[name] = text
	}
	if len(j.settings) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settingsWait)
	defer cancel()
	refused, err := serving.TrySettings(ctx, j.cluster, j.asked, j.catalogue, try)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		j.problem(configtree.Parameters+name, "PostgreSQL does not take it: "+refused[name],
			"give a value that it takes")
	}
	return j.hosts(ctx, try)
}

// note adds what is right, and deserves attention all the same.
func (j *configJudge) note(spec map[string]string) {
	add := func(format string, args ...any) { j.notes = append(j.notes, errs.Text(format, args...)) }
	before, after := configtree.Flatten(j.before), configtree.Flatten(configtree.Merged(j.before, j.patch))
	for _, key := range configtree.SortedKeys(before, after) {
		value, stays := after[key]
		if old, was := before[key]; was == stays && old == value {
			continue
		}
		name := strings.TrimPrefix(key, configtree.Parameters)
		s := j.catalogue[name]
		if inSpec, controlled := spec[key]; controlled && (!stays || !s.Same(inSpec, value)) {
			add("the specification says %s: %s, and the next apply puts that back; to keep the "+
				"change, write there %s: %s", configtree.SpecPath(key), inSpec, configtree.SpecPath(key),
				orNull(value, stays))
		}
		if name != key {
			j.noteParameter(name, value, stays, s, add)
		}
	}
}

func (j *configJudge) noteParameter(name, value string, stays bool, s pgsetting.Setting, add func(string, ...any)) {
	restartPending := errs.Verb("restart", "--pending")
	restart := s.Context == "postmaster" && (!stays || !s.Same(value, s.Value))
	switch {
	case s.Name == "" && stays:
		add("PostgreSQL does not know %s before its extension is loaded, so the value could not be checked", name)
	case restart && stays && dynamic.DCSOnly(name) && lower(s, value):
		add("%s takes effect with a restart of PostgreSQL, the leader first: replicas never have "+
			"less than the leader (%s)", name, restartPending)
	case restart && !stays:
		add("%s goes back to its default with a restart of PostgreSQL, if that is another value: %s",
			name, restartPending)
	case restart:
		add("%s takes effect with a restart of PostgreSQL: %s", name, restartPending)
	case strings.HasSuffix(s.Context, "backend"):
		add("%s takes effect in new sessions only", name)
	}
	for _, m := range j.members {
		if text, altered := m.altered[name]; altered && !dynamic.DCSOnly(name) {
			add("on %s ALTER SYSTEM says %s and wins: ALTER SYSTEM RESET %s ends that", m.name,
				configtree.HidePasswords(text), name)
		}
		if text, local := m.file[configtree.Parameters+name]; local && !dynamic.DCSOnly(name) {
			add("on %s config.yml says %s and wins", m.name, text)
		}
	}
}

// lower reports whether the value is less than what is in use.
func lower(s pgsetting.Setting, value string) bool {
	now, errNow := s.Number(s.Value)
	next, errNext := s.Number(value)
	return s.Type == "integer" && errNow == nil && errNext == nil && next < now
}

func orNull(value string, stays bool) string {
	if !stays {
		return "null"
	}
	return value
}
