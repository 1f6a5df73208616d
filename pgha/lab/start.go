package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/etcdrelease"
	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/errs"
)

// startTimeout bounds one host's boot, from launch to a login prompt.
const startTimeout = 90 * time.Second

// Start builds the image if it must, and boots every host that does not run.
// It returns when all of them have finished booting and answer on port 22.
//
// Running it again is safe: it starts what is missing, after a Kill, a
// reboot of the machine or a Start that was interrupted. When it fails, what
// is up stays up; Down removes it. The hosts do not end with this process.
//
// It returns ErrInvalid for options that are wrong by themselves,
// ErrRequirements when the machine lacks something, and
// ErrConflict when the lab exists with other hosts or another release.
func Start(ctx context.Context, options Options) (*Lab, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkMachine(); err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, cache(o.CacheDir).labLock(o.Name), true)
	if err != nil {
		return nil, err
	}
	defer unlock()
	p := newProgress(o)
	r, err := ensureFiles(ctx, o, p)
	if err != nil {
		return nil, err
	}
	l := newLab(o, r)
	l.progress = p
	err = p.step("", "network", "connecting the network",
		func() error { return buildLAN(ctx, l.Name(), r.network()) })
	if err != nil {
		return nil, fmt.Errorf("start lab %s: %w", l.Name(), err)
	}
	if err := l.startAll(ctx); err != nil {
		return nil, fmt.Errorf("start lab %s: %w", l.Name(), err)
	}
	return l, nil
}

// ensureFiles returns the lab's record once everything that the lab needs on disk is there. etcd
// compiles while the image's packages download; one that fails ends the other.
func ensureFiles(ctx context.Context, o Options, p progress) (record, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	etcd := make(chan error, 1)
	go func() {
		err := ensureEtcd(ctx, cache(o.CacheDir), etcdrelease.Default, p)
		if err != nil {
			cancel(err)
		}
		etcd <- err
	}()
	r, err := ensureRecord(ctx, o, p)
	if err != nil {
		cancel(err)
	}
	return r, errs.Join(err, <-etcd)
}

// ensureRecord returns the lab's record, of an existing lab or a new one.
func ensureRecord(ctx context.Context, o Options, p progress) (record, error) {
	c := cache(o.CacheDir)
	r, err := readRecord(c, o.Name)
	if err == nil {
		return r, checkRecord(c, o, r)
	}
	if !errors.Is(err, ErrNotRunning) {
		return r, err
	}
	if namespaceExists(lanNamespace(o.Name)) {
		err := fmt.Errorf("start lab %s: %w: its network exists, its files do not", o.Name,
			ErrConflict)
		return r, withHint(err, "another cache directory may hold that lab; choose another name")
	}
	if o.Release == "" {
		o.Release = defaultRelease
	}
	if o.Hosts == 0 {
		o.Hosts = defaultHosts
	}
	rel, err := releaseByName(o.Release)
	if err != nil {
		return r, err
	}
	image, err := ensureImage(ctx, o, rel, p)
	if err != nil {
		return r, err
	}
	var layers map[string]string
	if o.Installed {
		if layers, err = ensureLayers(ctx, o, image, rel, p); err != nil {
			return r, err
		}
	}
	return prepareLab(c, rel, image, layers, o)
}

// checkRecord refuses options that contradict the existing lab.
func checkRecord(c cache, o Options, r record) error {
	next := errs.Text("remove it first: %s", errs.Verb("lab", "down", "--lab-name", o.Name))
	if o.Hosts != 0 && o.Hosts != len(r.Hosts) {
		return errs.WithNext(fmt.Errorf("start lab %s: %w: it has %d hosts, not %d", o.Name,
			ErrConflict,
			len(r.Hosts), o.Hosts), next)
	}
	if o.Layout != "" && o.Layout != r.Layout {
		return errs.WithNext(fmt.Errorf("start lab %s: %w: it has another layout than %s", o.Name,
			ErrConflict, o.Layout), next)
	}
	databases := 0
	for _, h := range r.Hosts {
		if h.has(RoleDatabase) {
			databases++
		}
	}
	if o.Databases != 0 && o.Databases != databases {
		return errs.WithNext(fmt.Errorf("start lab %s: %w: it has %d databases, not %d", o.Name,
			ErrConflict, databases, o.Databases), next)
	}
	if o.IPv6 && !r.IPv6 {
		return errs.WithNext(fmt.Errorf("start lab %s: %w: its hosts have addresses of IPv4",
			o.Name,
			ErrConflict), next)
	}
	if o.Installed && r.Layers == nil {
		return errs.WithNext(fmt.Errorf("start lab %s: %w: its hosts were bare at first", o.Name,
			ErrConflict), next)
	}
	if o.Release != "" && o.Release != r.Release {
		return errs.WithNext(fmt.Errorf("start lab %s: %w: it runs Debian %s, not %s", o.Name,
			ErrConflict, r.Release, o.Release), next)
	}
	for _, dir := range strings.Split(r.lower(c, RoleDatabase)+":"+r.lower(c, RoleBalancer), ":") {
		if _, err := os.Stat(dir); err != nil {
			return errs.WithNext(fmt.Errorf("start lab %s: find its image: %w", o.Name, err), next)
		}
	}
	return nil
}

// startAll boots the hosts side by side.
func (l *Lab) startAll(ctx context.Context) error {
	return parallel.Each(l.record.Hosts, func(_ int, h hostPlan) error {
		return l.startHost(ctx, h)
	})
}

// startHost boots one host, or waits for one that boots already.
func (l *Lab) startHost(ctx context.Context, h hostPlan) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout,
		fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	err := l.progress.step(h.Name, "boot", "booting", func() error {
		groups, err := openCgroups()
		if err != nil {
			return err
		}
		defer groups.close()
		if !groups.populated(hostNamespace(l.Name(), h.Name)) {
			if err := l.boot(ctx, groups, h); err != nil {
				return err
			}
		}
		return l.waitReady(ctx, groups, h)
	})
	if err != nil {
		return fmt.Errorf("start host %s: %w", h.Name, err)
	}
	return nil
}
