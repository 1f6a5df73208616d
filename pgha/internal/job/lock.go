package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/internal/parallel"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/remote"
)

var (
	// ErrLocked: somebody else is changing the cluster. The error says who, since when and what.
	ErrLocked = remote.ErrLocked
	// ErrLockLost: the lock was lost while the cluster was being changed, so the work was stopped.
	ErrLockLost = remote.ErrLockLost
)

// Locking says which of the two locks an operation holds; it makes sure that nobody holds the
// other. Of two operations that begin at the same instant at least one therefore sees the other,
// whichever kind they are.
type Locking int

const (
	// LockEtcd is for operations during which etcd stays up.
	LockEtcd Locking = iota
	// LockHosts is for operations that come before etcd or take it down: a process on every
	// host of a database or of etcd holds it.
	LockHosts
)

// Lock keeps everybody else from changing the cluster until unlock is called. The context it
// returns ends when the lock is lost.
func Lock(ctx context.Context, c *site.Site, purpose, holder string,
	how Locking) (held context.Context,
	unlock func() error, err error) {
	if err := c.Writable(); err != nil {
		return nil, nil, err
	}
	if holder == "" {
		holder = vault.WhoAmI()
	}
	eo, err := c.EtcdOptions()
	if err != nil {
		return nil, nil, err
	}
	if how == LockHosts {
		if held, unlock, err = lockAllHosts(ctx, c, purpose, holder); err != nil {
			return nil, nil, err
		}
		if err := refuseHolder(ctx, c, eo); err != nil {
			return nil, nil, errors.Join(err, unlock())
		}
		return held, unlock, nil
	}
	held, unlock, err = etcd.Lock(ctx, eo, c.LockKey(),
		etcd.Holder{Name: holder, Purpose: purpose, Since: time.Now()})
	if err != nil {
		return nil, nil, err
	}
	_, release, err := lockAllHosts(ctx, c, purpose, holder)
	if err == nil {
		err = release()
	}
	if err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	return held, unlock, nil
}

// refuseHolder is an error if somebody holds the lock in etcd. An etcd that does not answer, as
// before there is one, prevents nothing: nobody can hold a lock in it.
func refuseHolder(ctx context.Context, c *site.Site, eo etcd.Options) error {
	holder, taken, err := etcd.LockHolder(ctx, eo, c.LockKey())
	if err != nil || !taken {
		return ctx.Err()
	}
	return &etcd.LockedError{Holder: holder, Held: max(0,
		time.Since(holder.Since).Round(time.Second))}
}

// lockAllHosts takes the lock on every host of a database or of etcd that answers, in the spec's
// order. A host on which it cannot be had, because root or an answer is missing, does not keep the
// problems of the others from being reported too.
func lockAllHosts(ctx context.Context, c *site.Site, purpose, holder string) (held context.Context,
	unlock func() error, err error) {
	note := fmt.Sprintf("%s since %s: %s", holder, time.Now().Format(time.RFC3339), purpose)
	var unlocks []func() error
	unlock = func() error {
		return parallel.Each(unlocks, func(_ int, unlock func() error) error { return unlock() })
	}
	held = ctx
	var failed []error
	for _, h := range c.Spec.MemberHosts() {
		t, ok := c.Connections[h.Name]
		if !ok || site.Among(c.LeftOut(), h.Name) {
			continue
		}
		next, u, err := t.Lock(held, site.HostLock, note)
		if err == nil {
			held, unlocks = next, append(unlocks, u)
			continue
		}
		if failed = append(failed, untaken(err)); errors.Is(err, ErrLocked) || ctx.Err() != nil {
			break
		}
	}
	if len(failed) > 0 {
		return nil, nil, errors.Join(errs.Join(failed...), unlock())
	}
	return held, unlock, nil
}

// untaken says what to do where a host gives no lock although nobody is known to hold it.
func untaken(err error) error {
	if errors.Is(err, ErrLocked) || len(errs.Steps(err)) > 0 {
		return err
	}
	return errs.WithNext(err, errs.Text("nobody else must change the cluster meanwhile, so every "+
		"database host that answers has to give its lock: see what is wrong with this one (%s)",
		errs.Verb("doctor")))
}
