#!/bin/sh
# PostgreSQL 15.18: recovery_target_timeline = 2 fails for a backup that was made on timeline 2, "recovery target timeline 2
# does not exist", where the archive has all of that timeline's log and not its history file. That is so after an archive was
# replaced by a new one: the server sends each history file once, when the timeline begins. recovery_target_timeline =
# current, for the same backup and the same archive, replays all of it. (18.6 does the same.)
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
reached() {
	n=0
	until eval "$1" >/dev/null 2>&1; do
		n=$((n + 1))
		[ "$n" -lt 150 ] || { echo "not within fifteen seconds: $1"; exit 1; }
		sleep 0.1
	done
}

mkdir sockets archive primary past
[ "$(id -u)" != 0 ] || chown nobody sockets archive primary past
run "$bin/initdb" -D primary -A trust -U postgres -L "$dir/root/usr/share/postgresql/15" >/dev/null
cat >>primary/postgresql.conf <<CONF
listen_addresses = ''
port = 25443
unix_socket_directories = '$dir/sockets'
restore_command = false
CONF
# A recovery with nothing to do begins timeline 2, before there is an archive.
run "$bin/pg_ctl" -D primary -l sockets/primary.log -w start >/dev/null
run "$bin/pg_ctl" -D primary -m fast -w stop >/dev/null
run touch primary/recovery.signal
run "$bin/pg_ctl" -D primary -l sockets/primary.log -w start >/dev/null
reached '[ "$(ask 25443 -c "SELECT pg_is_in_recovery()")" = f ]'
cat >>primary/postgresql.conf <<CONF
archive_mode = on
archive_command = 'cp "%p" "$dir/archive/%f"'
CONF
rm -f primary/pg_wal/archive_status/*.history.*
run "$bin/pg_ctl" -D primary -l sockets/primary.log -m fast -w restart >/dev/null
run chmod 700 past
run "$bin/pg_basebackup" -p 25443 -D past -X none -c fast >/dev/null 2>&1
ask 25443 -c "CREATE TABLE orders AS SELECT generate_series(1, 10) AS id"
last=$(ask 25443 -c "SELECT pg_walfile_name(pg_switch_wal())")
reached '[ -e "archive/$last" ]'
echo "the archive has $last, and $(find archive -name '*.history' | wc -l) history files"

cat >>past/postgresql.conf <<CONF
port = 25444
archive_mode = off
restore_command = 'cp "$dir/archive/%f" "%p"'
recovery_target_timeline = 2
CONF
run touch past/recovery.signal
if run "$bin/pg_ctl" -D past -l sockets/past.log -w start >/dev/null 2>&1; then
	echo "by its number: it started"
	exit 1
fi
why=$(grep -o 'FATAL:.*' sockets/past.log | tail -1)
echo "by its number: $why"
case $why in
*"recovery target timeline 2 does not exist"*) ;;
*) exit 1 ;;
esac
echo "recovery_target_timeline = current" >>past/postgresql.conf
run "$bin/pg_ctl" -D past -l sockets/past.log -w start >/dev/null
reached '[ "$(ask 25444 -c "SELECT pg_is_in_recovery()")" = f ]'
rows=$(ask 25444 -c "SELECT count(*) FROM orders")
echo "current: $rows rows"
[ "$rows" = 10 ]
