package drill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/patroni"
)

// smallWAL puts the WAL of a member on a small file system in memory; what undoes it puts it back where it was. The member is
// stopped for a moment both times.
func smallWAL(data string) hostFault {
	return hostFault{name: "wal", args: []string{data},
		cause: `set -e
wal=$1/pg_wal old=$1.drill-wal
[ ! -L "$wal" ] && [ ! -e "$old" ]
systemctl stop patroni
mv "$wal" "$old"
mkdir -m 700 "$wal"
used=$(du -sm "$old" | cut -f 1)
mount -t tmpfs -o "size=$((used + 48))m,mode=0700" pgha-drill "$wal"
cp -a "$old/." "$wal/"
chown --reference="$old" "$wal"
rm -rf "$old"
systemctl start patroni`,
		undo: `set -e
wal=$1/pg_wal new=$1.drill-wal
mountpoint -q "$wal" || exit 0
rm -f "$wal/balloon"
systemctl stop patroni
rm -rf "$new"
mkdir -m 700 "$new"
chown --reference="$wal" "$new"
cp -a "$wal/." "$new/"
umount "$wal"
rmdir "$wal"
mv "$new" "$wal"
systemctl start patroni`}
}

// balloon takes all the room that is left beside the WAL.
func balloon(data string) hostFault {
	return hostFault{name: "balloon", args: []string{data}, undo: `rm -f "$1/pg_wal/balloon"`,
		cause: `fallocate -l "$(df -B1 --output=avail "$1/pg_wal" | tail -n 1)" "$1/pg_wal/balloon"`}
}

// smallDisk gives a replica a small file system for its WAL and makes it the leader.
func smallDisk(ctx context.Context, s *stage) error {
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
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err = s.cluster.Switchover(ctx, pgha.SwitchoverOptions{To: host})
		if !errors.Is(err, patroni.ErrNoCandidate) {
			return err
		}
		select {
		case <-bounded.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

const (
	// segmentsAhead is how many segments of WAL PostgreSQL may have made before they are needed, at the most.
	segmentsAhead = 200
	// segmentEvery is the time between two of them: rows are written in between, without which there is no next segment.
	segmentEvery = 100 * time.Millisecond
)

// fillDisk takes the room and then makes PostgreSQL need it: the segments that it has in reserve are used up.
func fillDisk(ctx context.Context, s *stage) error {
	s.begin([]string{s.leader}, "file system of %s's WAL filled", s.leader)
	if err := s.breakOn(ctx, balloon(s.cluster.Spec.PostgreSQL.DataDir), s.leader); err != nil {
		return err
	}
	for range segmentsAhead {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := s.cluster.Query(bounded, pgha.QueryOptions{SQL: "SELECT pg_switch_wal()", Member: s.leader, Write: true})
		cancel()
		if err != nil {
			return ctx.Err() // that is the moment
		}
		// The fault is felt from here on: up to now there was room in reserve.
		s.fault.At = time.Now()
		pause(ctx, segmentEvery)
	}
	return fmt.Errorf("%s still writes WAL after %d segments", s.leader, segmentsAhead)
}
