"""Drives the agents' real steps through random schedules of cuts, pauses and crashes, and says which one breaks a promise.

Everything around the steps is a fake: one clock, one etcd with transactions and leases, hosts with a PostgreSQL and a Patroni
that follow the rules of the real ones as far as a failover needs them. Whoever acts does so in small parts, between which
anything else may happen, or nothing for longer than every lease. A schedule is a list of (seconds, actor, event), made from
its number alone, so that one that fails can be run again as it is printed.

    simulation.py STEPS --schedules 1000 [--seed 0] [--without GUARD]
    simulation.py STEPS --replay FILE [--without GUARD]
"""
import argparse
import importlib.util
import json
import random
import sys

TTL, LOOP_WAIT = 30, 10
KEYS = {"leader": "leader", "sync": "sync", "config": "config", "suspected": "suspected/", "fenced": "fenced/"}


class Broken(Exception):
    """A promise was broken."""


class Etcd:
    """One key space with revisions, transactions and leases."""

    def __init__(self):
        self.revision, self.data = 0, {}  # key: (value, mod revision, when its lease ends)

    def expire(self, now):
        for key in [k for k, (_, _, ends) in self.data.items() if ends is not None and ends <= now]:
            del self.data[key]

    def commit(self, guards, operations, lease):
        for key, what, want in guards:
            value, mod, _ = self.data.get(key, (None, 0, None))
            if (mod if what == "mod" else value) != want:
                return False
        self.revision += 1
        for what, key, value in operations:
            if what == "put":
                self.data[key] = (value, self.revision, lease)
            elif what == "again":
                self.data[key] = (self.data[key][0], self.revision, self.data[key][2])
            else:
                self.data.pop(key, None)
        return self.revision

    def get(self, key):
        return self.data.get(key, (None, 0, None))


class Member:
    """A host with PostgreSQL, Patroni and an agent."""

    def __init__(self, steps, name, names):
        self.name = name
        self.host = True  # has power
        self.route = None  # whom it lets nothing out to
        self.streams = self.follows = None  # whom it gets WAL from, whom it is told to get it from
        self.flushed, self.timeline = 0, 1
        self.sent = self.queued = 0  # acknowledged: on its way, and behind the route
        self.disk = None  # the record of a fence
        self.silence, self.agent = steps.Silence(), None
        self.names, self.steps = names, steps
        self.lease = 0.0  # when its entries end
        self.doing = None  # what the agent is in the middle of
        self.patroni = None  # what Patroni is in the middle of
        self.restart()

    def restart(self):
        self.silence, self.doing = self.steps.Silence(), None
        self.agent = self.steps.Agent(self.name, self.names, 3.0, self.disk)


