package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pgha/toolkit/internal/parallel"
)

// downTimeout bounds the removal when the caller sets no deadline.
const downTimeout = time.Minute

// Down kills all hosts and removes the lab: processes, namespaces, control
// groups and its directory. Images and the etcd archive stay in the cache.
// It also cleans up what a killed or interrupted Start left. Running it
// again is fine. After an error, run it again.
func (l *Lab) Down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	unlock, err := lock(ctx, l.cache.labLock(l.Name()), true)
	if err != nil {
		return err
	}
	defer unlock()
	current, err := readRecord(l.cache, l.Name())
	if errors.Is(err, ErrNotRunning) || err == nil && !current.Created.Equal(l.record.Created) {
		return nil // somebody else removed it, and may have made another
	}
	if err != nil {
		return err
	}
	whole := *l
	whole.record = current // somebody may have added hosts
	err = l.progress.step("", "down", "removing the lab", func() error { return whole.remove(ctx) })
	if err != nil {
		return fmt.Errorf("remove lab %s: %w", l.Name(), err)
	}
	return nil
}

// Down removes the lab of that name whether it runs, is half-started or was
// left over by a reboot of the machine. No such lab is fine.
func Down(ctx context.Context, options Options) error {
	o, err := options.withDefaults()
	if err != nil {
		return err
	}
	c := cache(o.CacheDir)
	r, err := readRecord(c, o.Name)
	if err == nil {
		return newLab(o, r).Down(ctx)
	}
	if !errors.Is(err, ErrNotRunning) {
		return err
	}
	unlock, err := lock(ctx, c.labLock(o.Name), true)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := readRecord(c, o.Name); err == nil {
		return nil // a Start was quicker
	}
	return removeTree(c.lab(o.Name)) // a Start that ended before its record
}

func (l *Lab) remove(ctx context.Context) error {
	err := parallel.Each(l.record.Hosts, func(_ int, h hostPlan) error {
		return l.powerOff(ctx, h)
	})
	if err != nil {
		return err
	}
	if err := removeNetwork(ctx, l.Name(), l.record.Hosts); err != nil {
		return err
	}
	return removeTree(l.cache.lab(l.Name()))
}

// Status is one line of List.
type Status struct {
	Name    string
	Release string
	Created time.Time
	Hosts   int // how many it has
	Running int // how many of them have power
}

// List returns the labs of a cache directory, by name, running or not. An
// empty cacheDir is DefaultCacheDir; one that does not exist has no labs.
func List(ctx context.Context, cacheDir string) ([]Status, error) {
	o, err := Options{CacheDir: cacheDir}.withDefaults()
	if err != nil {
		return nil, err
	}
	c := cache(o.CacheDir)
	entries, err := os.ReadDir(c.labs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var all []Status
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		r, err := readRecord(c, e.Name())
		if errors.Is(err, ErrNotRunning) { // being made, or an interrupted Start
			continue
		}
		if err != nil {
			return nil, err
		}
		s := Status{Name: r.Name, Release: r.Release, Created: r.Created, Hosts: len(r.Hosts)}
		for _, h := range newLab(o, r).Hosts() {
			if h.Running {
				s.Running++
			}
		}
		all = append(all, s)
	}
	return all, nil
}
