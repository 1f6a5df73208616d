#!/usr/bin/python3
"""Restores a backup into a directory, and opens a server on it that nobody else reaches.

Run as PostgreSQL's system user. Prints one line of JSON; what went wrong goes to standard error. FILE has the settings.

  scratch.py FILE restore DIR BYTES OPTION...   restores with these options of pgbackrest's
  scratch.py FILE serve DIR                     becomes the server
  scratch.py FILE open DIR                      waits until the server has ended its recovery
  scratch.py FILE close DIR                     stops it, if it runs
  scratch.py FILE finish DIR                    stops it, and makes of it a server's ordinary data
  scratch.py FILE fork DIR                      lets the host's own data, which must be down, go on on a new timeline
  scratch.py FILE prove DIR RESULT              restores, opens, reads everything, writes RESULT, drops
  scratch.py FILE drop DIR                      stops it and deletes the directory
"""
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import time

SETTINGS = json.load(open(sys.argv.pop(1)))
PGBACKREST, BIN, ROLE = SETTINGS["pgbackrest"], SETTINGS["bin"], SETTINGS["superuser"]
DONE = "pgha-restored"  # in the directory once everything is there


class Failed(Exception):
    """What is told to the caller, in a sentence."""


def run(*argv, check=True, timeout=None):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-6:]
        raise Failed("%s: exit %d: %s" % (os.path.basename(argv[0]), done.returncode, "; ".join(said)))
    return done


def data(where):
    return os.path.join(where, "data")


def socket_of(where):
    return os.path.join(where, "socket")


def restore(where, size, options):
    """Restores, unless an earlier run has. What one that was cut off has left goes first."""
    if os.path.exists(os.path.join(where, DONE)):
        return {"restored": True, "seconds": 0}
    drop(where)
    free = shutil.disk_usage(os.path.dirname(where)).free
    if free < size * 1.05:
        raise Failed("%s has %d MB free, and the copy takes %d MB" %
                     (os.path.dirname(where), free >> 20, size >> 20))
    os.makedirs(data(where), mode=0o700)
    began = time.monotonic()
    run(*PGBACKREST, "--pg1-path=" + data(where),
        "--tablespace-map-all=" + os.path.join(where, "tablespaces"), "--archive-mode=off",
        *options, "restore")
    # The settings that Patroni kept there are those of the time of the backup.
    dynamic = os.path.join(data(where), "patroni.dynamic.json")
    if os.path.exists(dynamic):
        os.unlink(dynamic)
    open(os.path.join(where, DONE), "w").close()
    return {"restored": True, "seconds": round(time.monotonic() - began, 1)}


def control(where):
    """What the control file says."""
    lines = run(os.path.join(BIN, "pg_controldata"), "-D", data(where)).stdout.splitlines()
    return {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}


LIMITS = {"max_connections setting": "max_connections", "max_worker_processes setting": "max_worker_processes",
          "max_wal_senders setting": "max_wal_senders", "max_prepared_xacts setting": "max_prepared_transactions",
          "max_locks_per_xact setting": "max_locks_per_transaction"}


def options(where, **more):
    """The server's command line: reached through a socket of its own alone. A copy that is only looked at archives
    nothing. One that the cluster goes on with does: the archive has to have every timeline, for PostgreSQL takes the
    first one that has no history there."""
    own = {
        "listen_addresses": "", "unix_socket_directories": socket_of(where), "port": "5432",
        "hba_file": os.path.join(where, "pg_hba.conf"), "ident_file": os.path.join(where, "pg_ident.conf"),
        "archive_mode": "off", "ssl": "off", "hot_standby": "on", "synchronous_standby_names": "",
        "primary_conninfo": "", "primary_slot_name": "", "shared_buffers": "128MB",
        "recovery_min_apply_delay": "0", "logging_collector": "off", "log_destination": "stderr",
        "max_wal_size": "1GB", "cluster_name": "pgha-scratch",
        "default_transaction_read_only": "on" if where.endswith(".look") else "off",
    }
    # A standby takes no less than the primary had, or it stops in the middle.
    said = [control(where)]
    live = run(os.path.join(BIN, "pg_controldata"), "-D", SETTINGS["data"], check=False)
    said.append({k.strip(): v.strip() for k, _, v in
                 (line.partition(":") for line in live.stdout.splitlines())})
    for field, name in LIMITS.items():
        own[name] = str(max(int(s.get(field, 0) or 0) for s in said))
    if where.endswith((".restore", ".fork")) and SETTINGS["archives"]:
        own["archive_mode"] = "on"
        own["archive_command"] = '%s --pg1-path=%s archive-push "%%p"' % (" ".join(PGBACKREST), data(where))
    own.update(more)
    argv = [os.path.join(BIN, "postgres"), "-D", data(where)]
    for name, value in own.items():
        argv += ["-c", "%s=%s" % (name, value)]
    return argv