class World:
    def __init__(self, steps, members, sync, apart):
        self.steps, self.now, self.etcd, self.sync = steps, 1000.0, Etcd(), sync
        names = ["m%d" % i for i in range(1, members + 1)]
        self.members = {n: Member(steps, n, names) for n in names}
        self.apart = apart
        self.cut = set()  # (from, to) through which no packet goes
        self.blind = False
        self.late = []  # transactions that were sent and have not arrived
        old = self.old = self.members["m1"]
        old.primary, old.knows, old.renewed, old.standby, old.numsync = True, True, self.now, set(names[1:]), sync
        self.written, self.done, self.fork, self.new, self.promotions = 0, 0, None, None, 0
        voters = frozenset(names[1:])
        self.etcd.commit([], [("put", "config", False)], None)
        self.etcd.commit([], [("put", "sync", ("m1", voters, len(voters) - sync))], None)
        self.etcd.commit([], [("put", "leader", "m1")], self.now + TTL)
        old.version = self.etcd.get("sync")[1]
        for m in self.others():
            m.streams = m.follows = "m1"

    def others(self):
        return [m for m in self.members.values() if m.name != "m1"]

    def passes(self, a, b):
        """Whether a packet of host a comes to host b."""
        return (a.host and b.host and (a.name, b.name) not in self.cut and a.route != b.name)

    def reaches_etcd(self, m):
        if (m.name, "etcd") in self.cut:
            return False
        if self.apart or m is not self.old:
            return True
        return any(self.passes(m, o) and self.passes(o, m) for o in self.others())

    # ---- time

    def wait(self, seconds):
        self.now += seconds
        # Patroni's promise: who cannot renew its lease has stopped before it ends.
        if self.old.primary and self.now > self.old.renewed + TTL - 1:
            self.stop_old()
        self.etcd.expire(self.now)

    def stop_old(self):
        self.old.primary = self.old.knows = False

    # ---- the client and PostgreSQL

    def write(self, _):
        if self.old.primary and self.old.host:
            self.written += 1

    def flush(self, m):
        if m.streams != "m1" or not self.passes(self.old, m) or m.flushed >= self.written:
            return
        m.flushed += 1
        if m.route == "m1":
            m.queued = m.flushed
        elif self.passes(m, self.old):
            m.sent = m.flushed

    def connect(self, m):
        """The WAL receiver connects to whom it is told. A server on an older timeline has nothing for it."""
        if m.host and m.streams is None and m.follows == "m1" and m.timeline == 1 and self.old.primary \
                and self.passes(m, self.old) and self.passes(self.old, m):
            m.streams = "m1"

    def complete(self, _):
        """The old leader tells its client of a commit; acknowledgements that are under way come when they come."""
        if not self.old.primary or not self.old.host:
            return
        acks = sorted((self.members[n].sent for n in self.old.standby), reverse=True)
        upto = self.written if self.old.numsync == 0 else acks[self.old.numsync - 1] if len(acks) >= self.old.numsync else 0
        self.done = max(self.done, min(upto, self.written))
        self.judge()

    def judge(self):
        if self.fork is not None and self.done > self.fork:
            raise Broken("commit %d was acknowledged, and %s, the new leader, ends at %d" % (self.done, self.new, self.fork))

    # ---- Patroni

    def patroni(self, m):
        """One part of a loop: what was looked at comes first, what is done about it in the next part."""
        if not m.host:
            return
        act, m.patroni = m.patroni, None
        if act:
            act()
        elif self.reaches_etcd(m):
            (self.load_old if m is self.old else self.load)(m)

    def load_old(self, m):
        leader, _, _ = self.etcd.get("leader")
        began = self.now
        if not m.primary:
            return
        if leader == "m1":
            m.knows, m.version = True, self.etcd.get("sync")[1]
            self.etcd.data["leader"] = ("m1", self.etcd.get("leader")[1], self.now + TTL)
            m.renewed = began
            if not any(o.streams == "m1" and self.passes(o, m) and self.passes(m, o) for o in self.others()):
                m.patroni = self.alone
        elif leader is None:
            m.patroni = self.regain
        else:
            m.patroni = self.stop_old

    def regain(self):
        if self.old.primary and self.etcd.commit([("leader", "mod", 0)], [("put", "leader", "m1")], self.now + TTL):
            self.old.renewed, self.old.version = self.now, self.etcd.get("sync")[1]
        else:
            self.stop_old()

    def alone(self):
        """No replica streams: commits wait for nobody, and /sync says so first."""
        old = self.old
        if old.primary and self.etcd.commit([("sync", "mod", old.version)], [("put", "sync", ("m1", frozenset(), 0))], None):
            old.patroni = self.alone_now

    def alone_now(self):
        if self.old.primary:
            self.old.standby, self.old.numsync = set(), 0

    def load(self, m):
        leader, _, _ = self.etcd.get("leader")
        if leader is None and self.new is None and m.streams != m.name:
            _, voters, quorum = self.etcd.get("sync")[0]
            m.patroni = lambda: self.race(m, voters, quorum, set(), m.flushed)
        elif leader == m.name and self.new is None:
            m.patroni = lambda: self.promote(m)
        elif leader and leader == self.new and leader != m.name:
            m.patroni = lambda: self.follow(m)

    def race(self, m, voters, quorum, votes, mine):
        """Asks one member after another, with anything in between."""
        for o in self.others():
            if o is m or o.name in votes or o.name not in voters or not (self.passes(m, o) and self.passes(o, m)):
                continue
            if o.flushed > mine:
                return
            votes.add(o.name)
            m.patroni = lambda: self.race(m, voters, quorum, votes, mine)
            return
        if len(votes) + (m.name in voters) > quorum:
            if self.etcd.commit([("leader", "mod", 0)], [("put", "leader", m.name)], self.now + TTL):
                m.patroni = lambda: self.promote(m)

    def promote(self, m):
        if self.etcd.get("leader")[0] != m.name or self.new:
            return
        self.new, self.fork = m.name, m.flushed
        self.promotions += 1
        m.timeline, m.streams, m.follows = 2, None, None
        self.judge()

    def follow(self, m):
        m.follows = m.streams = self.new
        m.timeline, m.flushed = 2, min(m.flushed, self.fork)

    # ---- agents

    def view(self):
        leader, at, _ = self.etcd.get("leader")
        sync, sync_at, _ = self.etcd.get("sync")
        paused, config_at, _ = self.etcd.get("config")
        entries = {folder: {k[len(folder):]: v[:2] for k, v in self.etcd.data.items() if k.startswith(folder)}
                   for folder in ("suspected/", "fenced/")}
        return self.steps.View(leader, at, sync[0], sync[1], sync_at, paused, config_at, TTL, LOOP_WAIT, 1,
                               entries["suspected/"], entries["fenced/"])

    def agent(self, m):
        """One part of an agent's loop."""
        if not m.host:
            return
        if m.doing:
            doing, m.doing = m.doing, None
            doing()
            return
        if m.agent.record and not m.disk:
            m.restart()  # the timer has removed the fence
        answered = not self.blind and self.passes(m, self.old) and self.passes(self.old, m)
        silent = m.silence.look(self.now, self.now, answered)
        view = self.view() if self.reaches_etcd(m) else None
        step = m.agent.next(self.now, silent, view, m.timeline)
        if step:
            m.doing = lambda: self.act(m, step)

    def act(self, m, step):
        asked = self.steps.transaction(step, m.name, KEYS)
        agent = m.agent
        if asked is None:
            self.on_host(m, step)
            self.told(m, lambda: agent.done(self.now, step, True))
            return
        if not self.reaches_etcd(m):
            agent.done(self.now, step, None)
            return
        if step.name == "suspect":
            m.lease = self.now + self.steps.LEASE
        send = (asked, m.lease)
        if self.fate < 0.15:  # it may arrive later, and nobody is told
            self.late.append(send)
            self.told(m, lambda: agent.done(self.now, step, None))
            return
        outcome = self.arrive(send)
        if self.fate < 0.25:
            outcome = None  # it was done, and the answer is lost
        self.told(m, lambda: agent.done(self.now, step, outcome))

    def told(self, m, done):
        """The agent learns what came of a step, at once or after a pause."""
        if self.fate < 0.6:
            m.doing = done
        else:
            done()

    def arrive(self, send):
        (guards, operations), lease = send
        if lease <= self.now and operations[0][0] == "put":
            return False
        before = self.etcd.get("leader")[0]
        outcome = self.etcd.commit(guards, operations, lease)
        if outcome and operations[0][:2] == ("delete", "leader"):
            self.deletions = getattr(self, "deletions", 0) + 1
            if self.etcd.get("config")[0]:
                raise Broken("the leader key of a paused cluster was taken away from %s" % before)
        return outcome

    def on_host(self, m, step):
        if step.name == "fence":
            m.disk, m.route = step.entries, step.entries.leader
        elif step.name == "sever":
            self.sever(m)
        else:
            self.lift(m)

    def sever(self, m):
        m.streams = None if m.streams == "m1" else m.streams

    def lift(self, m):
        m.route = m.disk = None
        if m.queued:
            m.sent, m.queued = max(m.sent, m.queued), 0

    def timer(self, m):
        if m.host and m.disk and self.steps.stale(self.now, m.disk):
            self.lift(m)

    # ---- faults

    def power(self, m):
        m.host = False
        if m is self.old:
            self.stop_old()

    def boot(self, m):
        if m is self.old:
            return
        m.host, m.streams, m.patroni = True, None, None
        m.route = m.disk.leader if m.disk else None
        if m.disk:
            m.disk = m.disk._replace(since=self.now)
        m.restart()

    def restart(self, m):
        m.restart()

    def isolate(self, m):
        for o in self.members:
            self.cut |= {(m.name, o), (o, m.name)} - {(m.name, m.name)}

    def oneway(self, m):
        self.cut |= {(m.name, o) for o in self.members if o != m.name}

    def deaf(self, m):
        self.cut |= {(o, m.name) for o in self.members if o != m.name}

    def no_etcd(self, m):
        self.cut.add((m.name, "etcd"))

    def blinded(self, _):
        """Every agent is wrong: what it asks gets no answer, and all the rest does."""
        self.blind = True

    def heal(self, _):
        self.cut.clear()
        self.blind = False

    def pause(self, _):
        self.etcd.commit([], [("put", "config", True)], None)

    def deliver(self, _):
        if self.late:
            self.arrive(self.late.pop(0))


