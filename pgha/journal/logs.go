package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/record"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// What is read, as package record has it.
type (
	LogComponent = record.LogComponent
	LogsOptions  = record.LogsOptions
	LogEntry     = record.LogEntry
)

// The components; see package record.
const (
	LogPatroni    = record.LogPatroni
	LogPostgreSQL = record.LogPostgreSQL
	LogEtcd       = record.LogEtcd
	LogHAProxy    = record.LogHAProxy
	LogKeepalived = record.LogKeepalived
	LogSystem     = record.LogSystem
	LogAll        = record.LogAll
)

// ErrUnknownComponent is what errors.Is finds where a log was asked for that no host keeps.
var ErrUnknownComponent = errs.New(errs.NotFound, "unknown component")

// LogComponents returns all components, in the order in which a reader looks for them.
func LogComponents() []LogComponent { return record.LogComponents() }

// Logs reads the journals of the right units on the right hosts, merges them by time and hands them
// to yield one by one; an error of yield ends it and is returned. It holds no more in memory than
// one line of each host, or opts.Lines of each. When following, lines of different hosts are put in
// order as far as they arrive within a quarter of a second.
//
// Logs changes nothing. When ctx ends it returns ctx's error, and no journalctl of it is left on a
// host. Hosts that cannot be read are reported to opts.Warn; ErrUnreachable only when that is every
// one of them. ErrUnknownComponent and spec.ErrUnknownHost are about the options. A PostgreSQL that
// writes its own files (logging_collector) is reported to opts.Warn as well, with where they are.
func Logs(ctx context.Context, c *site.Site, opts LogsOptions, yield func(LogEntry) error) error {
	readers, err := journals(c, opts)
	if err != nil {
		return fmt.Errorf("read logs: %w", err)
	}
	l := &logs{LogsOptions: opts, readers: readers}
	if err := l.reach(ctx); err != nil {
		return fmt.Errorf("read logs: %w", err)
	}
	switch {
	case opts.Follow:
		err = l.follow(ctx, yield)
	case opts.Lines > 0:
		err = l.last(ctx, yield)
	default:
		err = l.forward(ctx, yield)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// logs is one call of Logs.
type logs struct {
	LogsOptions
	readers []*journal
	mu      sync.Mutex
}

func (l *logs) warn(host string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Warn != nil {
		l.Warn(host, err)
	}
}

// journals chooses hosts and units.
func journals(c *site.Site, opts LogsOptions) ([]*journal, error) {
	if !slices.Contains(LogComponents(), opts.Component) {
		return nil, fmt.Errorf("%w %q: there are %v", ErrUnknownComponent, opts.Component,
			LogComponents())
	}
	if opts.Follow && !opts.Until.IsZero() {
		return nil, errors.New("what is followed has no end: leave Until or Follow out")
	}
	hosts, named := c.Spec.Hosts, len(opts.Hosts) > 0
	if named {
		hosts = nil
		for _, name := range opts.Hosts {
			h, err := c.Spec.Host(name)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(hosts, func(o spec.Host) bool { return o.Name == h.Name }) {
				hosts = append(hosts, h)
			}
		}
	}
	var readers []*journal
	for _, h := range hosts {
		units := loggingUnits(c, opts.Component, h)
		runs := len(units) > 0 || opts.Component == LogSystem
		if !runs && named {
			return nil, fmt.Errorf("%w: %s is a %s and runs no %s", ErrUnknownComponent, h.Name,
				h.RoleNames(), opts.Component)
		}
		if !runs {
			continue
		}
		t, err := c.LenientTarget(h.Name)
		if err != nil {
			return nil, err
		}
		readers = append(readers, &journal{target: t, units: units, component: opts.Component})
	}
	if len(readers) == 0 {
		return nil, fmt.Errorf("%w: no host of this cluster runs %s", ErrUnknownComponent,
			opts.Component)
	}
	return readers, nil
}

// loggingUnits are the units of a host whose journals hold a component's lines.
func loggingUnits(c *site.Site, component LogComponent, h spec.Host) []string {
	units := c.UnitsOf(h)
	if component == LogPostgreSQL {
		component = LogPatroni
	}
	return slices.DeleteFunc(units, func(unit string) bool {
		return component != LogAll && unit != string(component)+".service"
	})
}

// reach drops the hosts that do not answer, and finds where the journals of the others end now.
func (l *logs) reach(ctx context.Context) error {
	var mu sync.Mutex
	reached := map[*journal]bool{}
	var failed []error
	err := eachReader(ctx, l.readers, func(ctx context.Context, j *journal) error {
		files, err := j.look(ctx)
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err)
			l.warn(j.target.Name, err)
			return nil
		}
		if files != "" && l.Component != LogPatroni {
			l.warn(j.target.Name,
				remote.WithHint(fmt.Errorf("PostgreSQL writes its log into files of its own "+
					"(logging_collector): %s",
					files),
					"read them on the host"))
		}
		mu.Lock()
		defer mu.Unlock()
		reached[j] = true
		return nil
	})
	if err != nil {
		return err
	}
	l.readers = slices.DeleteFunc(l.readers, func(j *journal) bool { return !reached[j] })
	if len(l.readers) == 0 {
		return errs.Join(failed...)
	}
	return ctx.Err()
}