def prepare(where):
    """Lets nobody in but PostgreSQL's system user, as the superuser."""
    os.makedirs(socket_of(where), mode=0o700, exist_ok=True)
    with open(os.path.join(where, "pg_hba.conf"), "w") as f:
        f.write("local all all peer map=scratch\n")
    with open(os.path.join(where, "pg_ident.conf"), "w") as f:
        f.write("scratch postgres %s\n" % ROLE)
    return open(log_of(where), "a")


def serve(where):
    """Becomes the server, as which the unit goes on."""
    prepare(where)
    log = os.open(log_of(where), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    argv = options(where)
    os.execv(argv[0], argv)


def start(where, **more):
    """Starts the server as a child, if it does not run."""
    if not running(where):
        with prepare(where) as log:
            subprocess.Popen(options(where, **more), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             start_new_session=True)


def running(where):
    return run(os.path.join(BIN, "pg_ctl"), "-D", data(where), "status", check=False).returncode == 0


def sql(where, text, database="postgres"):
    return run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socket_of(where), "-U", ROLE,
               "-d", database, "-c", text).stdout.strip()


def log_of(where):
    return os.path.join(where, "log")


def why(where):
    """The last errors in the server's log."""
    try:
        lines = open(log_of(where), errors="replace").read().splitlines()
    except FileNotFoundError:
        return "it has no log"
    bad = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR)\b", line) and "is starting up" not in line]
    return "; ".join((bad or lines)[-3:])


def open_server(where):
    """Waits until the server, which has been started, has ended its recovery."""
    began = seen = time.monotonic()
    while True:
        time.sleep(0.2)
        if running(where):
            seen = time.monotonic()
        elif time.monotonic() - seen > 10:
            raise Failed("the restored server does not run: " + why(where))
        ask = run("psql", "-X", "-q", "-A", "-t", "-h", socket_of(where), "-U", ROLE, "-d", "postgres", "-c",
                  "SELECT pg_is_in_recovery()", check=False)
        if ask.returncode == 0 and ask.stdout.startswith("f"):
            break
    reached = sql(where, "SELECT json_build_object("
                  "'last_commit', to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC',"
                  "  'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"
                  "'lsn', pg_current_wal_lsn(),"
                  "'timeline', (SELECT timeline_id FROM pg_control_checkpoint()))")
    answer = json.loads(reached)
    answer["seconds"] = round(time.monotonic() - began, 1)
    answer["socket"] = socket_of(where)
    # PostgreSQL says which commit it left out first (access/transam/xlogrecovery.c).
    left = re.findall(r"recovery stopping before (?:commit|abort) of transaction \d+, time ([^\n]+)",
                      open(log_of(where), errors="replace").read())
    answer["first_gone"] = left[-1].strip() if left else None
    return answer


def close_server(where):
    if os.path.isdir(data(where)) and running(where):
        run(os.path.join(BIN, "pg_ctl"), "-D", data(where), "-m", "fast", "-t", "600", "-w", "stop")
    return {"closed": True}


def finish(where):
    """Stops the server; what pgBackRest has set for the recovery goes: a replica would obey it."""
    close_server(where)
    if control(where).get("Database cluster state") != "shut down":
        raise Failed("the restored server was not shut down in order")
    auto = os.path.join(data(where), "postgresql.auto.conf")
    with open(auto) as f:
        lines = f.readlines()
    own = re.compile(r"^\s*(restore_command|recovery_target\w*|archive_mode)\s*=|^# Recovery settings generated by pgBackRest")
    with open(auto + ".new", "w") as f:
        f.writelines(line for line in lines if not own.match(line))
    os.chmod(auto + ".new", 0o600)
    os.replace(auto + ".new", auto)
    for name in ("recovery.signal", "standby.signal"):
        if os.path.exists(os.path.join(data(where), name)):
            raise Failed("%s is still there: the server has not ended its recovery" % name)
    return {"finished": True}


def fork(where):
    """Ends a recovery that has nothing to do, in which PostgreSQL asks the archive for a timeline that is free."""
    link = data(where)
    if not os.path.islink(link):
        drop(where)
        os.makedirs(where, mode=0o700)
        os.symlink(SETTINGS["data"], link)
    if not running(where):
        open(os.path.join(link, "recovery.signal"), "w").close()
    start(where, restore_command='%s archive-get %%f "%%p"' % " ".join(PGBACKREST),
          recovery_target_timeline="current", recovery_target="", recovery_target_time="")
    answer = open_server(where)
    # Patroni promotes once more. Seen with PostgreSQL 18.6 and Patroni 4.1.5: where both promotions fell into one
    # segment the replicas did not get past the first, "requested WAL segment has already been removed".
    sql(where, "SELECT pg_switch_wal()")
    # A replica fetches the history of every timeline up to its leader's, of those in between too, and does not
    # stream where the leader lacks one (replication/walreceiver.c, 18.6).
    before = int(control(where)["Latest checkpoint's PrevTimeLineID"])
    for timeline in range(before + 1, answer["timeline"]):
        name = "%08X.history" % timeline
        run(*PGBACKREST, "archive-get", name, os.path.join(link, "pg_wal", name), check=False)
    finish(where)
    os.unlink(link)
    shutil.rmtree(where)
    return answer


