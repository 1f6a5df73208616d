# Written by pgha. Do not edit it here: the next apply puts it back.
"""The steps of a fast failover: what an agent does next, from what it has seen. Nothing here reads a clock, a network, a
file or etcd, so that a simulation can drive it through any order of events.

A leader whose host is lost still has its lease. Its key may be taken away early only if it can complete no commit any
more, which synchronous replication makes provable: every commit waits for voters, the members that the key /sync names,
and a voter that has fenced the leader (no packet reaches it, no WAL comes from it) acknowledges nothing.

Each step has the name of a transition of the model in package model, which explores what happens when they come in any
order, late, twice, or not at all. What makes each of them safe is a guard that etcd or the kernel checks, never this
code's belief of how things are.
"""
import collections

LOOK = 0.25  # seconds between two looks at the leader's host
GAP = 1.5  # seconds without a look after which silence counts anew: it was this agent that slept
LEASE = 10  # seconds that an entry in etcd lasts
GIVE_UP = 8.0  # seconds for one attempt; shorter than LEASE, so that entries do not vanish in the middle of one
REST = 10.0  # seconds without a new attempt after one that came to nothing
MARGIN = 10.0  # seconds beyond all others before a fence is removed by time alone
ALONE = 1.5  # seconds without an answer of any other member, etcd being silent, after which a leader stands aside

# Claim is what an entry in etcd says: leader, and the revisions at which the leader key and /sync were last written. It
# says nothing about any other reign of the same member, nor about any other set of voters.
Claim = collections.namedtuple("Claim", "leader leader_revision sync_revision")
# View is etcd at one revision. timeline is the leader's; suspected and fenced hold, by member, a Claim and the revision of
# the entry.
View = collections.namedtuple("View", "leader leader_revision sync_leader voters sync_revision paused config_revision"
                                      " ttl loop_wait timeline suspected fenced")
# Step is one thing to do. Which of the fields count depends on its name.
Step = collections.namedtuple("Step", "name claim revision entries", defaults=(None, None, None))
# Record is what a host remembers of its fence, on disk before the fence is there: an agent, a timer and a boot find it.
Record = collections.namedtuple("Record", "leader timeline since keep")

CALM, SUSPECTED, FENCED, SEVERED, TOLD, HELD, WITHDRAWN = (
    "calm", "suspected", "fenced", "severed", "told", "held", "withdrawn")


class Silence:
    """How long nothing at all has come from the leader's host."""

    def __init__(self):
        self.since = self.last = None

    def look(self, began, now, answered, came=None):
        """Notes a look, from began until now, and returns the seconds of silence. came is when something last came on an open
        connection, or earlier; None if there is none."""
        before, self.last = self.last, now
        if answered:
            self.since = None
            return 0.0
        if before is not None and now - before > GAP:
            self.since = began
        elif self.since is None:
            # Something may have come after the look before this one. That the host has been idle for longer is no silence: it
            # was not asked.
            self.since = began if came is None or before is None else min(began, max(came, before))
        elif came is not None:
            self.since = max(self.since, came)
        return max(0.0, now - self.since)


class Aside:
    """Whether the leader beside this agent stands aside: lets nothing out to the balancers, so that they take it for lost.

    A leader that is cut off from the others says that it leads until its lease ends, and while balancers hear that of two
    members they let nobody in. It hears of no other member, so it can complete no commit, and loses nothing by it. This is no
    part of what makes a fast failover safe: in the model it is packets that do not arrive.
    """

    def __init__(self, suspect_after):
        self.suspect_after, self.leads, self.heard, self.standing = suspect_after, False, None, False

    def alone(self, now, view, me):
        """Notes what etcd says (None if it did not answer). Whether the other members should be looked at."""
        if view:
            # Without voters no commit waits for another member, and while it is paused nobody else will lead.
            self.leads = view.leader == me and bool(view.voters) and not view.paused
            self.heard = now
        return self.leads and not view or self.standing

    def next(self, now, view, me, silent, primary):
        """"aside", "return" or None. silent is since how many seconds no other member has answered, and primary() whether Patroni
        says that this member leads."""
        if not self.standing:
            lost = self.leads and not view and now - self.heard >= self.suspect_after
            return "aside" if lost and silent >= ALONE else None
        if view:  # where another leads by now it stays away until Patroni knows that
            return None if view.leader != me and primary() else "return"
        return None if silent else "return"


