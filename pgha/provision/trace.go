package provision

import (
	"context"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/configtree"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/trail"
)

// trace fills in where the things come from that the changes are about. It reads the hosts' trails,
// and for changes of settings what the last apply knew; a plan without changes costs nothing. What
// cannot be read is left unknown, with a line in the log.
func trace(ctx context.Context, c *site.Site, changes []PlannedChange,
	was map[trail.RecordedChange]*remote.Was) {
	if len(changes) == 0 {
		return
	}
	operations, err := trail.Operations(ctx, c)
	if err != nil {
		c.Log.Warn("who changed what is not known in full", "error", err)
	}
	last := lastWritten(operations)
	touched := map[string]bool{}
	for key := range last {
		touched[key.Host] = true
	}
	broken, unfinished := unfinishedApply(operations)
	if unfinished {
		defer func() {
			for i := range changes {
				changes[i].Origin = changes[i].Origin.blame(broken)
			}
		}()
	}
	var applied, wanted map[string]string
	for i := range changes {
		ch := &changes[i]
		full := trail.RecordedChange{Host: ch.Host, Kind: ch.Kind, Name: ch.Name, Action: ch.Action}
		var host layout.Host
		if h, err := c.Spec.Host(ch.Host); err == nil {
			host = c.LayoutOf(h)
		}
		ch.Origin = originOf(host, *ch, was[full],
			last[trail.RecordedChange{Host: ch.Host, Kind: ch.Kind,
				Name: ch.Name}])
		if len(touched) > 0 && !touched[ch.Host] && ch.Origin.Cause == CauseUnknown {
			ch.Origin.Cause = CauseNew // the host is new in the cluster
		}
		if ch.Kind != "setting" {
			continue
		}
		if applied == nil {
			if applied, wanted, err = appliedSettings(ctx, c); err != nil {
				c.Log.Warn("whether settings drifted is not known", "error", err)
				applied = map[string]string{}
			}
		}
		ch.Origin.Cause = settingCause(applied, wanted, ch.Name)
	}
}

// settingCause tells a setting that somebody changed in the DCS from one that the specification has
// a new value for: the last apply left its own values in the first member's config.yml.
func settingCause(applied, wanted map[string]string, key string) Cause {
	before, known := applied[key]
	switch now, isWanted := wanted[key]; {
	case len(applied) == 0:
		return CauseUnknown
	case known == isWanted && before == now:
		return CauseDrift
	}
	return CauseSpec
}

// appliedSettings reads the dynamic configuration that the last apply worked with, and returns the
// one of now beside it.
func appliedSettings(ctx context.Context,
	c *site.Site) (applied, wanted map[string]string, err error) {
	po, err := c.PatroniOptions()
	if err != nil {
		return nil, nil, err
	}
	dcs, err := site.SpecConfig(po)
	if err != nil {
		return nil, nil, err
	}
	in, err := po.Members[0].Target.Get(ctx, patroni.ConfigPath)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close() //nolint:errcheck // nothing is lost: it was read
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", patroni.ConfigPath, err)
	}
	var file struct {
		Bootstrap struct {
			DCS map[string]any `yaml:"dcs"`
		} `yaml:"bootstrap"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", patroni.ConfigPath, err)
	}
	return configtree.Flatten(file.Bootstrap.DCS), configtree.Flatten(dcs), nil
}