func eachReader(ctx context.Context, readers []*journal,
	f func(context.Context, *journal) error) error {
	targets := make([]*remote.Target, len(readers))
	byTarget := map[*remote.Target]*journal{}
	for i, j := range readers {
		targets[i], byTarget[j.target] = j.target, j
	}
	return remote.Each(ctx, targets, func(ctx context.Context, t *remote.Target) error {
		return f(ctx, byTarget[t])
	})
}

// forward reads everything from the oldest on.
func (l *logs) forward(ctx context.Context, yield func(LogEntry) error) error {
	sources := make([]source, len(l.readers))
	for i, j := range l.readers {
		sources[i] = l.tolerant(j, j.entries(ctx, l.bounds()...))
	}
	return merge(sources, func(e LogEntry) error {
		l.readerOf(e).cursor = e.Cursor
		return yield(e)
	})
}

// last reads the last lines of all hosts together.
func (l *logs) last(ctx context.Context, yield func(LogEntry) error) error {
	tails := make([][]LogEntry, len(l.readers))
	err := eachReader(ctx, l.readers, func(ctx context.Context, j *journal) error {
		i := slices.Index(l.readers, j)
		for e := range l.tolerant(j, j.entries(ctx, append(l.bounds(), "--reverse")...)) {
			tails[i] = append(tails[i], e)
			if len(tails[i]) == l.Lines {
				break
			}
		}
		slices.Reverse(tails[i])
		return nil
	})
	if err != nil {
		return err
	}
	total := 0
	sources := make([]source, len(tails))
	for i, tail := range tails {
		total += len(tail)
		sources[i] = slices.Values(tail)
		if len(tail) > 0 {
			l.readers[i].cursor = tail[len(tail)-1].Cursor
		}
	}
	return merge(sources, func(e LogEntry) error {
		if total--; total >= l.Lines {
			return nil
		}
		return yield(e)
	})
}

// follow reads what is there, and continues after that.
func (l *logs) follow(ctx context.Context, yield func(LogEntry) error) error {
	var err error
	switch {
	case l.Lines > 0:
		err = l.last(ctx, yield)
	case !l.Since.IsZero():
		err = l.forward(ctx, yield)
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	sources := make([]source, len(l.readers))
	for i, j := range l.readers {
		argv := []string{"--follow", "--no-tail"}
		if j.cursor != "" {
			argv = append(argv, "--after-cursor="+j.cursor)
		}
		sources[i] = l.tolerant(j, j.entries(ctx, argv...))
	}
	return interleave(ctx, sources, settle, yield)
}

// bounds are journalctl's arguments for Since and Until.
func (l *logs) bounds() []string {
	var argv []string
	stamp := func(t time.Time) string {
		return fmt.Sprintf("@%d.%06d", t.Unix(), t.Nanosecond()/1000)
	}
	if !l.Since.IsZero() {
		argv = append(argv, "--since="+stamp(l.Since))
	}
	if !l.Until.IsZero() {
		argv = append(argv, "--until="+stamp(l.Until))
	}
	return argv
}

// tolerant turns a host's error into a warning.
func (l *logs) tolerant(j *journal, entries func(func(LogEntry, error) bool)) source {
	return func(yield func(LogEntry) bool) {
		for e, err := range entries {
			if err != nil {
				l.warn(j.target.Name, err)
				return
			}
			if !yield(e) {
				return
			}
		}
	}
}

func (l *logs) readerOf(e LogEntry) *journal {
	return l.readers[slices.IndexFunc(l.readers, func(j *journal) bool {
		return j.target.Name == e.Host
	})]
}
