package settings

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/internal/site"
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
	// Key is the path in the dynamic configuration, with dots: "ttl",
	// "postgresql.parameters.work_mem".
	Key string `json:"key"`
	// Spec is what the next Apply would set, in the DCS or, for Local settings, in every member's
	// config.yml.
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
	// Actual is what PostgreSQL uses, as SHOW writes it; nil for settings of Patroni and where
	// PostgreSQL does not answer.
	Actual *string `json:"actual"`
	// Source is where PostgreSQL has it from, with the file if it is one: "command line",
	// "configuration file postgresql.auto.conf".
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

// Config compares, for every setting that stands anywhere, the specification, the dynamic
// configuration in the DCS, each member's config.yml and what PostgreSQL uses, in whatever units
// each is written. A member that does not answer is named in Errors; without a DCS that answers the
// error matches patroni.ErrUnavailable. Changes nothing.
func Config(ctx context.Context, c *site.Site) (ConfigReport, error) {
	report := ConfigReport{Cluster: c.Spec.Cluster, Errors: map[string]string{}}
	po, err := c.PatroniOptions()
	if err != nil {
		return report, err
	}
	wanted, err := site.SpecConfig(po)
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
	members, err := memberConfigs(ctx, c, po, slices.Concat(configtree.CustomNames(wanted),
		configtree.CustomNames(dynamic)))
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
	report.Rows = compareConfigs(configtree.Flatten(wanted), configtree.Flatten(dynamic),
		dynamicProblems(dynamic), members)
	return report, nil
}

// memberConfigs reads all members at the same time.
func memberConfigs(ctx context.Context, c *site.Site, po patroni.Options,
	custom []string) ([]memberConfig, error) {
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
			members[i].err = readMember(ctx, c, &members[i], m.Target, custom)
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

// parseFile reads the settings of a config.yml.
func parseFile(text []byte) (map[string]string, error) {
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read %s: %w", patroni.ConfigPath, err)
	}
	delete(file, "bootstrap")
	return configtree.Flatten(file), nil
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
