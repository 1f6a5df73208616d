package remote

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/oneline"
	"github.com/pgha/toolkit/pgha/errs"
)

var (
	// ErrLocked: somebody else holds the lock. The error says who, as far as it is known.
	ErrLocked = errs.New(errs.Locked, "locked")
	// ErrLockLost: the lock was held and is no more. What was done under it may meet what somebody
	// else does.
	ErrLockLost = errs.New(errs.Unavailable, "lock lost")
	// ErrNoStreamer: the Executor cannot hand out output while a command runs, so it cannot hold a
	// lock.
	ErrNoStreamer = errs.New(errs.Invalid, "executor cannot follow a command while it runs")
)

//go:embed lock.sh
var lockScript string

// lockTimes are the durations of a lock's life. The host waits for longer than this side does, so
// that two holders can never both believe in their lock.
type lockTimes struct {
	beat    time.Duration // between two signs of life
	silence time.Duration // without an answer from the host, after which the lock counts as lost
	// without a sign of life, after which the host frees the lock; whole seconds
	patience time.Duration
	farewell time.Duration // for the host to say that it has freed the lock
}

// Lock takes the lock at an absolute path of the host, best below /run, and holds it until unlock
// is called. It is held by a process on the host that lives and dies with the connection, so there
// are no stale locks: it is for the time before the cluster can hold one itself. It does not wait:
// a lock that is taken is an error that matches ErrLocked and has the holder's note in it. The note
// is one line of text for people: who, what for, since when. Missing folders are made.
//
// The work under the lock runs with held. It ends with ctx, and with a cause that matches
// ErrLockLost when the lock is lost: the connection or the process on the host has ended, the host
// has not answered for 15 s, or somebody has removed the file. When ctx ends the lock stays: what
// has to be put in order is still done under it.
//
// The lock of a process that dies is free when its connection ends. If sshd does not notice that,
// as when this machine loses its power or its network, the host frees the lock 20 s after the last
// sign of life, which comes every 3 s.
//
// unlock gives the lock back, also when ctx is over; held is over then. It returns what matches
// ErrLockLost if the lock was lost before. Calling it again does nothing and returns the same. It
// has to be called.
//
// The lock takes one of the connection's sessions (and one of the places of a Limit) for as long as
// it is held. An SSH connection with one session only is joined by another one; a Limit of one
// makes every other command wait for ever. A host that does not answer within 20 s is an error.
// ErrNoStreamer if the Executor is no Streamer. When planning no lock is taken and nothing is
// looked at. The file stays on the host, empty. Safe for concurrent use.
func (t *Target) Lock(ctx context.Context, path,
	note string) (held context.Context, unlock func() error, err error) {
	return t.lock(ctx, path, note, lockTimes{beat: 3 * time.Second, silence: 15 * time.Second,
		patience: 20 * time.Second, farewell: 5 * time.Second})
}

func (t *Target) lock(ctx context.Context, file, note string,
	times lockTimes) (context.Context, func() error, error) {
	if t.Planning() {
		return ctx, func() error { return nil }, nil
	}
	s, ok := As[Streamer](t.Executor)
	if !ok {
		return nil, nil, OnHost(t.Name, fmt.Errorf("lock %s: %w", file, ErrNoStreamer))
	}
	if !path.IsAbs(file) || path.Clean(file) != file {
		return nil, nil,
			OnHost(t.Name, fmt.Errorf("lock %q: the path must be absolute and clean", file))
	}
	h := hold(ctx, s, file, note, times)
	if err := h.answered(ctx); err != nil {
		h.giveUp(ctx)
		return nil, nil, OnHost(t.Name, fmt.Errorf("lock %s: %w", file, err))
	}
	held, cancel := context.WithCancelCause(ctx)
	stop, kept := make(chan struct{}), make(chan error, 1)
	go func() {
		err := h.keep(stop)
		if err != nil {
			err = OnHost(t.Name, fmt.Errorf("%w: %s: %w", ErrLockLost, file, err))
			cancel(err)
		}
		kept <- err
	}()
	return held, sync.OnceValue(func() error {
		close(stop)
		err := <-kept
		cancel(nil) // before somebody else can have the lock
		defer h.cut()
		if err != nil {
			return err
		}
		if err := h.end(); err != nil {
			return OnHost(t.Name,
				fmt.Errorf("release lock %s, which frees itself within %v: %w", file,
					times.patience, err))
		}
		return nil
	}), nil
}

// hold starts the process on the host. It outlives ctx.
func hold(ctx context.Context, s Streamer, file, note string, times lockTimes) *holding {
	h := newHolding(times)
	running, cut := context.WithCancel(context.WithoutCancel(ctx))
	h.cut = cut
	go func() {
		var stderr bytes.Buffer
		code, err := s.Stream(running, Cmd{
			Argv: []string{"sh", "-c", lockScript, "lock", file,
				strconv.Itoa(int(times.patience / time.Second))},
			Stdin:    h.stdin,
			Mutating: true,
		}, h, &stderr)
		_ = h.stdin.Close() // ends a write that still waits
		if err == nil && code != 0 {
			err = fmt.Errorf("exit status %d: %s", code, oneline.Tail(stderr.String(), 3))
		}
		h.err = err
		close(h.ended)
	}()
	go h.introduce(note)
	return h
}