class Agent:
    """One agent, beside the member me. members are the names of all members, the leader's among them."""

    def __init__(self, me, members, suspect_after, record=None):
        self.me, self.members, self.suspect_after = me, frozenset(members), suspect_after
        self.record = record
        # An agent that finds a fence does not know what was told of it: it can only hold it, and take it back.
        self.phase = HELD if record else CALM
        self.claim = self.own = self.began = None
        self.rest_until = float("-inf")

    # ---- what is true of a view

    def claim_of(self, view):
        """What may be claimed of this view; None if a fast failover would be unsafe or is not wanted."""
        if not view or not view.leader or view.leader == self.me or view.paused:
            return None
        # Without voters no commit waits for anybody; under another leader's /sync nobody knows who they are.
        if not view.voters or view.sync_leader != view.leader or view.leader in view.voters:
            return None
        return Claim(view.leader, view.leader_revision, view.sync_revision)

    def agreed(self, view):
        """All voters suspect this leader, and so do more than half of all members."""
        who = {m for m, (claim, _) in view.suspected.items() if claim == self.claim and m in self.members}
        return view.voters <= who and 2 * len(who) > len(self.members)

    def fences(self, view):
        """The revisions of all voters' fences against this leader; None if one is missing.

        Every voter has to be fenced, also where fewer could complete no commit. One that is not would still write WAL
        that comes late, after it has voted, and with acknowledgements that were under way from fenced ones, a commit could
        be completed that the elected leader has not.
        """
        found = {m: view.fenced[m][1] for m in view.voters if m in view.fenced and view.fenced[m][0] == self.claim}
        return found if len(found) == len(view.voters) else None

    # ---- what comes next

    def next(self, now, silent, view, timeline):
        """The step to take, or None. silent is since how many seconds the leader's host has been, view what etcd says (None
        if it did not answer), timeline that of the local PostgreSQL (None if it is not known)."""
        if self.record:
            step = self.ending(now, timeline)
            if step:
                return step
        if not view:
            return None
        claim = self.claim_of(view)
        current = claim is not None and silent >= self.suspect_after
        if self.phase == CALM:
            if not current or now < self.rest_until:
                return None
            return Step("suspect", claim)
        # From here on an attempt is under way. It is over when the leader answers, rules anew or has other voters.
        going = current and claim == self.claim and now - self.began < GIVE_UP and self.phase != HELD
        if not going:
            return self.back(now, view)
        entries = self.fences(view)
        if entries:
            return Step("delete", self.claim, view.config_revision, entries)
        # model: Fence
        if self.phase == SUSPECTED and self.me in view.voters and self.agreed(view) and timeline:
            # Longer than the entry below could be counted, and after that longer than any lease of the leader's.
            # etcd gives leases their full time again when it elects; three times is what an agent bears of that.
            keep = 3 * LEASE + view.ttl + view.loop_wait + MARGIN
            record = Record(self.claim.leader, max(timeline, view.timeline), now, keep)
            return Step("fence", self.claim, entries=record)
        if self.phase == FENCED:  # model: Sever
            return Step("sever", self.claim)
        if self.phase == SEVERED:
            return Step("tell", self.claim, self.own)
        return None

    def ending(self, now, timeline):
        """The ways in which a fence ends, apart from taking it back."""
        # A PostgreSQL on a newer timeline cannot get WAL from the old leader, whatever it is told to follow. That it is
        # stopped is no reason: what starts it may have looked at etcd before the leader key was taken away. model: Lift
        if timeline and timeline > self.record.timeline:
            return Step("lift")
        if stale(now, self.record):
            return Step("timer")
        return Step("lift") if self.phase == WITHDRAWN else None

    def back(self, now, view):
        if not self.record:
            self.rest(now)  # the suspicion ends with its lease
            return None
        # Once the key is another's, or nobody's, it may have been this fence that took it away: it has to stay.
        return Step("withdraw", Claim(self.record.leader, None, None)) if view.leader == self.record.leader else None

    def rest(self, now):
        self.phase, self.claim, self.own, self.began = CALM, None, None, None
        self.rest_until = now + REST

    # ---- what came of it

    def done(self, now, step, outcome):
        """Notes what came of a step: for those in etcd the revision at which it was done, False if a guard did not hold,
        None if nobody knows; for the others whether they succeeded."""
        if step.name == "suspect" and outcome:
            self.phase, self.claim, self.own, self.began = SUSPECTED, step.claim, outcome, now
        elif step.name == "fence":
            # Also a fence that failed has left something that has to be taken back.
            self.record, self.phase = step.entries, FENCED if outcome else HELD
        elif step.name == "sever":
            self.phase = SEVERED if outcome else self.phase
        elif step.name == "tell" and outcome is not None:
            self.phase = TOLD if outcome else HELD
        elif step.name == "withdraw" and outcome:
            self.phase = WITHDRAWN
        elif step.name in ("lift", "timer") and outcome:
            self.record = None
            self.rest(now)


def stale(now, record):
    """Whether a fence may be removed by time alone, by whoever finds it: its entry can't be counted any more, and whatever lease
    the leader had when it could has ended. model: Timer"""
    return now - record.since > record.keep


def transaction(step, me, keys):
    """What a step asks of etcd, for one that is taken there: (guards, operations). keys are the names of leader, sync and
    config, and of the folders suspected and fenced. A guard is (key, what, value); etcd does all of the operations, at one
    revision, if every guard holds, and else none."""
    mine = keys["suspected"] + me, keys["fenced"] + me
    claim = step.claim or Claim(None, None, None)
    rules = [(keys["leader"], "mod", claim.leader_revision), (keys["sync"], "mod", claim.sync_revision)]
    if step.name == "suspect":  # model: Suspect
        return rules, [("put", mine[0], claim)]
    if step.name == "tell":  # model: Tell. A message that comes late finds no suspicion, or another one.
        return rules + [(mine[0], "mod", step.revision)], [("put", mine[1], claim)]
    if step.name == "delete":  # model: Delete
        guards = rules + [(keys["config"], "mod", step.revision)]
        guards += [(keys["fenced"] + member, "mod", at) for member, at in sorted(step.entries.items())]
        # /sync is written as it was: the old leader, which may not know yet that its key is gone, changes it only at the
        # revision that it knows, and without that it would make itself independent of its voters. It comes second: Patroni
        # takes the changes one by one, and must not see the new revision together with the old key.
        return guards, [("delete", keys["leader"], None), ("again", keys["sync"], None)]
    if step.name == "withdraw":  # model: Withdraw
        return [(keys["leader"], "value", claim.leader)], [("delete", mine[0], None), ("delete", mine[1], None)]
    return None
