package etcd

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/pgha/toolkit/internal/process"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/remotetest"
	"github.com/pgha/toolkit/pgha/remote/ssh"
)

const (
	testKey = "/pgha/test/lock"
	// testTTL is the shortest that etcd grants with an election time-out of a second.
	testTTL = 2 * time.Second
	// patience bounds what is waited for: a slow machine needs a while.
	patience = 30 * time.Second
)

var anna = Holder{Name: "anna@desk (process 4711)", Purpose: "switchover"}

func (c *cluster) lock(h Holder, ttl time.Duration) (context.Context, func() error) {
	c.t.Helper()
	held, unlock, err := lockFor(c.t.Context(), c.Options, testKey, h, ttl)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = unlock() })
	return held, unlock
}

// do asks member m1.
func (c *cluster) do(f func(context.Context, *clientv3.Client) error) {
	c.t.Helper()
	if err := c.ask(c.t.Context(), c.Members[0], f); err != nil {
		c.t.Fatal(err)
	}
}

// free waits until nobody holds the lock, for a bound after now.
func (c *cluster) free(bound time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(bound); ; {
		holder, taken, err := LockHolder(c.t.Context(), c.Options, testKey)
		if err != nil {
			c.t.Fatal(err)
		}
		if !taken {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%v still holds the lock", holder)
		}
		time.Sleep(pollInterval)
	}
}

func stays(t *testing.T, held context.Context, d time.Duration) {
	t.Helper()
	select {
	case <-held.Done():
		t.Fatalf("the lock was lost: %v", context.Cause(held))
	case <-time.After(d):
	}
}

func lost(t *testing.T, held context.Context, says string) {
	t.Helper()
	select {
	case <-held.Done():
	case <-time.After(patience):
		t.Fatalf("the loss went unnoticed for %v", patience)
	}
	if cause := context.Cause(held); !errors.Is(cause, ErrLockLost) ||
		!strings.Contains(cause.Error(), says) {
		t.Errorf("cause %v, want the loss that says %q", cause, says)
	}
}

