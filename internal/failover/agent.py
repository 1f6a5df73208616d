#!/usr/bin/python3 -I
# Written by pgha. Do not edit it here: the next apply puts it back.
"""Fails over within seconds when the host of PostgreSQL's leader is lost, without losing a commit.

Beside each member runs one of these. They look whether the leader's host lives; when all voters agree that it does not, each
fences it, and then its key in etcd is taken away, before its lease ends. Patroni elects as always. What comes when is decided
in fast_failover_steps.py; this file looks, asks etcd and acts. It needs CAP_NET_ADMIN, for routes, and nothing else.
"""
import argparse
import base64
import collections
import errno
import http.client
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fast_failover_steps as steps  # noqa: E402

ANSWER = 0.5  # seconds that a program of this host has to answer
ETCD = 1.0  # seconds that a member of etcd has
CALM = 2.0  # seconds between two looks at etcd while the leader's host answers
GONE = 1.0  # seconds that a WAL receiver has to end
LEFT = 20.0  # seconds after which routes that no agent stands behind are removed
REFUSED = errno.ECONNREFUSED, errno.ECONNRESET  # answers, from a host that lives

Host = collections.namedtuple("Host", "name address ports")


def say(words, *values):
    print("pgha: " + words % values, file=sys.stderr, flush=True)


def clock():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot():
    with open("/proc/sys/kernel/random/boot_id") as lines:
        return lines.read().strip()


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


# ---- looking


