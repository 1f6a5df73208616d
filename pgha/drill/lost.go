package drill

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pgha/toolkit/internal/poll"
	"github.com/pgha/toolkit/pgha"
)

var (
	//go:embed faults/oneway.sh
	onewayScript string
	//go:embed faults/lossy.sh
	lossyScript string
	//go:embed faults/standstill.sh
	standstillScript string
	//go:embed faults/standstill_undo.sh
	standstillUndoScript string
)

// Directions of a cut that leaves the other one.
const (
	arriving = "in"
	leaving  = "out"
)

func cutOneWay(direction string, addresses []string) hostFault {
	return hostFault{name: "oneway", args: append([]string{direction}, addresses...),
		cause: onewayScript, undo: filterUndoScript}
}

func lossyTo(percent int, addresses []string) hostFault {
	return hostFault{name: "lossy", args: append([]string{strconv.Itoa(percent)}, addresses...),
		cause: lossyScript, undo: filterUndoScript}
}

func standstill(addresses []string) hostFault {
	return hostFault{name: "standstill", args: addresses, cause: standstillScript,
		undo: standstillUndoScript}
}

// everybody are the addresses of all other hosts.
func (s *experiment) everybody(host string) []string {
	var list []string
	for _, h := range s.cluster.Spec.Hosts {
		if h.Name != host {
			list = append(list, h.Address)
		}
	}
	return list
}

func isolate(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "%s cut from all other hosts", s.leader)
	return s.breakOn(ctx, cutFrom(s.everybody(s.leader)), s.leader)
}

func deafen(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "nothing comes from the other databases to %s", s.leader)
	return s.breakOn(ctx, cutOneWay(arriving, s.others(s.leader)), s.leader)
}

func silence(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "nothing comes from %s to the other databases", s.leader)
	return s.breakOn(ctx, cutOneWay(leaving, s.others(s.leader)), s.leader)
}

// freezeLeader lets the leader's host stand still, for as long as its scenario lasts.
func freezeLeader(ctx context.Context, s *experiment) error {
	s.begin([]string{s.leader}, "%s stands still", s.leader)
	return s.breakOn(ctx, standstill(s.everybody(s.leader)), s.leader)
}

func lossyNetwork(ctx context.Context, s *experiment) error {
	const percent = 20
	hosts := s.members()
	s.begin(hosts, "%d %% of the packets between %s lost", percent, and(hosts))
	for _, h := range hosts {
		if err := s.breakOn(ctx, lossyTo(percent, s.others(h)), h); err != nil {
			return err
		}
	}
	return nil
}

// degradedWithin is how long Patroni may take to count no more on a replica that is gone.
const degradedWithin = time.Minute

// leaderPowerDegraded takes the leader's power while one replica is gone already.
func leaderPowerDegraded(ctx context.Context, s *experiment) error {
	if len(s.replicas) < 2 {
		return fmt.Errorf("%w: there is no replica to spare", pgha.ErrRefused)
	}
	replica := s.replicas[0]
	if err := s.breakOn(ctx, stopUnit("patroni"), replica); err != nil {
		return err
	}
	s.say("Patroni and PostgreSQL of " + replica + " are killed first")
	err := poll.Until(ctx, poll.Options{What: "no commit to wait for " + replica,
		Bound: degradedWithin, Every: 500 * time.Millisecond},
		func(ctx context.Context) (string, error) {
			status, err := s.cluster.Status(ctx)
			for _, m := range status.Members {
				if m.Host == replica && strings.HasSuffix(m.Role, "_standby") {
					return replica + " is " + m.Role, err
				}
			}
			return "", err
		})
	if err != nil {
		return err
	}
	s.begin([]string{s.leader}, "power of %s cut, while %s is gone", s.leader, replica)
	return s.powerOff(ctx, s.leader)
}

// leaderAndReplicaPower leaves one member, which is not most of them.
func leaderAndReplicaPower(ctx context.Context, s *experiment) error {
	if len(s.replicas) == 0 {
		return fmt.Errorf("%w: there is no replica", pgha.ErrRefused)
	}
	both := []string{s.leader, s.replicas[0]}
	s.begin(both, "power of %s cut", and(both))
	for _, host := range both {
		if err := s.powerOff(ctx, host); err != nil {
			return err
		}
	}
	return nil
}

func seconds(n int) func(*pgha.Spec) time.Duration {
	return func(*pgha.Spec) time.Duration { return time.Duration(n) * time.Second }
}

// anyLease is longer than every lease and every fence of a fast failover lasts.
func anyLease(sp *pgha.Spec) time.Duration { return expiry(sp) + time.Minute }
