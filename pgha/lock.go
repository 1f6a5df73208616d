package pgha

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/pgha/toolkit/internal/errlist"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/remote"
)

var (
	// ErrLocked: somebody else is changing the cluster. The error says who, since when and what.
	ErrLocked = remote.ErrLocked
	// ErrLockLost: the lock was lost while the cluster was being changed, so the work was stopped.
	ErrLockLost = remote.ErrLockLost
)

// locking says which of the two locks an operation holds; it makes sure that nobody holds the other. Of two operations
// that begin at the same instant at least one therefore sees the other, whichever kind they are.
type locking int

const (
	// lockEtcd is for operations during which etcd stays up.
	lockEtcd locking = iota
	// lockHosts is for operations that come before etcd or take it down: a process on every database host holds it.
	lockHosts
)

// hostLock is the file that is locked on the hosts. It does not outlive a boot.
const hostLock = "/run/pgha.lock"

func (c *Cluster) lockKey() string { return "/pgha/" + c.Spec.Cluster + "/lock" }

// lock keeps everybody else from changing the cluster until unlock is called. The context it returns ends when the lock
// is lost.
func (c *Cluster) lock(ctx context.Context, purpose, holder string, how locking) (held context.Context, unlock func() error, err error) {
	if holder == "" {
		holder = whoAmI()
	}
	eo, err := c.etcdOptions()
	if err != nil {
		return nil, nil, err
	}
	if how == lockHosts {
		if held, unlock, err = c.lockAllHosts(ctx, purpose, holder); err != nil {
			return nil, nil, err
		}
		if err := c.refuseHolder(ctx, eo); err != nil {
			return nil, nil, errlist.Join(err, unlock())
		}
		return held, unlock, nil
	}
	held, unlock, err = etcd.Lock(ctx, eo, c.lockKey(), etcd.Holder{Name: holder, Purpose: purpose, Since: time.Now()})
	if err != nil {
		return nil, nil, err
	}
	_, release, err := c.lockAllHosts(ctx, purpose, holder)
	if err == nil {
		err = release()
	}
	if err != nil {
		return nil, nil, errlist.Join(err, unlock())
	}
	return held, unlock, nil
}

// refuseHolder is an error if somebody holds the lock in etcd. An etcd that does not answer, as before there is one, is
// no hindrance: nobody can hold a lock in it.
func (c *Cluster) refuseHolder(ctx context.Context, eo etcd.Options) error {
	holder, taken, err := etcd.LockHolder(ctx, eo, c.lockKey())
	if err != nil || !taken {
		return ctx.Err()
	}
	return &etcd.LockedError{Holder: holder, Held: max(0, time.Since(holder.Since).Round(time.Second))}
}

// lockAllHosts takes the lock on every database host that answers, in the spec's order. A host on which it cannot be had,
// for want of root or of an answer, does not keep the troubles of the others from being told too.
func (c *Cluster) lockAllHosts(ctx context.Context, purpose, holder string) (held context.Context, unlock func() error, err error) {
	note := fmt.Sprintf("%s since %s: %s", holder, time.Now().Format(time.RFC3339), purpose)
	var unlocks []func() error
	unlock = func() error {
		var errs []error
		for _, u := range unlocks {
			errs = append(errs, u())
		}
		return errlist.Join(errs...)
	}
	held = ctx
	var errs []error
	for _, h := range c.Spec.Databases() {
		t, ok := c.targets[h.Name]
		if !ok {
			continue
		}
		next, u, err := t.Lock(held, hostLock, note)
		if err == nil {
			held, unlocks = next, append(unlocks, u)
			continue
		}
		if errs = append(errs, err); errors.Is(err, ErrLocked) || ctx.Err() != nil {
			break
		}
	}
	if len(errs) > 0 {
		return nil, nil, errlist.Join(append(errs, unlock())...)
	}
	return held, unlock, nil
}

// whoAmI names the person and the machine that this program runs for.
func whoAmI() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	// Root by way of sudo is a person all the same.
	if sudo := os.Getenv("SUDO_USER"); sudo != "" {
		name = sudo
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s@%s, process %d", name, host, os.Getpid())
}
