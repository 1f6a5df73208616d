package drill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgha/toolkit/internal/poll"
)

// Wait is somebody who waits for a host that is gone, without sending anything that would tell.
type Wait struct {
	// What is waited for, for people.
	What string `json:"what"`
	// Over is when the wait ended. Zero: not within a minute.
	Over time.Time `json:"over,omitzero"`
}

const (
	// waitAtMost is how long a wait is watched.
	waitAtMost = time.Minute
	// deadPeerSeconds bounds how long a peer that is gone may be waited for: 10 s of silence, three
	// questions 5 s apart (docs/operating.md), and 5 s for a busy machine.
	deadPeerSeconds = 30
)

// waiting is a wait that a scenario has prepared; over returns when it has ended.
type waiting struct {
	what string
	over func(context.Context) error
}

// lockKey is the advisory lock of the drill's own; it begins with the letters "pgha".
const lockKey = 0x7067686100000001

// holdLock opens a transaction through the virtual IP that holds a lock. Somebody at the leader
// wants it: he gets it when PostgreSQL has noticed that the balancer in between is gone.
func holdLock(ctx context.Context, s *experiment) error {
	holder := s.routes.through()
	s.preparations = append(s.preparations, func(context.Context) error {
		holder.drop()
		return nil
	})
	err := holder.do(ctx, 5*time.Second, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d)", lockKey))
		return err
	})
	if err != nil {
		return err
	}
	leader, err := s.cluster.Spec.Host(s.leader)
	if err != nil {
		return err
	}
	s.waiting = &waiting{
		what: "a lock that a transaction held through " + s.holder,
		over: func(ctx context.Context) error {
			other := s.routes.to(leader)
			defer other.drop()
			return poll.Until(ctx, poll.Options{What: "the lock", Every: 100 * time.Millisecond},
				func(ctx context.Context) (missing string, err error) {
					err = other.do(ctx, 5*time.Second, func(ctx context.Context, c *pgx.Conn) error {
						var got bool
						err := c.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)",
							int64(lockKey)).Scan(&got)
						if err == nil && !got {
							missing = "it is held"
						}
						return err
					})
					return missing, err
				})
		},
	}
	return nil
}

// sleepSQL is that query.
const sleepSQL = "SELECT pg_sleep(120)"

// awaitAnswer sends a query through the virtual IP whose answer does not come for two minutes. Who
// sent it waits until he has noticed that the balancer in between is gone.
func awaitAnswer(ctx context.Context, s *experiment) error {
	client := s.routes.through()
	err := client.do(ctx, 5*time.Second, func(ctx context.Context, c *pgx.Conn) error {
		return c.Ping(ctx)
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		ended <- client.do(ctx, 2*time.Minute, func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, sleepSQL)
			return err
		})
	}()
	s.preparations = append(s.preparations, func(ctx context.Context) error {
		cancel()
		return s.endSleep(ctx)
	})
	s.waiting = &waiting{
		what: "an answer that was awaited through " + s.holder,
		over: func(ctx context.Context) error {
			select {
			case err := <-ended:
				if err == nil {
					return errors.New("the query was answered")
				}
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	return nil
}

// endSleep ends a session at the leader that may work for nobody any more. It is told by what it
// does: the number that a client gets through a pooler is none of PostgreSQL's.
func (s *experiment) endSleep(ctx context.Context) error {
	h, err := s.cluster.Spec.Host(s.leader)
	if err != nil {
		return err
	}
	leader := s.routes.to(h)
	defer leader.drop()
	return leader.do(ctx, 5*time.Second, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "+
			"query = $1 AND application_name = $2", sleepSQL, drillName)
		return err
	})
}

// watchWait waits for the end of what a scenario has prepared, if it has.
func watchWait(ctx context.Context, s *experiment) *Wait {
	if s.waiting == nil {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, s.fault.At.Add(waitAtMost))
	defer cancel()
	w := &Wait{What: s.waiting.what}
	if s.waiting.over(ctx) == nil {
		w.Over = time.Now()
	}
	return w
}