def answers(targets, seconds):
    """Whether a host accepts or refuses a connection, of targets that are an address and a port each. What says that there is
    no way to it is none."""
    waiting = {}
    try:
        for address, port in targets:
            s = socket.socket(family(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            waiting[s.fileno()] = s
            error = s.connect_ex((address, port))
            if error in REFUSED:
                return True
            if error not in (0, errno.EINPROGRESS):
                waiting.pop(s.fileno()).close()
        poll = select.poll()
        for fd in waiting:
            poll.register(fd, select.POLLOUT)
        until = time.monotonic() + seconds
        while waiting:
            ready = poll.poll(max(0, until - time.monotonic()) * 1000)
            if not ready:
                return False
            for fd, _ in ready:
                if waiting[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0,) + REFUSED:
                    return True
                poll.unregister(fd)
                waiting.pop(fd).close()
        return False
    except OSError:
        return False
    finally:
        for s in waiting.values():
            s.close()


def heard(address):
    """When an open connection last brought anything from the host, WAL or etcd's own, or somewhat earlier; None if none is open."""
    asked = clock()
    try:
        said = subprocess.run(["ss", "-tinHO", "dst", address], capture_output=True, text=True, timeout=ANSWER).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    ages = [int(word[8:]) for line in said.splitlines() if line.startswith("ESTAB")
            for word in line.split() if word.startswith("lastrcv:")]
    return asked - min(ages) / 1000 if ages else None


class Looker(threading.Thread):
    """Looks at the leader's host, in its own time: etcd may keep the agent waiting. On the leader's it looks at all others."""

    def __init__(self, suspect_after):
        super().__init__(daemon=True)
        self.hosts, self.silence, self.silent, self.suspect_after = (), steps.Silence(), 0.0, suspect_after

    def watch(self, hosts):
        if hosts != self.hosts:
            self.hosts, self.silence, self.silent = hosts, steps.Silence(), 0.0

    def run(self):
        while True:
            hosts, silence = self.hosts, self.silence
            if hosts:
                began = clock()
                # One connection is enough while it is accepted; PostgreSQL's is the one that nobody logs. In a silence a look
                # ends when the silence has lasted for long enough, if not before.
                left = self.suspect_after - self.silent
                left = steps.LOOK if left <= 0 else max(0.05, min(steps.LOOK, left))
                lives = not self.silent and answers([(h.address, h.ports[0]) for h in hosts], steps.LOOK) or answers(
                    [(h.address, port) for h in hosts for port in h.ports], left if self.silent else steps.LOOK)
                came = [] if lives else [at for at in map(heard, (h.address for h in hosts)) if at is not None]
                silent = silence.look(began, clock(), lives, max(came, default=None))
                if silence is self.silence:
                    self.silent = silent
            time.sleep(0.05 if self.silent else 2 * steps.LOOK)


# ---- etcd


def b64(text):
    return base64.b64encode(text.encode()).decode()


def text(b64text):
    return base64.b64decode(b64text or "").decode()


class Etcd:
    """etcd's HTTP gateway, at whichever member answers. One that did not comes last the next time."""

    def __init__(self, endpoints, certs, prefix, folder):
        self.endpoints, self.certs, self.prefix = list(endpoints), certs, prefix
        self.keys = {"leader": prefix + "leader", "sync": prefix + "sync", "config": prefix + "config",
                     "suspected": folder + "suspected/", "fenced": folder + "fenced/"}
        self.folder, self.lease, self.connection = folder, None, None

    def call(self, path, once=False, **body):
        """The answer, None if there is none. once is for what must not be sent again elsewhere."""
        for _ in range(1 if once else len(self.endpoints)):
            try:
                if not self.connection:
                    # Certificates are read each time: they are renewed while this runs.
                    tls = ssl.create_default_context(cafile=os.path.join(self.certs, "etcd-ca.crt"))
                    tls.load_cert_chain(os.path.join(self.certs, "etcd-client.crt"), os.path.join(self.certs, "etcd-client.key"))
                    host, _, port = self.endpoints[0].rpartition(":")
                    self.connection = http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=ETCD, context=tls)
                self.connection.request("POST", "/v3/" + path, json.dumps(body), {"Content-Type": "application/json"})
                response = self.connection.getresponse()
                answer = json.loads(response.read())
                if response.status == 200:
                    return answer
                raise OSError("etcd answered %d" % response.status)
            except (OSError, ValueError, http.client.HTTPException):
                if self.connection:
                    self.connection.close()
                self.connection = None
                self.endpoints.append(self.endpoints.pop(0))
        return None

    def view(self):
        """etcd at one revision."""
        def ask(key, more=None):
            ends = {"rangeEnd": b64(key[:-1] + chr(ord(key[-1]) + 1))} if more else {}
            return {"requestRange": dict(ends, key=b64(key))}
        answer = self.call("kv/txn", success=[
            ask(self.keys["leader"]), ask(self.keys["sync"]), ask(self.keys["config"]), ask(self.prefix + "members/", True),
            ask(self.keys["suspected"], True), ask(self.keys["fenced"], True)])
        try:
            found = [[(text(kv["key"]), text(kv.get("value")), int(kv["mod_revision"]))
                      for kv in r["response_range"].get("kvs", [])] for r in answer["responses"]]
            leader, sync, config = ((f or [(None, None, 0)])[0] for f in found[:3])
            members = {key.rpartition("/")[2]: json.loads(value) for key, value, _ in found[3]}
            entries = [{key.rpartition("/")[2]: (steps.Claim(*json.loads(value)), mod) for key, value, mod in f} for f in found[4:]]
            state, dynamic = json.loads(sync[1] or "{}"), json.loads(config[1] or "{}")
            voters = frozenset(v for v in (state.get("sync_standby") or "").split(",") if v)
            return steps.View(leader[1], leader[2], state.get("leader"), voters, sync[2], bool(dynamic.get("pause")), config[2],
                              dynamic.get("ttl", 30), dynamic.get("loop_wait", 10),
                              members.get(leader[1], {}).get("timeline", 0), *entries)
        except (TypeError, KeyError, ValueError):
            return None

    def take(self, step, me):
        """Takes a step that is a transaction. The revision, False if a guard did not hold, None if nobody knows."""
        if step.name == "suspect":
            granted = self.call("lease/grant", TTL=steps.LEASE)
            if not granted:
                return None
            self.lease = granted["ID"]
        guards, operations = steps.transaction(step, me, self.keys)
        compare = [{"key": b64(key), "target": "MOD", "modRevision": str(value)} if what == "mod" else
                   {"key": b64(key), "target": "VALUE", "value": b64(value)} for key, what, value in guards]
        success = [{"put": {"requestPut": {"key": b64(key), "value": b64(json.dumps(value)), "lease": self.lease}},
                    "again": {"requestPut": {"key": b64(key), "ignoreValue": True, "ignoreLease": True}},
                    "delete": {"requestDeleteRange": {"key": b64(key)}}}[what] for what, key, value in operations]
        answer = self.call("kv/txn", once=True, compare=compare, success=success)
        if not answer:
            return None
        return int(answer["header"]["revision"]) if answer.get("succeeded") else False


# ---- the host


def prohibited(address):
    """Whether the kernel lets no packet out to the address because a route forbids it. That there is no route is not it."""
    with socket.socket(family(address), socket.SOCK_DGRAM) as s:
        try:
            s.connect((address, 9))
            return False
        except OSError as error:
            return error.errno == errno.EACCES


def route(what, address):
    target = address + ("/128" if ":" in address else "/32")
    done = subprocess.run(["ip", "route", what, "prohibit", target], capture_output=True, text=True, timeout=5)
    return done.stderr.strip()


def keep(path, value):
    """Writes a file that is there as a whole after whatever happens."""
    with open(path + ".new", "w") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(path + ".new", path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def hang_up(address):
    """Ends the open connections with a host, so that whoever waits on one, as Patroni does for etcd, learns that nothing comes."""
    subprocess.run(["ss", "-KH", "dst", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=5)


class Aside:
    """What keeps packets from the balancers: routes, and the file that remembers them. It is touched for as long as an agent
    wants it."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "aside")

    def addresses(self):
        try:
            with open(self.path) as lines:
                return json.load(lines)["addresses"]
        except (OSError, ValueError, KeyError):
            return []

    def set(self, addresses):
        """model: none; packets that do not arrive"""
        keep(self.path, {"addresses": addresses, "at": time.time()})
        for address in addresses:
            said = "" if prohibited(address) else route("add", address)
            if not prohibited(address):
                say("cannot stand aside: packets still go out to %s %s", address, said)
            hang_up(address)

    def touch(self):
        os.utime(self.path)

    def stale(self):
        """Whether no agent has touched it for so long that there is none."""
        try:
            return time.time() - os.stat(self.path).st_mtime > LEFT
        except OSError:
            return False

    def lift(self):
        for address in self.addresses():
            said = route("del", address) if prohibited(address) else ""
            if prohibited(address):
                say("cannot let packets out to %s again: %s", address, said)
                return False
        if os.path.exists(self.path):
            os.unlink(self.path)
        return True


class Fence:
    """The fence of this host: a route, and the file that remembers it."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "fence")

    def read(self):
        """The record and the address, None if there is none. What another boot wrote counts from this one's beginning."""
        try:
            with open(self.path) as lines:
                kept = json.load(lines)
        except (OSError, ValueError):
            return None, None
        since = kept["since"] if kept["boot"] == boot() else 0.0
        return steps.Record(kept["leader"], kept["timeline"], since, kept["keep"]), kept["address"]

    def write(self, record, address):
        keep(self.path, dict(record._asdict(), address=address, boot=boot(), at=time.time()))

    def set(self, record, address):
        """model: Fence. On disk first: a boot, an agent that is started again and the timer find it there."""
        self.write(record, address)
        return self.hold(address)

    def hold(self, address):
        said = "" if prohibited(address) else route("add", address)
        if not prohibited(address):
            say("cannot fence %s: packets still go out to it %s", address, said)
            return False
        hang_up(address)
        return True

    def lift(self):
        """model: Lift, Timer"""
        _, address = self.read()
        if address:
            said = route("del", address)
            if prohibited(address):
                say("cannot lift the fence against %s: %s", address, said)
                return False
            os.unlink(self.path)
        return True


def receivers(data):
    """The process ids of PostgreSQL's WAL receivers."""
    try:
        with open(os.path.join(data, "postmaster.pid")) as lines:
            parent = int(lines.readline())
    except (OSError, ValueError):
        return []
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as stat, open("/proc/%s/cmdline" % pid) as command:
                if int(stat.read().rpartition(")")[2].split()[1]) == parent and "walreceiver" in command.read():
                    found.append(int(pid))
        except (OSError, IndexError):
            pass
    return found


def sever(data):
    """model: Sever. Ends the WAL receivers that there are; one that starts now gets no connection. What they have
    acknowledged they have also written, and the kernel may still send it."""
    ending = receivers(data)
    for pid in ending:
        try:
            os.kill(pid, signal.SIGTERM)
        except OSError:
            pass
    until = time.monotonic() + GONE
    while time.monotonic() < until:
        if not any(os.path.exists("/proc/%d" % pid) for pid in ending):
            return True
        time.sleep(0.01)
    return False


def patroni(address, port, certs, path):
    """What Patroni of this host answers: the code, and the object; None if it does not."""
    connection = None
    try:
        tls = ssl.create_default_context(cafile=os.path.join(certs, "rest-ca.crt"))
        connection = http.client.HTTPSConnection(address, port, timeout=ETCD, context=tls)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException):
        return None, {}
    finally:
        if connection:
            connection.close()


def local(said, fenced):
    """The timeline of this host's PostgreSQL: None if it is not known, or if it is no replica that could be fenced."""
    _, status = said
    return status.get("timeline") if fenced or status.get("replication_state") == "streaming" else None


# ---- one step after the other


class Runner:
    def __init__(self, args):
        self.args = args
        self.hosts = {h.name: h for h in args.member}
        self.fence, self.looker = Fence(args.state), Looker(args.suspect_after)
        self.etcd = Etcd(args.etcd, args.certs, args.prefix, args.folder)
        self.aside, self.decides = Aside(args.state), steps.Aside(args.suspect_after)
        self.aside.lift()  # of an agent that was killed
        self.begin()

    def begin(self):
        record, address = self.fence.read()
        if record:
            self.fence.hold(address)
            say("a fence against %s was found", record.leader)
        self.agent = steps.Agent(self.args.me, self.hosts, self.args.suspect_after, record)

    def run(self):
        self.looker.start()
        view, seen = None, float("-inf")
        while True:
            agent = self.agent
            if agent.record and not self.fence.read()[0]:
                self.begin()  # the timer has removed it
                continue
            if self.looker.silent or agent.phase != steps.CALM or clock() - seen > CALM:
                view, seen = self.etcd.view(), clock()
                self.watch(view)
                self.stand_aside(view)
            silent = self.looker.silent
            timeline = None
            # Patroni is asked only when the answer counts: before a fence, and for lifting one. A question costs a handshake.
            if agent.phase == steps.SUSPECTED or agent.record and not self.counts(view):
                timeline = local(self.patroni("/patroni"), agent.record)
            step = agent.next(clock(), silent, view, timeline)
            if step:
                agent.done(clock(), step, self.take(step, timeline))
                view = None if step.name == "withdraw" else view
            else:
                soon = agent.phase == steps.CALM and silent > self.args.suspect_after - 1
                time.sleep(0.05 if soon or agent.phase not in (steps.CALM, steps.HELD) else steps.LOOK)

    def watch(self, view):
        """The looker looks at who counts: the leader's host, or on that one at all others once etcd does not answer."""
        if self.decides.alone(clock(), view, self.args.me):
            self.looker.watch(tuple(h for h in self.hosts.values() if h.name != self.args.me))
        elif view and view.leader == self.args.me:
            self.looker.watch(())
        elif view and view.leader in self.hosts:
            self.looker.watch((self.hosts[view.leader],))

    def stand_aside(self, view):
        if not self.args.balancer:
            return
        decided = self.decides.next(clock(), view, self.args.me, self.looker.silent, lambda: self.patroni("/primary")[0] == 200)
        if decided == "aside":
            say("neither etcd nor another member answers: no packet goes out to the balancers")
            self.aside.set(self.args.balancer)
            self.decides.standing = True
        elif decided == "return" and self.aside.lift():
            say("packets go out to the balancers again")
            self.decides.standing = False
        elif self.decides.standing:
            self.aside.touch()

    def patroni(self, path):
        return patroni(self.hosts[self.args.me].address, self.args.rest_port, self.args.certs, path)

    def counts(self, view):
        """Whether the fence is on its way to take the leader's key away, so that nothing can lift it yet."""
        on_its_way = self.agent.phase in (steps.FENCED, steps.SEVERED, steps.TOLD)
        return on_its_way and view and view.leader == self.agent.record.leader

    def take(self, step, timeline):
        leader = (step.claim or self.agent.record).leader
        if step.name == "fence":
            outcome = self.fence.set(step.entries, self.hosts[leader].address)
        elif step.name == "sever":
            outcome = sever(self.args.data)
        elif step.name in ("lift", "timer"):
            outcome = self.fence.lift()
        else:
            outcome = self.etcd.take(step, self.args.me)
        said = {"suspect": "nothing has come from %s for %.1f s: it is suspected" % (leader, self.looker.silent),
                "fence": "%s is fenced: no packet goes out to it" % leader,
                "sever": "no WAL comes from %s any more" % leader,
                "tell": "etcd knows that %s is fenced here" % leader,
                "delete": "the leader key of %s was taken away: every voter has fenced it" % leader,
                "withdraw": "the fence against %s was taken back in etcd: it leads on" % leader,
                "lift": "the fence against %s is lifted, at timeline %s" % (leader, timeline),
                "timer": "the fence against %s is lifted: its lease has ended long ago" % leader}[step.name]
        say("%s%s", said, "" if outcome else " - but that failed" if outcome is None else " - but that came too late")
        return outcome


def member(text):
    name, _, rest = text.partition("=")
    address, _, ports = rest.rpartition("@")
    return Host(name, address, [int(p) for p in ports.split(",")])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["run", "restore", "timer"], help="run the agent; put a fence back at boot; remove one"
                        " that is too old")
    parser.add_argument("--state", required=True, metavar="DIR", help="folder of the record of a fence")
    parser.add_argument("--me", metavar="NAME", help="the member beside this agent")
    parser.add_argument("--member", action="append", type=member, metavar="NAME=IP@PORT,...", help="a member and what answers there")
    parser.add_argument("--balancer", action="append", metavar="IP", help="a host of HAProxy that has no database and no etcd")
    parser.add_argument("--etcd", action="append", metavar="IP:PORT", help="a member of etcd")
    parser.add_argument("--prefix", metavar="KEY", help="the prefix of Patroni's keys")
    parser.add_argument("--folder", metavar="KEY", help="the prefix of the agents' own keys")
    parser.add_argument("--rest-port", type=int, metavar="PORT", help="Patroni's REST API")
    parser.add_argument("--certs", metavar="DIR", help="folder with the certificates of Patroni")
    parser.add_argument("--data", metavar="DIR", help="PostgreSQL's data directory")
    parser.add_argument("--suspect-after", type=float, metavar="SECONDS", help="silence after which the leader's host is suspected")
    args = parser.parse_args()
    fence, aside = Fence(args.state), Aside(args.state)
    record, address = fence.read()
    if args.what == "run":
        Runner(args).run()
    elif args.what == "restore" and record:
        fence.write(record, address)
        fence.hold(address)
    elif args.what == "timer":
        if record and steps.stale(clock(), record) and fence.lift():
            say("the fence against %s is lifted: its lease has ended long ago", record.leader)
        if aside.stale() and aside.lift():
            say("packets go out to the balancers again: no agent has wanted it otherwise for %d s", LEFT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
