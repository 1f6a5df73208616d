#!/bin/sh
# PostgreSQL 15.18 (Debian 12; 18.6 does the same): a recovery that pauses at a moment before a DROP TABLE
# was committed cannot read that table.
#
# Expected: recovery_target_time is before the commit of the drop and recovery_target_action is pause, so a
# hot standby shows the table as it was; that is what one restores for. Seen: the standby has replayed the
# drop's lock, which is in the log ahead of the commit that it stopped at, and holds it while it is paused: a
# SELECT waits for ever. pg_get_wal_replay_pause_state() says paused, and every other table can be read.
# After pg_promote() the table is there: the transaction that never ended is gone, and its lock with it.
# Needs Debian 12, apt-get download. As root it runs PostgreSQL as nobody.
set -eu
dir=$(mktemp -d)
run() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
# shellcheck disable=SC2154 # the trap sets d
trap 'for d in primary past; do run "$bin/pg_ctl" -D "$dir/$d" -m immediate stop >/dev/null 2>&1 || :; done; rm -rf "$dir"' EXIT
bin=$dir/root/usr/lib/postgresql/15/bin
cd "$dir"
chmod 755 .
apt-get download -q postgresql-15 postgresql-client-15 libpq5 libxml2 libicu72 libldap-2.5-0 libsasl2-2 >/dev/null 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done
version=$(dpkg-deb -f postgresql-15_*.deb Version)
case $version in
15.18-0*) echo "PostgreSQL $version" ;;
*) echo "PostgreSQL is $version here, and this was seen with 15.18-0"; exit 1 ;;
esac
LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH LC_ALL=C PGHOST="$dir/sockets" PGUSER=postgres PGDATABASE=postgres
ask() { port=$1; shift; run "$bin/psql" -p "$port" -XAtq "$@"; }

mkdir sockets archive primary past
[ "$(id -u)" != 0 ] || chown nobody sockets archive primary past
run "$bin/initdb" -D primary -A trust -U postgres -L "$dir/root/usr/share/postgresql/15" >/dev/null
cat >>primary/postgresql.conf <<CONF
listen_addresses = ''
port = 25441
unix_socket_directories = '$dir/sockets'
archive_mode = on
archive_command = 'cp "%p" "$dir/archive/%f"'
CONF
run "$bin/pg_ctl" -D primary -l sockets/primary.log -w start >/dev/null
run chmod 700 past
run "$bin/pg_basebackup" -p 25441 -D past -X none -c fast >/dev/null 2>&1
ask 25441 -c "CREATE TABLE orders AS SELECT generate_series(1, 10) AS id; CREATE TABLE other AS SELECT 1 AS id"
moment=$(ask 25441 -c "SELECT clock_timestamp() FROM pg_sleep(1)")
ask 25441 -c "SELECT FROM pg_sleep(1)" >/dev/null
ask 25441 -c "DROP TABLE orders"
ask 25441 -c "SELECT pg_switch_wal()" >/dev/null
last=$(ask 25441 -c "SELECT pg_walfile_name(pg_switch_wal())")
n=0
until [ "$(find archive -name '0000000100000000000000*' | wc -l)" -ge 4 ] || [ -e "archive/$last" ]; do
	n=$((n + 1))
	[ "$n" -lt 100 ] || { echo "the log is not archived after ten seconds"; exit 1; }
	sleep 0.1
done
cat >>past/postgresql.conf <<CONF
port = 25442
archive_mode = off
restore_command = 'cp "$dir/archive/%f" "%p"'
recovery_target_time = '$moment'
recovery_target_action = pause
CONF
run touch past/recovery.signal
run "$bin/pg_ctl" -D past -l sockets/past.log -w start >/dev/null
n=0
until [ "$(ask 25442 -c 'SELECT pg_get_wal_replay_pause_state()' 2>/dev/null)" = paused ]; do
	n=$((n + 1))
	[ "$n" -lt 300 ] || { echo "it has not paused after thirty seconds"; exit 1; }
	sleep 0.1
done
paused=$(ask 25442 -c "SET lock_timeout = '5s'" -c "SELECT count(*) FROM orders" 2>&1 | head -1 || :)
other=$(ask 25442 -c "SELECT count(*) FROM other")
ask 25442 -c "SELECT pg_promote()" >/dev/null
promoted=$(ask 25442 -c "SET lock_timeout = '5s'" -c "SELECT count(*) FROM orders" 2>&1 | head -1 || :)
echo "paused, for five seconds: $paused"
echo "another table meanwhile: $other"
echo "promoted: $promoted"
case $paused in *"lock timeout"*) ;; *) exit 1 ;; esac
[ "$other" = 1 ] && [ "$promoted" = 10 ]
