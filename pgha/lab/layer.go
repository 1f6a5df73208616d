package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// layer is what the packages of one role add to an image. Hosts of a lab with Options.Installed
// have it between the image and what is their own.
type layer struct {
	id       string
	role     string
	packages []string
}

func (c cache) layer(id string) string { return c.path("layers", id) }

// layersOf returns the layers of an image by role. They are named after everything that goes
// into them.
func layersOf(image string, rel release) (map[string]layer, error) {
	text, err := recipe.ReadFile("recipe/layer.sh")
	if err != nil {
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	database := []string{
		fmt.Sprintf("postgresql-%d", rel.postgres), "patroni", "python3-etcd", "python3-dnspython",
	}
	if rel.hostEtcd {
		database = append(database, "etcd-server", "etcd-client")
	}
	layers := map[string]layer{}
	for role, packages := range map[string][]string{
		RoleDatabase: database,
		RoleBalancer: {"haproxy", "keepalived"},
	} {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", image, packages, text))
		id := image + "-" + role + "-" + hex.EncodeToString(sum[:])[:8]
		layers[role] = layer{id: id, role: role, packages: packages}
	}
	return layers, nil
}

// ensureLayers makes the layers of an image that are not there yet, and returns all of them.
func ensureLayers(
	ctx context.Context, o Options, image string, rel release, p progress,
) (map[string]string, error) {
	layers, err := layersOf(image, rel)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, role := range []string{RoleDatabase, RoleBalancer} {
		l := layers[role]
		if err := l.ensure(ctx, cache(o.CacheDir), image, p); err != nil {
			return nil, err
		}
		ids[role] = l.id
	}
	return ids, nil
}

func (l layer) ensure(ctx context.Context, c cache, image string, p progress) error {
	unlock, err := lock(ctx, c.imageLock(l.id), true)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(c.layer(l.id)); err == nil {
		return nil
	}
	message := "installing the packages of a " + l.role
	err = p.step("", "layer", message, func() error { return l.build(ctx, c, image) })
	if err != nil {
		err = fmt.Errorf("build layer %s: %w", l.id, err)
		return withHint(err, "the whole log is "+c.buildLog(l.id))
	}
	return nil
}

// build makes the layer beside its place and moves it there once it is whole.
func (l layer) build(ctx context.Context, c cache, image string) error {
	building := c.layer(".building-" + l.id)
	if err := removeTree(building); err != nil {
		return err
	}
	for _, dir := range []string{building, filepath.Dir(c.buildLog(l.id))} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make layer directory: %w", err)
		}
	}
	log, err := os.Create(c.buildLog(l.id))
	if err != nil {
		return fmt.Errorf("make build log: %w", err)
	}
	defer log.Close()
	script, err := recipe.Open("recipe/layer.sh")
	if err != nil {
		return fmt.Errorf("read recipe: %w", err)
	}
	defer script.Close()
	argv := []string{"/bin/sh", "-s", "--", c.root(image), building}
	argv = append(argv, l.packages...)
	if err := runIsolated(ctx, log, script, cleanEnv(), argv...); err != nil {
		return errors.Join(err, removeTree(building))
	}
	return os.Rename(building, c.layer(l.id))
}

// lower returns the layers under a host's own, as the kernel's overlay wants them: the uppermost
// first.
func (r record) lower(c cache, role string) string {
	layers := []string{c.root(r.Image)}
	if id, ok := r.Layers[role]; ok {
		layers = []string{filepath.Join(c.layer(id), "upper"), c.root(r.Image)}
	}
	return strings.Join(layers, ":")
}
