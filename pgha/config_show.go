package pgha

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/patroni"
)

// ConfigReport holds every place where a setting of the cluster can stand, side by side.
type ConfigReport struct {
	Cluster string `json:"cluster"`
	// Members in the spec's order.
	Members []string    `json:"members"`
	Rows    []ConfigRow `json:"rows"`
	// Errors holds, by member, what could not be read there.
	Errors map[string]string `json:"errors,omitempty"`
}

// ConfigRow is one setting. A nil value means that it does not stand there.
type ConfigRow struct {
	// Key is the path in the dynamic configuration, with dots: "ttl", "postgresql.parameters.work_mem".
	Key string `json:"key"`
	// Spec is what the next Apply would set, in the DCS or, for Local settings, in every member's config.yml.
	Spec *string `json:"spec"`
	DCS  *string `json:"dcs"`
	// Local: the setting belongs into each member's config.yml, not into the DCS.
	Local   bool                     `json:"local"`
	Members map[string]MemberSetting `json:"members,omitempty"`
	// Differs says that the places do not agree, and Why in which way.
	Differs bool     `json:"differs"`
	Why     []string `json:"why,omitempty"`
}

// MemberSetting is a setting on one member.
type MemberSetting struct {
	// File is the value in the member's config.yml.
	File *string `json:"file"`
	// Actual is what PostgreSQL uses, as SHOW writes it; nil for settings of Patroni and where PostgreSQL does not answer.
	Actual *string `json:"actual"`
	// Source is where PostgreSQL has it from, with the file if it is one: "command line", "configuration file postgresql.auto.conf".
	Source         string `json:"source,omitempty"`
	PendingRestart bool   `json:"pending_restart"`
}

// Differences counts the rows in which something differs.
func (r ConfigReport) Differences() int {
	n := 0
	for _, row := range r.Rows {
		if row.Differs {
			n++
		}
	}
	return n
}

// Config compares, for every setting that stands anywhere, the specification, the dynamic configuration in the DCS, each
// member's config.yml and what PostgreSQL uses, in whatever units each is written. A member that does not answer is named
// in Errors; without a DCS that answers the error matches patroni.ErrUnavailable. Changes nothing.
func (c *Cluster) Config(ctx context.Context) (ConfigReport, error) {
	report := ConfigReport{Cluster: c.Spec.Cluster, Errors: map[string]string{}}
	po, err := c.patroniOptions()
	if err != nil {
		return report, err
	}
	wanted, err := specConfig(po)
	if err != nil {
		return report, err
	}
	client := patroni.NewClient(po)
	dynamic, err := client.Config(ctx)
	if err != nil {
		return report, err
	}
	state, err := client.Cluster(ctx)
	if err != nil {
		return report, err
	}
	members, err := c.memberConfigs(ctx, po, slices.Concat(customNames(wanted), customNames(dynamic)))
	if err != nil {
		return report, err
	}
	for i, m := range members {
		report.Members = append(report.Members, m.name)
		if m.err != nil {
			report.Errors[m.name] = m.err.Error()
		}
		if seen, ok := state.Member(m.name); ok {
			members[i].pending = seen.PendingReason
		}
	}
	report.Rows = compareConfigs(flatten(wanted), flatten(dynamic), dynamicProblems(dynamic), members)
	return report, nil
}

// memberConfigs reads all members at the same time.
func (c *Cluster) memberConfigs(ctx context.Context, po patroni.Options, custom []string) ([]memberConfig, error) {
	members := make([]memberConfig, len(po.Members))
	errs := make([]error, len(po.Members))
	var wg sync.WaitGroup
	for i, m := range po.Members {
		members[i].name = m.Name
		wg.Go(func() {
			rendered, err := patroni.Config(po, m)
			if err == nil {
				members[i].wanted, err = parseFile(rendered)
			}
			errs[i] = err
			members[i].err = c.readMember(ctx, &members[i], m.Target, custom)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return members, ctx.Err()
}

// specConfig is the dynamic configuration that the options stand for. It is what a new cluster would be made with.
func specConfig(po patroni.Options) (map[string]any, error) {
	if len(po.Members) == 0 {
		return nil, fmt.Errorf("%w: no members", patroni.ErrInvalid)
	}
	rendered, err := patroni.Config(po, po.Members[0])
	if err != nil {
		return nil, err
	}
	var file struct {
		Bootstrap struct {
			DCS map[string]any `yaml:"dcs"`
		} `yaml:"bootstrap"`
	}
	if err := yaml.Unmarshal(rendered, &file); err != nil {
		return nil, fmt.Errorf("read the rendered configuration: %w", err)
	}
	dcs := file.Bootstrap.DCS
	if po.SynchronousMode == patroni.SynchronousQuorum {
		dcs["synchronous_mode"] = "quorum" // set after the bootstrap only
	}
	return dcs, nil
}

// parseFile reads the settings of a config.yml.
func parseFile(text []byte) (map[string]string, error) {
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read %s: %w", patroni.ConfigPath, err)
	}
	delete(file, "bootstrap")
	return flatten(file), nil
}

// parameters is where PostgreSQL's settings stand.
const parameters = "postgresql.parameters."

// flatten gives every single setting the path to it as its key. Names of parameters are in lower case, because PostgreSQL
// does not tell them apart.
func flatten(config map[string]any) map[string]string {
	flat := map[string]string{}
	var walk func(prefix string, config map[string]any)
	walk = func(prefix string, config map[string]any) {
		for key, value := range config {
			if prefix == parameters {
				key = strings.ToLower(key)
			}
			switch v := value.(type) {
			case nil:
			case map[string]any:
				walk(prefix+key+".", v)
			default:
				flat[prefix+key] = configText(v)
			}
		}
	}
	walk("", config)
	return flat
}

var passwords = regexp.MustCompile(`(password=)('[^']*'|\S+)|(://[^:/@\s]+:)[^@\s]+(@)`)

// configText writes a value as a person would, without passwords.
func configText(value any) string {
	text := fmt.Sprint(value)
	if _, isList := value.([]any); isList {
		if encoded, err := json.Marshal(value); err == nil {
			text = string(encoded)
		}
	}
	return hidePasswords(text)
}

func hidePasswords(text string) string { return passwords.ReplaceAllString(text, "$1$3[redacted]$4") }

// customNames are the parameters that only extensions know.
func customNames(config map[string]any) []string {
	var names []string
	for key := range flatten(config) {
		if name, ok := strings.CutPrefix(key, parameters); ok && strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

// dynamicProblems is what Patroni will not take as it stands, by key.
func dynamicProblems(dynamic map[string]any) map[string]string {
	found := map[string]string{}
	if err := patroni.ValidateDynamic(dynamic); err != nil {
		for _, p := range configProblems(err) {
			found[p.Key] = p.Problem
		}
	}
	return found
}

// sortedKeys returns the keys of several maps, each once.
func sortedKeys(all ...map[string]string) []string {
	seen := map[string]bool{}
	for _, m := range all {
		for key := range m {
			seen[key] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
