#!/usr/bin/python3 -I
# Written by pgha. Do not edit it here: the next apply puts it back.
"""Wakes Patroni at the moment when PostgreSQL dies.

Patroni looks at its PostgreSQL once in loop_wait seconds. Until then a primary that has crashed is missed by nobody but its
clients. This waits for the end of the postmaster, which costs nothing, and then makes Patroni look at once, by a change
of its dynamic configuration that changes nothing. Waking it without need does no harm.

A PostgreSQL that is stopped in order removes its postmaster.pid; one that is killed leaves it. The first is most often
Patroni's own doing, which must not be disturbed in the middle of a switchover, so that Patroni is left alone for a while.
"""
import argparse
import http.client
import json
import os
import os.path
import select
import ssl
import sys
import time

LOOK = 0.5  # seconds between two looks for a new postmaster
GRACE = 3.0  # seconds that Patroni has for a PostgreSQL that was stopped in order
AGAIN = 3  # times that Patroni is woken for one crash: it is deaf to what comes in the middle of a look
ANSWER = 3.0  # seconds that Patroni has for its answer


def postmaster(data):
    """The process id that PostgreSQL has written down; None if it does not run."""
    try:
        with open(os.path.join(data, "postmaster.pid")) as lines:
            return int(lines.readline())
    except (OSError, ValueError):
        return None


def wait_for_end(data, pid):
    """Returns once the process has ended, or is not PostgreSQL's any more. False if it had ended before."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        watch = select.poll()
        watch.register(process, select.POLLIN)
        while not watch.poll(int(LOOK * 1000)):
            if postmaster(data) != pid:
                break
        return True
    finally:
        os.close(process)


def runs(data):
    """Whether the process that PostgreSQL has written down is there."""
    pid = postmaster(data)
    return pid is not None and os.path.exists("/proc/%d" % pid)


def wake(address, tls):
    """Makes every Patroni of the cluster look at its PostgreSQL now."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=ANSWER, context=tls)
    try:
        connection.request("PATCH", "/config", json.dumps({"pgha": None}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return "Patroni answered %d" % response.status
    except (OSError, http.client.HTTPException) as error:
        return "Patroni did not answer: %s" % error
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, metavar="DIR", help="PostgreSQL's data directory")
    parser.add_argument("--rest", required=True, metavar="IP:PORT", help="this member's REST API")
    parser.add_argument("--certs", required=True, metavar="DIR", help="folder with rest-ca.crt, rest-client.crt and rest-client.key")
    args = parser.parse_args()
    while True:
        pid = postmaster(args.data)
        if pid is None or not wait_for_end(args.data, pid):
            time.sleep(LOOK)
            continue
        # Certificates are read each time: they are renewed while this runs.
        tls = ssl.create_default_context(cafile=os.path.join(args.certs, "rest-ca.crt"))
        tls.load_cert_chain(os.path.join(args.certs, "rest-client.crt"), os.path.join(args.certs, "rest-client.key"))
        if postmaster(args.data) != pid:
            time.sleep(GRACE)
            if not runs(args.data):
                tell(pid, "was stopped and is not back", wake(args.rest, tls))
            continue
        tell(pid, "has ended", wake(args.rest, tls))
        for _ in range(1, AGAIN):
            time.sleep(LOOK)
            if runs(args.data):
                break
            wake(args.rest, tls)


def tell(pid, what, answer):
    print("pgha: PostgreSQL (process %d) %s; %s" % (pid, what, answer), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
