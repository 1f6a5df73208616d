package patroni

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha/patroni/dynamic"
	"github.com/pgha/toolkit/pgha/remote"
)

// written returns what an earlier run wrote into the DCS: the section bootstrap.dcs of the first
// member's config.yml, which stands there as long as the specification says so. found is false on
// hosts that have no config.yml yet. While the first member is left out nothing is known of it, and
// what the specification names no more stays in the DCS. The DCS is brought in line before the
// files, so that an interrupted run forgets nothing.
func written(ctx context.Context, o Options) (dcs map[string]any, found bool, err error) {
	for _, m := range there(o) {
		section, there, err := bootstrapOf(ctx, m)
		if err != nil {
			return nil, false, err
		}
		found = found || there
		if section != nil {
			return section, true, nil
		}
	}
	return nil, found, nil
}

// bootstrapOf reads one member's file. A file that is no YAML has no section: this run replaces it.
func bootstrapOf(ctx context.Context, m Member) (dcs map[string]any, there bool, err error) {
	in, err := m.Target.Get(ctx, ConfigPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, remote.OnHost(m.Target.Name, err)
	}
	defer in.Close() //nolint:errcheck // nothing is lost: it was read
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, false, remote.OnHost(m.Target.Name, fmt.Errorf("read %s: %w", ConfigPath, err))
	}
	var file struct {
		Bootstrap struct {
			DCS map[string]any `yaml:"dcs"`
		} `yaml:"bootstrap"`
	}
	if yaml.Unmarshal(text, &file) != nil {
		return nil, true, nil
	}
	dcs, err = dynamic.Normalize(file.Bootstrap.DCS)
	if err != nil || len(dcs) == 0 {
		return nil, true, nil
	}
	return dcs, true, nil
}
