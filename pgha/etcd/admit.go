package etcd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

// admit settles how members without data come in while others have some. Where nobody has taken
// part yet, an earlier run was interrupted and they still found the cluster. Else the cluster
// lives: a member that has not taken part joins it, and one that has, and lost what it knew, is
// removed first, because raft relies on a voter's memory.
func (o Options) admit(ctx context.Context, seen []facts) error {
	var full, empty []int
	for _, i := range o.all() {
		if seen[i].hasData {
			full = append(full, i)
		} else {
			empty = append(empty, i)
		}
	}
	if len(full) == 0 && slices.ContainsFunc(seen, func(f facts) bool { return f.formed }) {
		o.Progress("the data of all etcd members is gone: forming a new, empty cluster")
		if o.Forming != nil {
			if err := o.Forming(ctx); err != nil {
				return err
			}
		}
	}
	// One that has data, and that no run has seen healthy, may have no vote yet.
	unsure := slices.ContainsFunc(full, func(i int) bool { return !seen[i].formed })
	if len(full) == 0 || len(empty) == 0 && !unsure {
		return nil
	}
	if o.planning() {
		o.planJoins(ctx, full, empty)
		return nil
	}
	if err := o.startWithoutWaiting(ctx, seen, full); err != nil {
		return err
	}
	peers, err := o.peersKnown(ctx, full)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(peers, func(p peer) bool { return len(p.ClientURLs) > 0 }) {
		return o.prepare(ctx, empty, founding)
	}
	was := func(i int) standing { return standingOf(peers, o.peerURL(o.Members[i])) }
	// A member that an earlier run has added, and that has not come yet, counts already: without it
	// there may be no quorum.
	isAdded := func(i int) bool { return was(i) == added }
	coming := slices.DeleteFunc(slices.Clone(empty), func(i int) bool { return !isAdded(i) })
	votes := func(i int) bool { return !learns(peers, o.peerURL(o.Members[i])) }
	if !majority(count(append(slices.Clone(full), coming...), votes), peers) {
		if len(empty) == 0 {
			return nil // whoever waits for their health says what is wrong
		}
		return o.quorumLost(empty)
	}
	// Those that vote first: one of them is asked.
	slices.SortStableFunc(full, func(a, b int) int { return voteFirst(votes(a), votes(b)) })
	if err := o.promote(ctx, full...); err != nil {
		return err
	}
	if len(coming) == 0 {
		if err := o.awaitHealth(ctx, full); err != nil {
			return err
		}
	}
	// One after the other: etcd takes no further member while one has not come yet.
	for _, i := range append(coming, slices.DeleteFunc(empty, isAdded)...) {
		if err := o.join(ctx, seen, i, full, was(i)); err != nil {
			return remote.OnHost(o.Members[i].Target.Name, err)
		}
		full = append(full, i)
	}
	return nil
}

// majority tells whether so many members that vote are most of those that the living cluster has.
// After Recover that has one, whatever the options name.
func majority(members int, peers []peer) bool {
	living := map[string]bool{}
	for _, p := range peers {
		if !p.Learner {
			living[strings.Join(p.PeerURLs, ",")] = true
		}
	}
	return 2*members > len(living)
}

// voteFirst sorts those that vote before the others.
func voteFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// count is how many of the members are such.
func count(members []int, such func(int) bool) int {
	n := 0
	for _, i := range members {
		if such(i) {
			n++
		}
	}
	return n
}

// planJoins tells which members would be taken out of the living cluster and in again, as far as
// those say that run.
func (o Options) planJoins(ctx context.Context, full, empty []int) {
	for _, i := range empty {
		m, action := o.Members[i], joinAction(voter)
		for _, k := range full {
			if peers, err := o.peersKnownTo(ctx, o.Members[k]); err == nil {
				if !slices.ContainsFunc(peers, func(p peer) bool { return len(p.ClientURLs) > 0 }) {
					return // an earlier run was cut off while it formed the cluster
				}
				if !majority(len(full), peers) {
					return // the quorum is lost: then nobody is taken out
				}
				action = joinAction(standingOf(peers, o.peerURL(m)))
				break
			}
		}
		if m.Target.OnChange != nil {
			m.Target.OnChange(remote.Change{Host: m.Target.Name, Kind: memberKind, Name: m.Name,
				Action: action, Planned: true})
		}
	}
}

// memberKind is the kind of change that a member's coming and going is.
const memberKind = "etcd member"

func joinAction(was standing) string {
	if was == voter {
		return "taken out and in again, because its data is gone"
	}
	return "joined"
}

func (o Options) quorumLost(empty []int) error {
	names := make([]string, len(empty))
	for k, i := range empty {
		names[k] = o.Members[i].Name
	}
	return errs.WithNext(fmt.Errorf("%w: the data of %v is gone, and the others are no "+
		"majority of %d",
		ErrQuorumLost, names, len(o.Members)),
		errs.Text("bring the data back (is a disk not mounted?); or, if it is lost for good, run "+
			"%s with a member whose database is to go on; restart no Patroni yourself",
			errs.Verb("recover", "--from", "MEMBER")))
}