func TestLockIsHeldAndReleased(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	if _, taken, err := LockHolder(t.Context(), c.Options, testKey); taken || err != nil {
		t.Fatalf("before: %v, %v", taken, err)
	}
	held, unlock := c.lock(anna, testTTL)
	began := time.Now()
	_, _, err := Lock(t.Context(), c.Options, testKey, Holder{Name: "bert"})
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.Is(err, remote.ErrLocked) || !errors.As(err, &locked) {
		t.Fatalf("second locker: %v", err)
	}
	if took := time.Since(began); took > lockTTL {
		t.Errorf("the refusal took %v", took)
	}
	if locked.Name != anna.Name || locked.Purpose != anna.Purpose ||
		time.Since(locked.Since) > time.Minute ||
		locked.Held > time.Minute {
		t.Errorf("refused for %+v", locked)
	}
	if !strings.HasPrefix(err.Error(),
		"locked by anna@desk (process 4711) for switchover since 2") ||
		!strings.Contains(remote.Hint(err), "15s") {
		t.Errorf("the refusal reads %q, hint %q", err, remote.Hint(err))
	}
	stays(t, held, testTTL+time.Second) // renewed
	if h, taken, err := LockHolder(t.Context(), c.Options, testKey); err != nil || !taken ||
		h.Name != anna.Name {
		t.Errorf("holder %v, %v, %v", h, taken, err)
	}
	for range 2 {
		if err := unlock(); err != nil {
			t.Errorf("unlock: %v", err)
		}
	}
	if held.Err() == nil || errors.Is(context.Cause(held), ErrLockLost) {
		t.Errorf("after unlock: %v", context.Cause(held))
	}
	c.do(func(ctx context.Context, client *clientv3.Client) error {
		leases, err := client.Leases(ctx)
		if err == nil && len(leases.Leases) > 0 {
			t.Errorf("leases left: %v", leases.Leases)
		}
		return err
	})
	_, unlock = c.lock(Holder{Name: "bert"}, testTTL)
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockIsTakenOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	var all sync.WaitGroup
	var mu sync.Mutex
	winner, refused := "", map[string]int{}
	for i := range 6 {
		o := c.Options
		// each begins with another member
		o.Members = slices.Concat(o.Members[i%3:], o.Members[:i%3])
		name := fmt.Sprintf("operator %d", i)
		all.Go(func() {
			_, unlock, err := lockFor(t.Context(), o, testKey, Holder{Name: name}, testTTL)
			mu.Lock()
			defer mu.Unlock()
			var locked *LockedError
			switch {
			case err == nil:
				t.Cleanup(func() { _ = unlock() })
				winner += name
			case errors.As(err, &locked):
				refused[locked.Name]++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if refused[winner] != 5 {
		t.Errorf("%q has the lock, refusals name %v", winner, refused)
	}
}

func TestLockSurvivesMembers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ttl  time.Duration
		harm func(*cluster, int)
	}{
		"killed": {testTTL, (*cluster).kill},
		// Like a host that has lost its power: it takes connections for a while and never answers.
		"frozen": {6 * time.Second, func(c *cluster, i int) {
			p := c.processes[i].Process
			if err := p.Signal(syscall.SIGSTOP); err != nil {
				c.t.Fatal(err)
			}
			c.t.Cleanup(func() { _ = p.Signal(syscall.SIGCONT) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 3)
			c.up()
			// The member that is asked first goes, and is a follower: without a leader nothing can
			// be renewed for a while.
			if err := MoveLeader(t.Context(), c.Options, "m3"); err != nil {
				t.Fatal(err)
			}
			held, unlock := c.lock(anna, tt.ttl)
			tt.harm(c, 0)
			stays(t, held, tt.ttl+time.Second)
			if h, taken, err := LockHolder(t.Context(), c.Options, testKey); err != nil ||
				h.Name != anna.Name || !taken {
				t.Errorf("holder %v, %v, %v", h, taken, err)
			}
			if err := unlock(); err != nil {
				t.Error(err)
			}
			c.free(0)
		})
	}
}

func TestLockSurvivesTheLeader(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	if err := MoveLeader(t.Context(), c.Options, "m1"); err != nil {
		t.Fatal(err)
	}
	const ttl = 6 * time.Second
	held, unlock := c.lock(anna, ttl)
	c.kill(0)
	stays(t, held, ttl+time.Second)
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// TestLockOverSSH cuts the connections that the lock's questions go over.
func TestLockOverSSH(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	servers := make([]*remotetest.Server, 3)
	for i := range c.Members {
		m := &c.Members[i]
		server := remotetest.StartServer(t, remotetest.ServerOptions{})
		host := remote.NewReconnecting(m.Target.Name,
			func(ctx context.Context) (remote.Executor, error) {
				return ssh.Dial(ctx, server.Config())
			})
		t.Cleanup(func() { _ = host.Close() })
		servers[i], m.Target = server, &remote.Target{Host: m.Target.Host, Executor: host}
	}
	c.up()
	held, unlock := c.lock(anna, testTTL)
	for _, s := range servers {
		s.Drop()
	}
	stays(t, held, testTTL+time.Second)
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockIsLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	for _, tt := range []struct {
		name, says string
		harm       func(ctx context.Context, client *clientv3.Client, lease clientv3.LeaseID) error
	}{
		{"key deleted", "gone from etcd", func(ctx context.Context, client *clientv3.Client,
			_ clientv3.LeaseID) error {
			_, err := client.Delete(ctx, testKey)
			return err
		}},
		{"lease revoked", "gone from etcd", func(ctx context.Context, client *clientv3.Client,
			lease clientv3.LeaseID) error {
			_, err := client.Revoke(ctx, lease)
			return err
		}},
		{"key overwritten", "held by bert for apply",
			func(ctx context.Context, client *clientv3.Client,
				_ clientv3.LeaseID) error {
				_, err := client.Put(ctx, testKey, `{"name":"bert","purpose":"apply"}`)
				return err
			}},
	} {
		held, unlock := c.lock(anna, lockTTL) // at the pace that users get
		c.do(func(ctx context.Context, client *clientv3.Client) error {
			r, err := client.Get(ctx, testKey)
			if err != nil {
				return err
			}
			return tt.harm(ctx, client, clientv3.LeaseID(r.Kvs[0].Lease))
		})
		lost(t, held, tt.says)
		for range 2 {
			if err := unlock(); !errors.Is(err, ErrLockLost) {
				t.Errorf("%s: unlock: %v", tt.name, err)
			}
		}
		c.do(func(ctx context.Context, client *clientv3.Client) error {
			_, err := client.Delete(ctx, testKey)
			return err
		})
	}
}

func TestLockIsLostWithTheQuorum(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.up()
	held, unlock := c.lock(anna, testTTL)
	c.kill(1)
	c.kill(2)
	lost(t, held, "not renewed for 2s")
	if err := unlock(); !errors.Is(err, ErrLockLost) {
		t.Errorf("unlock: %v", err)
	}
	began := time.Now()
	_, _, err := Lock(t.Context(), c.Options, testKey, anna)
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(),
		fmt.Sprint("pg1: etcd gave no answer in ", callTimeout)) ||
		!strings.Contains(err.Error(), "connection refused") || remote.Hint(err) == "" {
		t.Errorf("lock without a quorum: %v", err)
	}
	if _, _, err := LockHolder(t.Context(), c.Options, testKey); !errors.Is(err, ErrUnhealthy) {
		t.Errorf("look without a quorum: %v", err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v to say so twice", took)
	}
}

// TestLockOfTheDeadFreesItself takes a lock that nobody renews, as it is left by a process that was
// killed.
func TestLockOfTheDeadFreesItself(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	l, err := newLock(c.Options, testKey, anna, testTTL)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Lock(t.Context(), c.Options, testKey, Holder{Name: "bert"}); !errors.Is(err,
		ErrLocked) {
		t.Errorf("at once: %v", err)
	}
	c.free(patience) // etcd looks for ended leases twice a second
	if since := time.Since(l.renewed); since < testTTL {
		t.Errorf("free after %v", since)
	}
}

// TestLockOfTheDeadIsTakenOver takes a lock for a process of this machine, which then ends.
func TestLockOfTheDeadIsTakenOver(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	dying := anna
	dying.Process = process.Identity(child.Process.Pid)
	l, err := newLock(c.Options, testKey, dying, lockTTL)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	bert := Holder{Name: "bert"}
	if _, _, err := Lock(t.Context(), c.Options, testKey, bert); !errors.Is(err, ErrLocked) {
		t.Errorf("while it runs: %v", err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if holder, taken, err := LockHolder(t.Context(), c.Options, testKey); taken || err != nil {
		t.Errorf("held by %v, %v", holder, err)
	}
	held, unlock := c.lock(bert, lockTTL)
	if err := l.renew(t.Context()); err == nil || !strings.Contains(err.Error(), "held by bert") {
		t.Errorf("the dead renews: %v", err)
	}
	if err := l.release(t.Context()); err != nil { // what is left of it takes nothing along
		t.Fatal(err)
	}
	stays(t, held, 2*time.Second)
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockOutlivesContext(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	ctx, cancel := context.WithCancel(t.Context())
	held, unlock, err := lockFor(ctx, c.Options, testKey, anna, testTTL)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-held.Done()
	if _, _, err := Lock(t.Context(), c.Options, testKey, Holder{}); !errors.Is(err, ErrLocked) {
		t.Errorf("while the first puts things in order: %v", err)
	}
	if err := unlock(); err != nil {
		t.Errorf("unlock: %v", err)
	}
	c.free(0)
	if _, _, err := Lock(ctx, c.Options, testKey, anna); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	c.free(0)
}

func TestLockPlanned(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	planned := c.Options
	planned.Members = slices.Clone(planned.Members)
	planned.Members[0].Target = &remote.Target{Host: c.Members[0].Target.Host,
		Executor: remote.Plan(&remote.Local{})}
	_, unlock, err := Lock(t.Context(), planned, testKey, anna)
	if err != nil || unlock() != nil {
		t.Fatalf("free: %v", err)
	}
	c.free(0)
	c.lock(anna, testTTL)
	if _, _, err := Lock(t.Context(), planned, testKey, anna); !errors.Is(err, ErrLocked) {
		t.Errorf("taken: %v", err)
	}
}

func TestLockOfAStranger(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.up()
	c.do(func(ctx context.Context, client *clientv3.Client) error {
		_, err := client.Put(ctx, testKey, "made by hand\x1b")
		return err
	})
	_, _, err := Lock(t.Context(), c.Options, testKey, anna)
	if !errors.Is(err, ErrLocked) ||
		err.Error() != `locked by somebody who calls itself "made by hand\x1b"` {
		t.Errorf("refused with %v", err)
	}
	since := time.Now().Add(-90 * time.Second)
	if text := refusal(Holder{
		Name: "anna", Since: since,
	}).Error(); text != "locked by anna since "+since.UTC().Format(time.DateTime)+
		" UTC, for 1m30s now" {
		t.Errorf("a refusal reads %q", text)
	}
	if _, _, err := Lock(t.Context(), c.Options, "", anna); err == nil {
		t.Error("no key was taken")
	}
}

// TestLockLeavesNothingBehind runs alone, so that it does not see what other tests do.
func TestLockLeavesNothingBehind(t *testing.T) {
	c := newCluster(t, 1)
	c.up()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	_, unlock, err := lockFor(t.Context(), c.Options, testKey, anna, testTTL)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Lock(t.Context(), c.Options, testKey, anna); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}
