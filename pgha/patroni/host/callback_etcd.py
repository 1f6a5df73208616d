#!/usr/bin/python3 -I
# Written by pgha. Do not edit it here: the next apply puts it back.
"""Keeps etcd's leadership off the host of PostgreSQL's primary.

When a host is lost that led both, etcd has to elect a leader before Patroni can, and that one first gives every lease its
full time again: the failover takes about five seconds longer. Patroni runs this after each start and each change of role
of its PostgreSQL (see callbacks in config.yml) and does not wait for it. Whoever runs it: if etcd's leader lives on the
host of the member that holds Patroni's leader key, leadership is handed to another healthy member of etcd. Otherwise
nothing is done and nothing is said.
"""
import argparse
import base64
import concurrent.futures
import http.client
import json
import os.path
import signal
import ssl
import sys
import time

ANSWER = 1.0  # seconds that etcd has for one answer
PAUSE = 0.2  # seconds between two tries


class Etcd:
    """One member of etcd, asked through its HTTP gateway. patroni names the member of Patroni on its host."""

    def __init__(self, text, tls):
        endpoint, _, self.patroni = text.partition("@")
        host, _, port = endpoint.rpartition(":")
        self.address = host.strip("[]"), int(port)
        self.name = self.patroni or endpoint
        self.tls = tls

    def call(self, path, **body):
        connection = http.client.HTTPSConnection(*self.address, timeout=ANSWER, context=self.tls)
        try:
            connection.request("POST", "/v3/" + path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise OSError("etcd answered %d: %s" % (response.status, answer.get("message", "")))
        return answer

    def status(self):
        """What this member thinks of itself and of the leader, or why it did not say."""
        try:
            answer = self.call("maintenance/status")
            # 64-bit numbers are strings in etcd's JSON, and zeros are left out.
            self.id = int(answer["header"]["member_id"])
            self.leader = int(answer.get("leader", 0))
            self.term = int(answer.get("raftTerm", 0))
            self.applied = int(answer.get("raftAppliedIndex", 0))
            self.fit = not answer.get("isLearner") and not answer.get("errors")
            return None
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            return "%s: %s" % (self.name, error)

    def holder(self, key):
        """The value of Patroni's leader key: the name of the member that is primary, or about to be. None if there is none."""
        found = self.call("kv/range", key=base64.b64encode(key.encode()).decode()).get("kvs")
        return base64.b64decode(found[0]["value"]).decode() if found else None


class NotYet(Exception):
    """Something is not as it has to be; it may be in a moment."""


def yield_to_primary(members, key, pool, refused):
    """Hands etcd's leadership over if it has to be. Returns what was done, "" for nothing."""
    problems = list(pool.map(Etcd.status, members))
    up = [m for m, problem in zip(members, problems) if problem is None]
    if not up:
        raise NotYet("; ".join(problems))
    # One that is cut off may still take a former leader for the leader: the latest term is right.
    term = max(m.term for m in up)
    leader = next((m for m in up if m.term == term and m.leader == m.id), None)
    if leader is None:
        known = any(m.term == term and m.leader for m in up)
        raise NotYet("etcd's leader does not answer" if known else "etcd has no leader")
    if not leader.patroni or leader.patroni != leader.holder(key):
        return ""
    others = [m for m in up if m is not leader and m.fit and m.leader == leader.id]
    if not others:
        raise NotYet("no other member of etcd is healthy")
    # One that refused comes last, one that is behind after one that is not.
    to = min(others, key=lambda m: (refused.count(m.name), -m.applied, m.name))
    try:
        leader.call("maintenance/transfer-leadership", targetID=str(to.id))
    except (OSError, ValueError, http.client.HTTPException) as error:
        refused.append(to.name)
        raise NotYet("%s did not take over: %s" % (to.name, error))
    return "etcd's leadership moved from %s, where PostgreSQL's primary is, to %s" % (leader.name, to.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--leader-key", required=True, metavar="KEY", help="Patroni's leader key in etcd")
    parser.add_argument("--certs", required=True, metavar="DIR", help="folder with etcd-ca.crt, etcd-client.crt and etcd-client.key")
    parser.add_argument("--etcd", required=True, action="append", metavar="IP:PORT[@MEMBER]", help="a member of etcd and the member of Patroni on its host")
    parser.add_argument("--seconds", type=float, default=5, help="how long to try (default: %(default)s)")
    parser.add_argument("event", nargs="*", metavar="ACTION ROLE SCOPE", help="what Patroni adds")
    args = parser.parse_args()
    deadline = time.monotonic() + args.seconds
    signal.alarm(int(args.seconds) + 5)  # the kernel ends what hangs in spite of all time-outs
    tls = ssl.create_default_context(cafile=os.path.join(args.certs, "etcd-ca.crt"))
    tls.load_cert_chain(os.path.join(args.certs, "etcd-client.crt"), os.path.join(args.certs, "etcd-client.key"))
    members = [Etcd(text, tls) for text in args.etcd]
    refused = []
    with concurrent.futures.ThreadPoolExecutor(len(members)) as pool:
        while True:
            try:
                return yield_to_primary(members, args.leader_key, pool, refused), 0
            except (NotYet, OSError, ValueError, LookupError, http.client.HTTPException) as reason:
                if time.monotonic() + PAUSE > deadline:
                    return "etcd's leadership was left where it is: %s" % reason, 1
            time.sleep(PAUSE)


if __name__ == "__main__":
    words, code = main()
    if words:
        print("pgha: " + words, file=sys.stderr, flush=True)
    sys.exit(code)
