package lab

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

//go:embed recipe
var recipe embed.FS

// baseSystem is what debootstrap installs beside its minimal set.
const baseSystem = "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,iputils-ping," +
	"python3-minimal,ca-certificates,procps,nftables,tzdata,apt-utils"

// imageID names the image after everything that goes into it, so that a new
// recipe never meets an old image.
func imageID(rel release) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, rel, baseSystem)
	for _, name := range []string{"chroot.sh", "sign.sh", "apt.conf", "dpkg.conf"} {
		text, err := recipe.ReadFile("recipe/" + name)
		if err != nil {
			return "", fmt.Errorf("read recipe: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	return rel.name + "-" + hex.EncodeToString(h.Sum(nil))[:12], nil
}

// image builds root file systems for one release.
type image struct {
	cache    cache
	release  release
	progress progress
	logger   *slog.Logger
	id       string
	dir      string // being built; renamed when complete
	log      *os.File
}

// ensureImage returns the id of a complete image, built now if it must be.
// A build that died half-way is thrown away: its directory never had the
// image's own name.
func ensureImage(ctx context.Context, o Options, rel release, p progress) (string, error) {
	id, err := imageID(rel)
	if err != nil {
		return "", err
	}
	c := cache(o.CacheDir)
	unlock, err := lock(ctx, c.imageLock(id), true)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(c.image(id)); err == nil {
		return id, nil
	}
	if err := removeTree(c.building(id)); err != nil {
		return "", err
	}
	b := &image{cache: c, release: rel, progress: p, logger: o.Logger, id: id, dir: c.building(id)}
	if err := p.step("", "image", "building the image of Debian "+rel.name,
		func() error { return b.build(ctx) }); err != nil {
		err = errors.Join(err, removeTree(b.dir))
		return "", withHint(fmt.Errorf("build image %s: %w", id, err),
			"the whole log is "+c.buildLog(id))
	}
	return id, nil
}

func (b *image) root() string { return filepath.Join(b.dir, "root") }

func (b *image) build(ctx context.Context) error {
	for _, dir := range []string{b.dir, filepath.Dir(b.cache.buildLog(b.id))} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make build directory: %w", err)
		}
	}
	log, err := os.Create(b.cache.buildLog(b.id))
	if err != nil {
		return fmt.Errorf("make build log: %w", err)
	}
	defer log.Close()
	b.log = log

	if err := b.buildRoot(ctx); err != nil {
		return err
	}
	return os.Rename(b.dir, b.cache.image(b.id))
}

func (b *image) buildRoot(ctx context.Context) error {
	mirror := machineMirror("/etc/apt")
	if mirror == "" {
		return withHint(
			fmt.Errorf("%w: its apt sources name no Debian mirror, from which the hosts' image "+
				"could be built",
				ErrRequirements),
			"add one to /etc/apt/sources.list.d (sources.list(5))")
	}
	b.logger.DebugContext(ctx, "build image", "id", b.id, "release", b.release.name)
	suite := b.release.name
	steps := []struct {
		name, message string
		run           func() error
	}{
		{"bootstrap", "building image: installing the base system",
			func() error { return b.bootstrap(ctx, mirror) }},
		{"download", "building image: downloading packages", func() error {
			return b.chroot(ctx, "download", mirror, suite, fmt.Sprint(b.release.postgres))
		}},
		{"repository", "building image: making the repositories", func() error {
			if err := b.chroot(ctx, "index", suite); err != nil {
				return err
			}
			return b.sign(ctx)
		}},
		{"configure", "building image: configuring the system",
			func() error { return b.chroot(ctx, "configure", suite) }},
	}
	for _, s := range steps {
		if err := b.progress.step("", s.name, s.message, s.run); err != nil {
			return err
		}
	}
	return nil
}

// bootstrap installs the base system and the settings that later package
// installations go by.
func (b *image) bootstrap(ctx context.Context, mirror string) error {
	env := cleanEnv(append(proxyEnv(), aptProxyEnv(ctx)...)...)
	err := runIsolated(ctx, b.log, nil, env, "debootstrap", "--variant=minbase",
		"--include="+baseSystem, b.release.name, b.root(), mirror, b.release.script)
	if err != nil {
		return err
	}
	for name, path := range map[string]string{
		"apt.conf":  "etc/apt/apt.conf.d/00lab",
		"dpkg.conf": "etc/dpkg/dpkg.cfg.d/lab",
	} {
		text, err := recipe.ReadFile("recipe/" + name)
		if err != nil {
			return fmt.Errorf("read recipe: %w", err)
		}
		if err := os.WriteFile(filepath.Join(b.root(), path), text, 0o644); err != nil {
			return fmt.Errorf("write image file: %w", err)
		}
	}
	return os.WriteFile(filepath.Join(b.root(), "etc/apt/apt.conf.d/00build"),
		aptProxyConf(ctx), 0o600)
}

// chroot runs one step of the recipe inside the image.
func (b *image) chroot(ctx context.Context, step ...string) error {
	script, err := recipe.Open("recipe/chroot.sh")
	if err != nil {
		return fmt.Errorf("read recipe: %w", err)
	}
	defer script.Close()
	argv := append([]string{"chroot", b.root(), "/bin/sh", "-s", "--"}, step...)
	return runIsolated(ctx, b.log, script, cleanEnv(proxyEnv()...), argv...)
}

func (b *image) sign(ctx context.Context) error {
	script, err := recipe.Open("recipe/sign.sh")
	if err != nil {
		return fmt.Errorf("read recipe: %w", err)
	}
	defer script.Close()
	codename, err := osReleaseValue(filepath.Join(b.root(), "etc/os-release"), "VERSION_CODENAME")
	if err != nil {
		return err
	}
	return runIsolated(ctx, b.log, script, cleanEnv(), "sh", "-s", "--", b.root(), b.release.name,
		codename)
}

func osReleaseValue(path, key string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read os-release: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.Trim(strings.TrimSpace(value), `"`), nil
		}
	}
	return "", fmt.Errorf("read os-release: no %s", key)
}

// removeTree deletes a directory of the cache, unless something is mounted
// in it: whatever that is, it is not ours to delete.
func removeTree(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read mounts: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 &&
			strings.HasPrefix(fields[1]+"/", dir+"/") {
			return fmt.Errorf("remove %s: something is mounted on %s", dir, fields[1])
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove directory: %w", err)
	}
	return nil
}
