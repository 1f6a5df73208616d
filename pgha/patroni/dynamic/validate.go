package dynamic

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/internal/suggest"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/patroni/rest"
)

// Problem is one thing that is wrong with a dynamic configuration.
type Problem struct {
	// Key is the path to the setting, with dots.
	Key string `json:"key"`
	// Problem says what is wrong, Remedy what to do.
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

// String says it in one line.
func (p Problem) String() string { return p.Key + ": " + p.Problem + "; " + p.Remedy }

// Error is all that is wrong with a dynamic configuration. It matches patroni.ErrInvalid.
type Error struct{ Problems []Problem }

// Error says it all, one problem a line when there are several.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "invalid configuration: " + e.Problems[0].String()
	}
	text := fmt.Sprintf("invalid configuration: %d problems:", len(e.Problems))
	for _, p := range e.Problems {
		text += "\n  - " + p.String()
	}
	return text
}

// Is makes the error match patroni.ErrInvalid.
func (e *Error) Is(target error) bool { return target == rest.ErrInvalid }

// Kind returns errs.Refused.
func (e *Error) Kind() errs.Kind { return errs.Refused }

// Validate refuses a dynamic configuration that Patroni would ignore in part, or change
// silently: unknown keys, values of the wrong type, timings against its rules, and parameters of
// PostgreSQL that it controls. The error is a *Error with everything that is wrong; it
// matches patroni.ErrInvalid. Whether PostgreSQL knows the parameters is not looked at. Pure
// computation.
func Validate(config map[string]any) error {
	if problems := problemsOf(config); len(problems) > 0 {
		return &Error{problems}
	}
	return nil
}

// ValidateChange refuses what a change makes wrong, as Validate does. What was wrong before is no
// reason against another change. Pure computation.
func ValidateChange(before, after map[string]any) error {
	known := problemsOf(before)
	problems := slices.DeleteFunc(problemsOf(after),
		func(p Problem) bool { return slices.Contains(known, p) })
	if len(problems) > 0 {
		return &Error{problems}
	}
	return nil
}

func problemsOf(config map[string]any) []Problem {
	known := rules()
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(config)) {
		check, found := known[key]
		switch {
		case config[key] == nil:
		case !found:
			problems = append(problems, unknownKey(key, slices.Sorted(maps.Keys(known))))
		default:
			if problem, remedy := check(config[key]); problem != "" {
				problems = append(problems, Problem{key, problem, remedy})
			}
		}
	}
	problems = append(problems, lineProblems("", config)...)
	problems = append(problems, timingProblems(config)...)
	if section, ok := config["postgresql"].(map[string]any); ok {
		problems = append(problems, postgresqlProblems(config, section)...)
	}
	return problems
}

func unknownKey(key string, known []string) Problem {
	remedy := "the keys are " + strings.Join(known, ", ")
	if near := suggest.Nearest(key, known); near != "" {
		remedy = "did you mean " + near + "?"
	} else if strings.Contains(key, ".") || strings.HasPrefix(key, "max_") {
		remedy = "parameters of PostgreSQL belong under postgresql.parameters"
	}
	return Problem{key, "Patroni knows no such key", remedy}
}

// timingProblems checks the rule that joins the three timings. Patroni would shorten loop_wait and
// retry_timeout silently.
func timingProblems(config map[string]any) []Problem {
	timing := map[string]int64{"ttl": 30, "loop_wait": 10, "retry_timeout": 10}
	for key := range timing {
		if config[key] == nil {
			continue
		}
		n, ok := integer(config[key])
		if !ok {
			return nil // told already
		}
		timing[key] = n
	}
	if sum := timing["loop_wait"] + 2*timing["retry_timeout"]; sum > timing["ttl"] {
		return []Problem{{
			"ttl", fmt.Sprintf("loop_wait %d + 2 * retry_timeout %d = %d is more than ttl %d",
				timing["loop_wait"], timing["retry_timeout"], sum, timing["ttl"]),
			fmt.Sprintf("raise ttl to %d, or lower the others", sum),
		}}
	}
	return nil
}

func postgresqlProblems(config, section map[string]any) []Problem {
	var problems []Problem
	for _, key := range slices.Sorted(maps.Keys(section)) {
		path := "postgresql." + key
		value := section[key]
		problem, remedy := "", ""
		switch {
		case value == nil:
		case slices.Contains(localKeys, key):
			problem, remedy = "Patroni ignores it in the DCS", "set it in each member's config.yml"
		case key == "use_pg_rewind" || key == "use_slots":
			problem, remedy = boolean(value)
		case key == "pg_hba" || key == "pg_ident" || strings.HasPrefix(key, "pg_hba_") ||
			strings.HasPrefix(key, "pg_ident_"):
			problem, remedy = list(value)
		case key == "pg_ctl_timeout":
			problem, remedy = whole(0)(value)
		case key == "parameters" || strings.HasPrefix(key, "parameters_"):
			parameters, ok := value.(map[string]any)
			if !ok {
				problem, remedy = mapping(value)
				break
			}
			problems = append(problems, parameterProblems(path, config, parameters)...)
		}
		if problem != "" {
			problems = append(problems, Problem{path, problem, remedy})
		}
		if rules, ok := value.([]any); ok && key == "pg_hba" {
			problems = append(problems, hbaProblems(path, rules)...)
		}
	}
	return problems
}

// hbaProblems are the rules that PostgreSQL would refuse, and with them the file.
func hbaProblems(path string, rules []any) []Problem {
	var problems []Problem
	for i, rule := range rules {
		text := strings.TrimSpace(fmt.Sprint(rule))
		if text == "" || text[0] == '#' || strings.HasPrefix(text, "include") {
			continue // read by PostgreSQL as people mean it
		}
		if problem, remedy := hba.Fault(text, newestPostgreSQL); problem != "" {
			problems = append(problems, Problem{fmt.Sprintf("%s[%d]", path, i), problem, remedy})
		}
	}
	return problems
}

// newestPostgreSQL knows most ways to log in.
const newestPostgreSQL = 18

// lineProblems are the texts that would break the file that they reach.
func lineProblems(path string, value any) []Problem {
	var problems []Problem
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			problems = append(problems, lineProblems(path, key)...)
			problems = append(problems, lineProblems(strings.TrimPrefix(path+"."+key, "."),
				v[key])...)
		}
	case []any:
		for i, inner := range v {
			problems = append(problems, lineProblems(fmt.Sprintf("%s[%d]", path, i), inner)...)
		}
	case string:
		if problem, remedy := oneline.Fault(v); problem != "" {
			problems = append(problems, Problem{path, problem, remedy})
		}
	}
	return problems
}

func parameterProblems(path string, config, parameters map[string]any) []Problem {
	limits := parameterRules()
	synchronous := ReadRules(config).Synchronous
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		value := parameters[name]
		if value == nil {
			continue
		}
		problem, remedy := scalar(value)
		if reason, _, found := pgsetting.Controlled(name); found && problem == "" {
			problem, remedy = reason, "leave it out"
		}
		if check, found := limits[strings.ToLower(name)]; found && problem == "" {
			problem, remedy = check(value)
		}
		if reason := refused(name, value, synchronous); reason != "" && problem == "" {
			problem, remedy = reason, "leave it as it is"
		}
		if problem != "" {
			problems = append(problems, Problem{path + "." + name, problem, remedy})
		}
	}
	return problems
}
