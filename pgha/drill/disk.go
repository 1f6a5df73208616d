package drill

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

var (
	//go:embed faults/wal.sh
	walScript string
	//go:embed faults/wal_undo.sh
	walUndoScript string
)

// smallWAL puts the WAL of a member on a small file system in memory; what undoes it puts it back
// where it was. The member is stopped for a moment both times.
func smallWAL(data string) hostFault {
	return hostFault{name: "wal", args: []string{data}, cause: walScript, undo: walUndoScript}
}

// balloon takes all the room that is left beside the WAL.
func balloon(data string) hostFault {
	return hostFault{name: "balloon", args: []string{data}, undo: `rm -f "$1/pg_wal/balloon"`,
		cause: `fallocate -l "$(df -B1 --output=avail "$1/pg_wal" | tail -n 1)" "$1/pg_wal/balloon"`}
}

// smallDisk gives a replica a small file system for its WAL and makes it the leader.
func smallDisk(ctx context.Context, s *experiment) error {
	if len(s.replicas) == 0 {
		return fmt.Errorf("%w: there is no replica whose disk can be prepared", pgha.ErrRefused)
	}
	host := s.replicas[0]
	s.say("the WAL of " + host + " is put on a small file system, and it becomes the leader")
	bound := s.bound
	s.bound += 5 * time.Minute // it stays for longer than the fault
	err := s.breakOn(ctx, smallWAL(s.cluster.Spec.PostgreSQL.DataDir), host)
	s.bound = bound
	s.preparations, s.faults = s.faults, nil
	if err != nil {
		return err
	}
	if _, err := s.cluster.AwaitHealthy(ctx); err != nil {
		return err
	}
	// A member that has just been restarted streams before the leader counts on it again.
	return poll.Until(ctx, poll.Options{
		What: host + " to be fit to lead", Bound: time.Minute, Every: 500 * time.Millisecond,
	}, func(context.Context) (string, error) {
		_, err := s.cluster.Switchover(ctx, pgha.SwitchoverOptions{To: host})
		if !errors.Is(err, patroni.ErrNoCandidate) {
			err = poll.Stop(err)
		}
		return "", err
	})
}

const (
	// segmentsAhead is how many segments of WAL PostgreSQL may have made before they are needed, at
	// most.
	segmentsAhead = 200
	// segmentEvery is the time between two of them: rows are written in between, without which
	// there is no next segment.
	segmentEvery = 100 * time.Millisecond
)

// fillDisk takes the room and then makes PostgreSQL need it: the segments that it has in reserve
// are used up.
func fillDisk(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "file system of %s's WAL filled", s.leader)
	if err := s.breakOn(ctx, balloon(s.cluster.Spec.PostgreSQL.DataDir), s.leader); err != nil {
		return err
	}
	for range segmentsAhead {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := s.cluster.Query(bounded, pgha.QueryOptions{SQL: "SELECT pg_switch_wal()",
			Member: s.leader, Write: true})
		cancel()
		if err != nil {
			return ctx.Err() // that is the moment
		}
		// The fault is felt from here on: up to now there was room in reserve.
		s.fault.At = time.Now()
		_ = poll.Pause(ctx, segmentEvery)
	}
	return fmt.Errorf("%s still writes WAL after %d segments", s.leader, segmentsAhead)
}
