package patroni

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/hba"
	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/internal/suggest"
)

// ConfigProblem is one thing that is wrong with a dynamic configuration.
type ConfigProblem struct {
	// Key is the path to the setting, with dots.
	Key string `json:"key"`
	// Problem says what is wrong, Remedy what to do.
	Problem string `json:"problem"`
	Remedy  string `json:"remedy"`
}

// String says it in one line.
func (p ConfigProblem) String() string { return p.Key + ": " + p.Problem + "; " + p.Remedy }

// ConfigError is all that is wrong with a dynamic configuration. It matches ErrInvalid.
type ConfigError struct{ Problems []ConfigProblem }

// Error says it all, one problem a line when there are several.
func (e *ConfigError) Error() string {
	if len(e.Problems) == 1 {
		return "invalid configuration: " + e.Problems[0].String()
	}
	text := fmt.Sprintf("invalid configuration: %d problems:", len(e.Problems))
	for _, p := range e.Problems {
		text += "\n  - " + p.String()
	}
	return text
}

// Is makes the error match ErrInvalid.
func (e *ConfigError) Is(target error) bool { return target == ErrInvalid }

// ValidateDynamic refuses a dynamic configuration that Patroni would ignore in part, or change silently: unknown keys, values
// of the wrong type, timings against its rules, and parameters of PostgreSQL that it controls. The error is a *ConfigError
// with everything that is wrong; it matches ErrInvalid. Whether PostgreSQL knows the parameters is not looked at. Pure
// computation.
func ValidateDynamic(config map[string]any) error {
	if problems := dynamicProblems(config); len(problems) > 0 {
		return &ConfigError{problems}
	}
	return nil
}

// newProblems refuses what a change would make wrong. What was wrong before is no reason against another change.
func newProblems(before, after map[string]any) error {
	known := dynamicProblems(before)
	problems := slices.DeleteFunc(dynamicProblems(after), func(p ConfigProblem) bool { return slices.Contains(known, p) })
	if len(problems) > 0 {
		return &ConfigError{problems}
	}
	return nil
}

// dynamicRules are the keys that Patroni knows in the DCS.
func dynamicRules() map[string]rule {
	return map[string]rule{
		"ttl": whole(20), "loop_wait": whole(1), "retry_timeout": whole(3),
		"maximum_lag_on_failover": whole(0), "maximum_lag_on_syncnode": whole(-1), "max_timelines_history": whole(0),
		"primary_start_timeout": whole(0), "primary_stop_timeout": whole(0), "primary_race_backoff": whole(0),
		"master_start_timeout": whole(0), "master_stop_timeout": whole(0),
		"synchronous_node_count": whole(1), "synchronous_mode": synchronousWord, "synchronous_mode_strict": boolean,
		"failsafe_mode": boolean, "check_timeline": boolean, "pause": boolean,
		"member_slots_ttl": duration,
		"postgresql":       mapping, "standby_cluster": mapping,
		"slots": mapping, "permanent_slots": mapping, "permanent_replication_slots": mapping, "ignore_slots": list,
	}
}

// localKeys of the section postgresql count only in a member's own config.yml.
var localKeys = []string{"authentication", "config_dir", "connect_address", "data_dir", "listen", "pgpass", "proxy_address"}

