#!/bin/sh
# PostgreSQL 15.18: pg_basebackup ends by SIGTERM, and the child that receives WAL for it streams on for ever. Its temporary
# slot stays in use on the server, and its segments go on arriving in what is at that path: where the half copied folder was
# removed and another copy is made in its place, WAL of the former one turns up in the pg_wal of the new one. Patroni 4.1.5
# ends a copy in that way when it is stopped, and its unit leaves other processes alone (KillMode=process). (18.6's child
# lives on as well.)
# Needs Debian 12, apt-get download. As root it runs PostgreSQL as nobody.
set -eu
dir=$(mktemp -d)
run() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
children() { pgrep -f "pg_basebackup -p 25445 -D $dir/copy" || :; }
trap 'for p in $(children); do kill -KILL "$p"; done
	run "$bin/pg_ctl" -D "$dir/primary" -m immediate stop >/dev/null 2>&1 || :; rm -rf "$dir"' EXIT
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
ask() { run "$bin/psql" -p 25445 -XAtq -c "$1"; }
reached() {
	n=0
	until eval "$1" >/dev/null 2>&1; do
		n=$((n + 1))
		[ "$n" -lt 150 ] || { echo "not within fifteen seconds: $1"; exit 1; }
		sleep 0.1
	done
}

mkdir sockets primary copy
[ "$(id -u)" != 0 ] || chown nobody sockets primary copy
run "$bin/initdb" -D primary -A trust -U postgres -L "$dir/root/usr/share/postgresql/15" >/dev/null
cat >>primary/postgresql.conf <<CONF
listen_addresses = ''
port = 25445
unix_socket_directories = '$dir/sockets'
CONF
run "$bin/pg_ctl" -D primary -l sockets/primary.log -w start >/dev/null
# So slow that it is still copying when it is ended.
run "$bin/pg_basebackup" -p 25445 -D "$dir/copy" -X stream -c fast --max-rate 1M >/dev/null 2>&1 &
reached '[ "$(ask "SELECT count(*) FROM pg_replication_slots WHERE active")" = 1 ]'
reached '[ "$(ask "SELECT phase FROM pg_stat_progress_basebackup")" = "streaming database files" ]'
copy=$(pgrep -o -f "^$bin/pg_basebackup -p 25445")
kill -TERM "$copy"
reached '! kill -0 "$copy"'
echo "pg_basebackup has ended; of it there run: $(children | wc -l)"
rm -rf copy
mkdir -p copy/pg_wal/archive_status # as the next pg_basebackup makes them
[ "$(id -u)" != 0 ] || chown -R nobody copy
# More than what the child has an open file for, and ten seconds, in which it tells how far it is.
ask "CREATE TABLE more AS SELECT generate_series(1, 1000000)"
ask "SELECT pg_switch_wal()" >/dev/null
last=$(ask "SELECT pg_walfile_name(pg_current_wal_lsn() - 1)")
reached '[ -e "copy/pg_wal/$last" ]'
echo "a new folder at the same path has $(find copy/pg_wal -maxdepth 1 -type f | wc -l) segments of the copy that was ended, up to $last"
left=$(ask "SELECT count(*) FROM pg_replication_slots WHERE temporary AND active")
echo "slots in use: $left"
[ "$left" = 1 ]
for p in $(children); do kill -KILL "$p"; done
reached '[ "$(ask "SELECT count(*) FROM pg_replication_slots")" = 0 ]'
echo "with the child the slot goes"
