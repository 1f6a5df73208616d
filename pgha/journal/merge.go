package journal

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// source yields one host's entries in the order in which its journal has them.
type source = iter.Seq[LogEntry]

// settle is how long a line that was just written waits for lines of other hosts that are older.
const settle = 250 * time.Millisecond

// merge yields the entries of all sources by time, holding one of each. Entries of one source keep
// their order, whatever their times: clocks are set back now and then.
func merge(sources []source, yield func(LogEntry) error) error {
	type head struct {
		entry LogEntry
		next  func() (LogEntry, bool)
	}
	var heads []*head
	for _, s := range sources {
		next, stop := iter.Pull(s)
		defer stop()
		if e, ok := next(); ok {
			heads = append(heads, &head{e, next})
		}
	}
	for len(heads) > 0 {
		first := slices.MinFunc(heads, func(a, b *head) int {
			return a.entry.Time.Compare(b.entry.Time)
		})
		if err := yield(first.entry); err != nil {
			return err
		}
		var ok bool
		if first.entry, ok = first.next(); !ok {
			heads = slices.DeleteFunc(heads, func(h *head) bool { return h == first })
		}
	}
	return nil
}

// interleave yields entries as they arrive, each held back for wait so that an older one of another
// source can go first. What waits is bounded by what arrives in that time: sources are not read
// while yield is busy. It ends with ctx, with yield's error, or when all sources have ended.
func interleave(ctx context.Context, sources []source, wait time.Duration,
	yield func(LogEntry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	arriving := make(chan LogEntry)
	var readers sync.WaitGroup
	for _, s := range sources {
		readers.Go(func() {
			for e := range s {
				select {
				case arriving <- e:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { readers.Wait(); close(ended) }()
	defer func() { cancel(); <-ended }()

	type waiting struct {
		LogEntry
		due time.Time
	}
	var held []waiting
	release := func(now time.Time) error {
		for len(held) > 0 && !held[0].due.After(now) {
			e := held[0]
			held = held[1:]
			if err := yield(e.LogEntry); err != nil {
				return err
			}
		}
		return nil
	}
	tick := time.NewTicker(max(wait/5, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case e := <-arriving:
			at, _ := slices.BinarySearchFunc(held, e,
				func(w waiting, e LogEntry) int { return cmp.Or(w.Time.Compare(e.Time), -1) })
			w := waiting{e, time.Now().Add(wait)}
			if at < len(held) && held[at].due.Before(w.due) {
				w.due = held[at].due // it has come late already, and its successors have waited
			}
			held = slices.Insert(held, at, w)
		case now := <-tick.C:
			if err := release(now); err != nil {
				return err
			}
		case <-ended:
			if err := release(time.Now().Add(wait)); err != nil {
				return err
			}
			return ctx.Err() // sources end with their context, too
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
