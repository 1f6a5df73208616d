package site

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/pgsetting"
	"github.com/pgha/toolkit/pgha/patroni"
)

// SettingsSQL asks for every setting, in the columns of pgsetting.Setting.
const SettingsSQL = `SELECT name, setting, current_setting(name) AS shown, coalesce(unit, ''), vartype, context, source,
	coalesce(sourcefile, ''), coalesce(min_val, ''), coalesce(max_val, ''), coalesce(enumvals, '{}'), pending_restart
FROM pg_settings`

// SpecConfig is the dynamic configuration that the options stand for. It is what a new cluster
// would be made with.
func SpecConfig(po patroni.Options) (map[string]any, error) {
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

// meaning asks PostgreSQL for its settings, and returns what tells whether two texts are the same
// value of one.
func (c *Site) meaning(ctx context.Context) (func(name, a, b string) bool, error) {
	var all []pgsetting.Setting
	err := c.WithSQL(ctx, c.WriteRoute(), func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, SettingsSQL)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[pgsetting.Setting])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	byName := map[string]pgsetting.Setting{}
	for _, s := range all {
		byName[strings.ToLower(s.Name)] = s
	}
	return func(name, a, b string) bool { return byName[strings.ToLower(name)].Same(a, b) }, nil
}
