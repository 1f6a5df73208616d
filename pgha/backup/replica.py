#!/usr/bin/python3
"""Makes a replica's data of a backup, and puts the log that the archive has beside it.

Patroni runs it as PostgreSQL's system user in the place of pg_basebackup, with an empty data directory: replica.py FILE BACKUP.
FILE has the settings. What was done is written into SETTINGS["copied"]. A replica has no restore_command, so that the log
between the backup and what the leader still keeps has to be there when the server starts.
"""
import json
import os
import re
import subprocess
import sys
import time

EACH = 1 << 8  # segments of 16 MB in one of PostgreSQL's log files


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("%s: exit %d: %s" % (" ".join(argv), done.returncode, (done.stderr or done.stdout).strip()))


class Log:
    """The archive, from which files come into the data directory."""

    def __init__(self, program, data):
        self.program, self.wal, self.fetched = program, os.path.join(data, "pg_wal"), 0

    def get(self, name):
        """Whether the archive has the file, which is in pg_wal then."""
        at = os.path.join(self.wal, name)
        if os.path.exists(at):
            return True
        argv = self.program + ["archive-get", name, at]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode not in (0, 1):
            sys.exit("%s: exit %d: %s" % (" ".join(argv), done.returncode, (done.stderr or done.stdout).strip()))
        return done.returncode == 0

    def fork(self, timeline):
        """The timeline's parent, and the number of the segment in which it began; None if there is no such timeline."""
        name = "%08X.history" % timeline
        if not self.get(name):
            return None
        parent = None
        for line in open(os.path.join(self.wal, name)):
            fields = line.split()
            if len(fields) >= 2 and fields[0].isdigit():
                high, low = (int(part, 16) for part in fields[1].split("/"))
                parent = int(fields[0]), high * EACH + (low >> 24)
        return parent

    def follow(self, timeline, number):
        """Gets every segment from there on, over all changes of the timeline, until the archive has no more."""
        children = {}
        newest = timeline
        while True:
            parent = self.fork(newest + 1)
            if parent is None:
                break
            newest += 1
            children[newest] = parent
        # The way that leads to the newest one: each timeline with the segment in which the next begins.
        way, at = {}, newest
        while at in children:
            parent, began = children[at]
            way[parent] = at, began
            at = parent
        while True:
            following, began = way.get(timeline, (None, None))
            if following is not None and number >= began:
                timeline, number = following, began
                continue
            if not self.get("%08X%08X%08X" % (timeline, number // EACH, number % EACH)):
                return
            self.fetched += 1
            number += 1


def main(settings, backup):
    data, program = settings["data"], settings["pgbackrest"]
    began = time.monotonic()
    # Patroni writes down itself how the server follows the leader.
    run(*program, "--type=none", "--set=" + backup, "restore")
    dynamic = os.path.join(data, "patroni.dynamic.json")
    if os.path.exists(dynamic):
        os.unlink(dynamic)
    restored = time.monotonic()
    label = open(os.path.join(data, "backup_label")).read()
    first = re.search(r"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)", label).group(1)
    log = Log(program, data)
    log.follow(int(first[:8], 16), int(first[8:16], 16) * EACH + int(first[16:], 16))
    said = {"backup": backup, "segments": log.fetched,
            "restored_seconds": round(restored - began, 1), "log_seconds": round(time.monotonic() - restored, 1)}
    new = settings["copied"] + ".new"
    with open(new, "w") as f:
        json.dump(said, f)
    os.rename(new, settings["copied"])
    print(json.dumps(said))


if __name__ == "__main__":
    main(json.load(open(sys.argv[1])), sys.argv[2])