def drop(where):
    close_server(where)
    if os.path.exists(where):
        shutil.rmtree(where)
    return {"dropped": True}


INDEXES = """SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS amcheck;
CREATE TEMP TABLE found (index text, fault text);
DO $$ DECLARE i record; BEGIN
  FOR i IN SELECT c.oid, c.oid::regclass::text AS name FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND x.indisvalid AND c.relkind = 'i'
    AND c.relpersistence = 'p' ORDER BY 2
  LOOP
    BEGIN
      PERFORM bt_index_check(i.oid::regclass, true);
      INSERT INTO found VALUES (i.name, NULL);
    EXCEPTION WHEN OTHERS THEN
      INSERT INTO found VALUES (i.name, SQLERRM);
    END;
  END LOOP;
END $$;
SELECT json_build_object('count', count(*), 'faults',
  coalesce(json_agg(index || ': ' || fault) FILTER (WHERE fault IS NOT NULL), '[]')) FROM found;"""


def prove_indexes(where, problems):
    """Compares every B-tree with its table, in every database."""
    count = 0
    names = sql(where, "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template0'").splitlines()
    for database in names:
        answer = json.loads(sql(where, INDEXES, database))
        count += answer["count"]
        problems.extend("database %s: index %s" % (database, fault) for fault in answer["faults"])
    return len(names), count


def prove_pages(where, problems):
    """Reads every page, if the cluster has checksums; the server must be down."""
    if control(where).get("Data page checksum version") == "0":
        return False
    done = run(os.path.join(BIN, "pg_checksums"), "--check", "-D", data(where), check=False)
    if done.returncode != 0:
        problems.append("pages: " + (done.stderr.strip() or done.stdout.strip()).splitlines()[-1])
    return True


def prove(where, result):
    """The whole proof. Its result is a file, whatever it is."""
    began = datetime.datetime.now(datetime.timezone.utc)
    out = {"began": began.isoformat(timespec="seconds").replace("+00:00", "Z"), "proven": False, "problems": []}
    problems = out["problems"]
    try:
        drop(where)
        sets = json.loads(run(*PGBACKREST, "--output=json", "info").stdout)
        backups = sets[0]["backup"] if sets else []
        if not backups:
            raise Failed("there is no backup")
        newest = backups[-1]
        out["backup"] = newest["label"]
        out["restore_seconds"] = restore(where, newest["info"]["size"], ["--set=" + newest["label"]])["seconds"]
        start(where)
        reached = open_server(where)
        out["replay_seconds"] = reached["seconds"]
        out["recovery_seconds"] = round(out["restore_seconds"] + out["replay_seconds"], 1)
        out["last_commit"] = reached["last_commit"]
        canary = sql(where, "SELECT extract(epoch FROM at) FROM pgha.canary") if sql(
            where, "SELECT to_regclass('pgha.canary')") else ""
        if canary:
            out["recovery_point_seconds"] = max(0, round(began.timestamp() - float(canary), 1))
            if out["recovery_point_seconds"] > SETTINGS["stale"]:
                problems.append("the newest row that came back is %.0f s old: later ones are not in the archive, or "
                                "cannot be reached because a segment before them is missing" %
                                out["recovery_point_seconds"])
        else:
            problems.append("the row that the databases write each minute is not there")
        out["databases"], out["indexes"] = prove_indexes(where, problems)
        close_server(where)
        out["pages"] = prove_pages(where, problems)
        out["proven"] = not problems
    except (Failed, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as e:
        problems.append(str(e))
    finally:
        try:
            drop(where)
        except (Failed, OSError) as e:
            problems.append("%s could not be deleted: %s" % (where, e))
    end = datetime.datetime.now(datetime.timezone.utc)
    out["seconds"] = round((end - began).total_seconds(), 1)
    temporary = result + ".new"
    with open(temporary, "w") as f:
        json.dump(out, f)
    os.replace(temporary, result)
    return out


def main(argv):
    verb, where = argv[1], argv[2]
    try:
        if verb == "restore":
            answer = restore(where, int(argv[3]), argv[4:])
        elif verb == "prove":
            answer = prove(where, argv[3])
        else:
            answer = {"serve": serve, "open": open_server, "close": close_server, "finish": finish, "fork": fork, "drop": drop}[verb](where)
    except (Failed, OSError) as e:
        print(e, file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    sys.exit(main(sys.argv))