func dynamicProblems(config map[string]any) []ConfigProblem {
	known := dynamicRules()
	var problems []ConfigProblem
	for _, key := range slices.Sorted(maps.Keys(config)) {
		check, found := known[key]
		switch {
		case config[key] == nil:
		case !found:
			problems = append(problems, unknownKey(key, slices.Sorted(maps.Keys(known))))
		default:
			if problem, remedy := check(config[key]); problem != "" {
				problems = append(problems, ConfigProblem{key, problem, remedy})
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

func unknownKey(key string, known []string) ConfigProblem {
	remedy := "the keys are " + strings.Join(known, ", ")
	if near := suggest.Nearest(key, known); near != "" {
		remedy = "did you mean " + near + "?"
	} else if strings.Contains(key, ".") || strings.HasPrefix(key, "max_") {
		remedy = "parameters of PostgreSQL belong under postgresql.parameters"
	}
	return ConfigProblem{key, "Patroni knows no such key", remedy}
}

// timingProblems checks the rule that joins the three timings. Patroni would shorten loop_wait and retry_timeout silently.
func timingProblems(config map[string]any) []ConfigProblem {
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
		return []ConfigProblem{{
			"ttl", fmt.Sprintf("loop_wait %d + 2 * retry_timeout %d = %d is more than ttl %d", timing["loop_wait"], timing["retry_timeout"], sum, timing["ttl"]),
			fmt.Sprintf("raise ttl to %d, or lower the others", sum),
		}}
	}
	return nil
}

func postgresqlProblems(config, section map[string]any) []ConfigProblem {
	var problems []ConfigProblem
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
		case key == "pg_hba" || key == "pg_ident" || strings.HasPrefix(key, "pg_hba_") || strings.HasPrefix(key, "pg_ident_"):
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
			problems = append(problems, ConfigProblem{path, problem, remedy})
		}
		if rules, ok := value.([]any); ok && key == "pg_hba" {
			problems = append(problems, hbaProblems(path, rules)...)
		}
	}
	return problems
}

// hbaProblems are the rules that PostgreSQL would refuse, and with them the file.
func hbaProblems(path string, rules []any) []ConfigProblem {
	var problems []ConfigProblem
	for i, rule := range rules {
		text := strings.TrimSpace(fmt.Sprint(rule))
		if text == "" || text[0] == '#' || strings.HasPrefix(text, "include") {
			continue // read by PostgreSQL as people mean it
		}
		if problem, remedy := hba.Fault(text, newestPostgreSQL); problem != "" {
			problems = append(problems, ConfigProblem{fmt.Sprintf("%s[%d]", path, i), problem, remedy})
		}
	}
	return problems
}

// newestPostgreSQL knows most ways to log in.
const newestPostgreSQL = 18

// lineProblems are the texts that would break the file that they reach.
func lineProblems(path string, value any) []ConfigProblem {
	var problems []ConfigProblem
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			problems = append(problems, lineProblems(path, key)...)
			problems = append(problems, lineProblems(strings.TrimPrefix(path+"."+key, "."), v[key])...)
		}
	case []any:
		for i, inner := range v {
			problems = append(problems, lineProblems(fmt.Sprintf("%s[%d]", path, i), inner)...)
		}
	case string:
		if problem, remedy := oneline.Fault(v); problem != "" {
			problems = append(problems, ConfigProblem{path, problem, remedy})
		}
	}
	return problems
}

// parameterRules are the parameters for which Patroni has limits of its own: outside of them it takes its default.
func parameterRules() map[string]rule {
	return map[string]rule{
		"max_connections": whole(25), "max_wal_senders": whole(3), "max_prepared_transactions": whole(0),
		"max_locks_per_transaction": whole(32), "max_replication_slots": whole(4), "max_worker_processes": whole(2),
		"wal_keep_segments": whole(1), "track_commit_timestamp": boolean, "wal_log_hints": boolean,
	}
}

func parameterProblems(path string, config, parameters map[string]any) []ConfigProblem {
	limits := parameterRules()
	o := Options{SynchronousMode: SynchronousOff}
	if parseRules(config).synchronous {
		o.SynchronousMode = SynchronousOn
	}
	var problems []ConfigProblem
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		value := parameters[name]
		if value == nil {
			continue
		}
		problem, remedy := scalar(value)
		if reason, found := controlled[strings.ToLower(name)]; found && problem == "" {
			problem, remedy = reason, "leave it out"
		}
		if check, found := limits[strings.ToLower(name)]; found && problem == "" {
			problem, remedy = check(value)
		}
		if problem == "" {
			if err := o.checkParameter(name, value); err != nil {
				problem, remedy = strings.TrimPrefix(err.Error(), "parameter "+strings.ToLower(name)+": "), "leave it as it is"
			}
		}
		if problem != "" {
			problems = append(problems, ConfigProblem{path + "." + name, problem, remedy})
		}
	}
	return problems
}