// startWithoutWaiting starts members that may have to wait for a quorum until more is done.
func (o Options) startWithoutWaiting(ctx context.Context, seen []facts, members []int) error {
	return o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if !slices.Contains(members, i) || seen[i].running {
			return nil
		}
		seen[i].started = true
		_, err := m.Target.Do(ctx, Unit, "started",
			remote.Cmd{Argv: []string{"systemctl", "start", "--no-block", Unit}})
		return err
	})
}

// peersKnown collects the members that the given ones know. All of them have to answer: one alone
// may not have heard of a member.
func (o Options) peersKnown(ctx context.Context, members []int) ([]peer, error) {
	var all []peer
	for _, i := range members {
		err := o.await(ctx, "etcd member "+o.Members[i].Name+" to answer its peers",
			func(ctx context.Context) error {
				peers, err := o.peersKnownTo(ctx, o.Members[i])
				all = append(all, peers...)
				return err
			})
		if err != nil {
			return nil, remote.WithHint(err, "see `journalctl -u etcd -n 50` on "+
				o.Members[i].Target.Name)
		}
	}
	// Who has heard of a member's part in the cluster counts more than who has not.
	slices.SortStableFunc(all, func(a, b peer) int { return len(b.ClientURLs) - len(a.ClientURLs) })
	return all, nil
}

// prepare writes down how the given members come in, and lets their units start without data.
func (o Options) prepare(ctx context.Context, members []int, how entry) error {
	return o.each(ctx, func(ctx context.Context, i int, m Member) error {
		if !slices.Contains(members, i) {
			return nil
		}
		_, err := m.Target.Ensure(ctx, o.environmentFile(m, how))
		return err
	})
}

// join makes member i part of the living cluster of the others.
func (o Options) join(ctx context.Context, seen []facts, i int, others []int, was standing) error {
	m, start := o.Members[i], time.Now()
	if was == voter {
		o.Progress("etcd member " + m.Name + " has lost its data: removing it, so that it can " +
			"join again")
	}
	if was != added {
		if err := o.readmit(ctx, o.Members[others[0]], m); err != nil {
			return err
		}
	}
	among, err := o.membersKnownTo(ctx, o.Members[others[0]])
	if err != nil {
		return err
	}
	if err := o.prepare(ctx, []int{i}, joining(among)); err != nil {
		return err
	}
	if err := o.start(ctx, seen, []int{i}); err != nil {
		return err
	}
	seen[i].started = true
	if err := o.promote(ctx, append(slices.Clone(others), i)...); err != nil {
		return err
	}
	if err := o.awaitHealth(ctx, append(slices.Clone(others), i)); err != nil {
		return err
	}
	if m.Target.OnChange != nil {
		m.Target.OnChange(remote.Change{Host: m.Target.Name, Kind: memberKind, Name: m.Name,
			Action: joinAction(was), Duration: time.Since(start)})
	}
	return nil
}

// readmit replaces m by way of another member. etcd refuses while its members have not been
// connected for five seconds.
func (o Options) readmit(ctx context.Context, via, m Member) error {
	return o.await(ctx, "etcd to take member "+m.Name+" again", func(ctx context.Context) error {
		return o.ask(ctx, via, func(ctx context.Context, c *clientv3.Client) error {
			return o.replace(ctx, c, m)
		})
	})
}

// replace removes m from the cluster, if it is in it, and adds it under a new identity. It gets no
// vote before it has what the others have: a voter that has still to come, or to copy, makes the
// majority larger and does not help to reach it.
func (o Options) replace(ctx context.Context, c *clientv3.Client, m Member) error {
	list, err := c.MemberList(ctx)
	if err != nil {
		return fmt.Errorf("list etcd's members: %w", err)
	}
	for _, known := range list.Members {
		if !slices.Contains(known.PeerURLs, o.peerURL(m)) {
			continue
		}
		if _, err := c.MemberRemove(ctx, known.ID); err != nil {
			return fmt.Errorf("remove etcd member %s: %w", m.Name, err)
		}
	}
	if _, err := c.MemberAddAsLearner(ctx, []string{o.peerURL(m)}); err != nil {
		return fmt.Errorf("add etcd member %s: %w", m.Name, err)
	}
	return nil
}

// promote gives a vote to those of the given members (indices) that have none, once they have what
// the leader has. The first of them votes, and is asked.
func (o Options) promote(ctx context.Context, members ...int) error {
	var learner string
	err := o.await(ctx, "etcd's learner to have what its leader has",
		func(ctx context.Context) error {
			return o.ask(ctx, o.Members[members[0]], func(ctx context.Context, c *clientv3.Client) error {
				list, err := c.MemberList(ctx)
				if err != nil {
					return fmt.Errorf("list etcd's members: %w", err)
				}
				for _, m := range list.Members {
					mine := slices.ContainsFunc(members, func(i int) bool {
						return slices.Contains(m.PeerURLs, o.peerURL(o.Members[i]))
					})
					if !mine || !m.IsLearner {
						continue
					}
					learner = m.Name
					if _, err := c.MemberPromote(ctx, m.ID); err != nil {
						return fmt.Errorf("promote etcd member %s: %w", m.Name, err)
					}
				}
				return nil
			})
		})
	if err != nil && learner != "" {
		return remote.WithHint(err, "see `journalctl -u etcd -n 50` on the host of "+learner)
	}
	return err
}
