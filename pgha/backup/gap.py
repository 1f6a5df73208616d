#!/usr/bin/python3
"""Looks, after a failover, whether the archive reaches from the newest backup to its end. Where a segment is missing no
moment behind it can be reached: then an incremental backup is made at once, from which on all can be.

Run as PostgreSQL's system user on the repository's host: gap.py STANZA [always], where always is for databases that give up
log which waits for too long. Says what it has found.
"""
import json
import re
import subprocess
import sys

EACH = 1 << 8  # segments of 16 MB in one of PostgreSQL's log files
SEGMENT = re.compile(r"(?:^|/)([0-9A-F]{24})-[0-9a-f]{40}")


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s: exit %d: %s" % (" ".join(argv), done.returncode, done.stderr.strip()))
    return done.stdout


def place(name):
    """Timeline and number of a segment."""
    return int(name[:8], 16), int(name[8:16], 16) * EACH + int(name[16:24], 16)


def newest_archive(names):
    """The directory of the newest databases, such as 18-2."""
    tops = {name.split("/")[0] for name in names}
    numbered = [t for t in tops if re.fullmatch(r"[0-9.]+-\d+", t)]
    return max(numbered, key=lambda t: int(t.rsplit("-", 1)[1]), default="")


def forks(text):
    """Where each former timeline ended, from a history file: the timeline, and the number of its last segment."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0].isdigit():
            high, low = (int(part, 16) for part in fields[1].split("/"))
            found.append((int(fields[0]), high * EACH + (low >> 24)))
    return found


def missing(there, timeline, parents, first, last):
    """The first number that no timeline on the way has."""
    for n in range(first, last + 1):
        began, ok = 0, False
        for of, end in parents:
            ok = ok or began <= n <= end and (of, n) in there
            began = end
        if not ok and not (n >= began and (timeline, n) in there):
            return n
    return None


def main(stanza, always=None):
    program = ["pgbackrest", "--stanza=" + stanza]
    info = json.loads(run(*program, "--output=json", "info"))
    stanzas = [s for s in info if s["backup"] and s["archive"]]
    if not stanzas:
        print("there is no backup yet")
        return
    newest = stanzas[0]["backup"][-1]
    own = place(newest["archive"]["stop"])
    ends = [a["max"] for a in stanzas[0]["archive"] if a["database"]["id"] == newest["database"]["id"] and a["max"]]
    if not ends or place(max(ends))[0] == own[0] and not always:
        print("no failover since backup " + newest["label"])
        return
    files = json.loads(run(*program, "--recurse", "--output=json", "--sort=none", "repo-ls", "archive/" + stanza))
    top = newest_archive(files)
    there = {place(m.group(1)) for name in files if name.startswith(top + "/") for m in [SEGMENT.search(name)] if m}
    timeline = max(t for t, _ in there)
    history = "%s/%08X.history" % (top, timeline)
    parents = forks(run(*program, "repo-get", "archive/%s/%s" % (stanza, history))) if history in files else []
    last = max(n for t, n in there if t == timeline)
    gap = missing(there, timeline, parents, own[1], last)
    if gap is None:
        print("the archive reaches from backup %s to timeline %d without a gap" % (newest["label"], timeline))
        return
    print("segment %08X%08X of the log is missing behind backup %s: an incremental backup is made" %
          (gap // EACH, gap % EACH, newest["label"]), flush=True)
    run(*program, "--type=incr", "backup")


if __name__ == "__main__":
    main(*sys.argv[1:])
