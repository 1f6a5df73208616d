package etcd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/internal/process"
	"github.com/pgha/toolkit/pgha/errs"
)

// lockTTL is for how long a lock outlives a process that can no longer renew it. It is longer than
// an election takes, which nobody can renew during, and than three members take that do not answer.
const lockTTL = 15 * time.Second

// Lock takes the operators' lock at key, for example "/pgha/demo/lock", and holds it until unlock
// is called. It does not wait: a lock that is taken is a *LockedError, which matches ErrLocked and
// says who has it since when. h.Since is set if it is zero. ErrUnhealthy means that no member could
// do it, within 4 s for each: there is no quorum; ErrNoSpace that there is one, which takes no
// writes.
//
// The work under the lock runs with held. It ends with ctx, and with a cause that matches
// ErrLockLost when the lock is lost: somebody has deleted the key or taken its lease away, noticed
// within some 4 s, or no member has renewed it for 15 s. It is renewed and looked at every second;
// any member will do for that, so the death of one costs nothing as long as the others have a
// quorum. When ctx ends the lock stays: what has to be put in order is still done under it.
//
// A process that dies keeps the lock for 15 s more; on the machine where it ran it can be taken
// over at once. Like every lock with a time limit it does not stop work that was frozen for longer
// than that and continues before it notices.
//
// unlock gives the lock back, also when ctx is over, in some 10 s at most; held is over then. It
// returns what matches ErrLockLost if the lock was lost before. Calling it again does nothing and
// returns the same. It has to be called to end the renewing. When planning nothing is written: a
// lock that is taken is refused just so, and that is all.
//
// Safe for concurrent use, by this and other processes.
func Lock(ctx context.Context, o Options, key string,
	h Holder) (held context.Context, unlock func() error, err error) {
	return lockFor(ctx, o, key, h, lockTTL)
}

func lockFor(ctx context.Context, o Options, key string, h Holder,
	ttl time.Duration) (context.Context,
	func() error, error) {
	if h.Since.IsZero() {
		h.Since = time.Now()
	}
	h.Process = process.Identity(os.Getpid())
	l, err := newLock(o, key, h, ttl)
	if err != nil {
		return nil, nil, err
	}
	if l.planning() {
		holder, taken, err := LockHolder(ctx, o, key)
		if err == nil && taken {
			err = refusal(holder)
		}
		return ctx, func() error { return nil }, err
	}
	if err := l.take(ctx); err != nil {
		return nil, nil, err
	}
	held, cancel := context.WithCancelCause(ctx)
	// The lock ends with unlock and not with ctx.
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan error, 1)
	go func() {
		err := l.keep(keeping)
		if err != nil {
			cancel(err)
		}
		kept <- err
	}()
	return held, sync.OnceValue(func() error {
		stop()
		err := <-kept
		cancel(nil) // before somebody else can have the lock
		if err != nil {
			return err
		}
		return l.release(context.WithoutCancel(ctx))
	}), nil
}

func newLock(o Options, key string, h Holder, ttl time.Duration) (*lock, error) {
	if len(o.Members) == 0 || key == "" {
		return nil, errors.New("lock: there has to be a key and an etcd member")
	}
	value, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", key, err)
	}
	return &lock{Options: o.withDefaults(), key: key, value: string(value), ttl: ttl}, nil
}

// LockHolder tells who holds the lock at key; false if nobody does, or one whose process is known
// to have ended. ErrUnhealthy as with Lock.
func LockHolder(ctx context.Context, o Options, key string) (Holder, bool, error) {
	l, err := newLock(o, key, Holder{}, lockTTL)
	if err != nil {
		return Holder{}, false, err
	}
	var h Holder
	var taken bool
	err = l.askAny(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, key)
		if err == nil && len(r.Kvs) > 0 {
			h = holderIn(r.Kvs[0].Value)
			taken = !process.Gone(h.Process)
		}
		return err
	})
	if err != nil {
		return Holder{}, false, fmt.Errorf("look at lock %s: %w", key, err)
	}
	return h, taken, nil
}

// Holder is who holds a lock, for people to read.
type Holder struct {
	// Name is who it is: the user, the machine and the process, as in "anna@desk (process 4711)".
	Name string `json:"name"`
	// Purpose is what the lock was taken for: the verb.
	Purpose string `json:"purpose"`
	// Since is when, by the holder's own clock.
	Since time.Time `json:"since"`
	// Process is the holder's, for its own machine to find out whether it still runs. Lock fills it
	// in.
	Process string `json:"process,omitempty"`
}

// String says it in words.
func (h Holder) String() string {
	s := cmp.Or(h.Name, "somebody")
	if h.Purpose != "" {
		s += " for " + h.Purpose
	}
	if !h.Since.IsZero() {
		s += " since " + h.Since.UTC().Format(time.DateTime) + " UTC"
	}
	return s
}

// holderIn reads what a lock's key holds. What is none of pgha's writing is a lock all the same.
func holderIn(value []byte) Holder {
	var h Holder
	if json.Unmarshal(value, &h) != nil {
		return Holder{Name: fmt.Sprintf("somebody who calls itself %.80q", value)}
	}
	return h
}

// LockedError is a lock that somebody else holds. It matches ErrLocked.
type LockedError struct {
	Holder
	// Held is for how long, as far as the clocks of the holder's machine and of this one agree; 0
	// if they disagree or the holder did not say.
	Held time.Duration
}

func refusal(h Holder) *LockedError {
	e := &LockedError{Holder: h}
	if !h.Since.IsZero() {
		e.Held = max(0, time.Since(h.Since).Round(time.Second))
	}
	return e
}

// Error names the holder.
func (e *LockedError) Error() string {
	s := fmt.Sprintf("%v by %v", ErrLocked, e.Holder)
	if e.Held > 0 {
		s += fmt.Sprintf(", for %v now", e.Held)
	}
	return s
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Kind returns errs.Locked.
func (e *LockedError) Kind() errs.Kind { return errs.Locked }

// Next says what the operator can do.
func (e *LockedError) Next() errs.Next {
	return errs.Text(
		"wait until it is finished, or end it there; the lock of a process that is gone frees "+
			"itself within %v, at once on its own machine", lockTTL)
}