# What happens, and how often. Faults are rare enough for a failover to come to its end between them.
EVENTS = ([("agent", 45), ("patroni", 20), ("flush", 10), ("connect", 6), ("complete", 4), ("write", 1.5), ("deliver", 2),
           ("timer", 1), ("restart", 0.6), ("boot", 0.5), ("heal", 0.4), ("oneway", 0.2), ("deaf", 0.2), ("no_etcd", 0.4),
           ("isolate", 0.2), ("power", 0.1), ("pause", 0.03)])
NAMES, WEIGHTS = [e for e, _ in EVENTS], [w for _, w in EVENTS]
FAULTS = {"oneway", "deaf", "no_etcd", "isolate", "power"}
FIRST = ["isolate", "power", "oneway", "deaf", "blinded", "blinded", "blinded", "blinded"]


def schedule(number):
    """A cluster, and what happens to it."""
    r = random.Random(number)
    members, sync = r.choice([(3, 1), (3, 1), (3, 2), (4, 2), (5, 1), (5, 2)])
    names = ["m%d" % i for i in range(1, members + 1)]
    events = [(0.0, "write", "m1", 1.0)] + [(0.01, "flush", n, 1.0) for n in names[1:] if r.random() < 0.7]
    events += [(0.1, "complete", "m1", 1.0), (0.1, r.choice(FIRST), "m1", 1.0)]
    # Looks that tell every agent that it has been silent for long enough: what is interesting begins then.
    events += [(1.1 if n == "m2" else 0.0, "agent", n, 1.0) for _ in range(4) for n in names[1:]]
    slow = r.choice([0.01, 0.05, 0.05, 0.2])
    for event in r.choices(NAMES, WEIGHTS, k=r.randint(10, 50) + 20 * members):
        seconds = r.random() * slow if r.random() < 0.985 else r.choice([1, 2, 5, 12, 31, 45, 100])
        # The old leader's Patroni has one loop in which the others have many: it is to find out late.
        old = r.random() < {"patroni": 0.08, "complete": 1, "write": 1}.get(event, 0.3 if event in FAULTS else 0)
        who = "m1" if old else r.choice(names[1:])
        events.append((round(seconds, 3), event, who, round(r.random(), 3)))
    return {"members": members, "sync": sync, "apart": r.random() < 0.5, "events": events}


def run(steps, plan):
    """Returns the world at the end; Broken says what went wrong before."""
    world = World(steps, plan["members"], plan["sync"], plan["apart"])
    for at, (seconds, event, who, fate) in enumerate(plan["events"]):
        world.wait(seconds)
        world.fate = fate
        try:
            getattr(world, event)(world.members[who])
        except Broken as broken:
            broken.at = at
            raise
    return world


def shrink(steps, plan):
    """The same failure by fewer events."""
    events = list(plan["events"])
    size = max(1, len(events) // 2)
    while size:
        at = 0
        while at < len(events):
            fewer = dict(plan, events=events[:at] + events[at + size:])
            try:
                run(steps, fewer)
                at += size
            except Broken as broken:
                events = fewer["events"][:broken.at + 1]
        size //= 2
    return dict(plan, events=events)


def script(plan):
    head = {k: v for k, v in plan.items() if k != "events"}
    return "\n".join([json.dumps(head)] + [json.dumps(e) for e in plan["events"]])


def without(steps, guard):
    """Takes one guard out of the steps: see Rules in package model for what these and others are for."""
    whole, ending = steps.transaction, steps.Agent.ending

    def transaction(step, me, keys):
        asked = whole(step, me, keys)
        return (asked[0], asked[1][:1]) if asked and step.name == "delete" else asked

    if guard == "again":  # LeaveSync
        steps.transaction = transaction
    elif guard == "lift":  # LiftUnasked
        steps.Agent.ending = lambda self, now, timeline: (
            steps.Step("lift") if self.phase == steps.TOLD and self.me == "m2" else ending(self, now, timeline))
    elif guard == "sever":  # KeepReceiver
        World.sever = lambda self, m: None
    else:
        raise SystemExit("there is no guard %s" % guard)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("steps", metavar="STEPS", help="the file with the agent's steps")
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first schedule")
    parser.add_argument("--replay", metavar="FILE", help="run a schedule as it was printed")
    parser.add_argument("--without", metavar="GUARD", help="take a guard out: again, lift, sever")
    args = parser.parse_args()
    spec = importlib.util.spec_from_file_location("steps", args.steps)
    steps = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(steps)
    if args.without:
        without(steps, args.without)
    if args.replay:
        with open(args.replay) as lines:
            head, *events = [json.loads(line) for line in lines]
        try:
            world = run(steps, dict(head, events=events))
        except Broken as broken:
            print("event %d: %s" % (broken.at + 1, broken))
            return 1
        print("nothing went wrong; %s leads" % (world.new or "m1"))
        return 0
    promoted = deleted = 0
    for number in range(args.seed, args.seed + args.schedules):
        plan = schedule(number)
        try:
            world = run(steps, plan)
            promoted += world.promotions
            deleted += getattr(world, "deletions", 0)
        except Broken as broken:
            print("schedule %d: %s\n%s" % (number, broken, script(shrink(steps, plan))))
            return 1
    print("%d schedules: %d times the key was taken away, %d promotions" % (args.schedules, deleted, promoted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
