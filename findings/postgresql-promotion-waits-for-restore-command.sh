#!/bin/sh
# PostgreSQL 15.18 (Debian 12): a promotion waits for restore_command, for several of them one after the other.
#
# Expected: pg_promote() ends recovery at once; restore_command is for what replication lacks. Seen: a replica
# whose primary is gone asks its archive again and again. A promotion waits for the command that runs, and then
# asks for more: the last segment again, histories of timelines. With an archive that says no after twelve seconds
# it took a minute; without restore_command less than a second.
# Needs Debian 12, apt-get download. As root it runs PostgreSQL as nobody.
set -eu
dir=$(mktemp -d)
run() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
trap 'for d in "$dir"/*/PG_VERSION; do run "$bin/pg_ctl" -D "${d%/*}" -m immediate stop >/dev/null 2>&1 || :; done; rm -rf "$dir"' EXIT
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
soon() {
	n=0
	until eval "$1"; do
		n=$((n + 1))
		[ "$n" -lt 600 ] || { echo "not so after a minute: $1"; exit 1; }
		sleep 0.1
	done
}
mkdir sockets primary silent none
[ "$(id -u)" != 0 ] || chown nobody sockets primary silent none
chmod 700 silent none
run "$bin/initdb" -D primary -A trust -U postgres -L "$dir/root/usr/share/postgresql/15" >/dev/null
cat >>primary/postgresql.conf <<CONF
listen_addresses = ''
port = 25471
unix_socket_directories = '$dir/sockets'
CONF
run "$bin/pg_ctl" -D primary -l sockets/primary.log -w start >/dev/null
for d in silent none; do run "$bin/pg_basebackup" -p 25471 -D $d -R -c fast >/dev/null 2>&1; done
# An archive that is silent is one whose command takes its time and finds nothing.
printf '#!/bin/sh\necho >>"%s/sockets/asked"\nsleep 12\nexit 1\n' "$dir" >archive
chmod 755 archive
printf "port = 25472\nrestore_command = '%s/archive'\n" "$dir" >>silent/postgresql.conf
echo "port = 25473" >>none/postgresql.conf
for d in silent none; do run "$bin/pg_ctl" -D $d -l sockets/$d.log -w start >/dev/null; done
for port in 25472 25473; do
	soon "[ \"\$(ask $port -c 'SELECT status FROM pg_stat_wal_receiver')\" = streaming ]"
done
run rm -f sockets/asked
run "$bin/pg_ctl" -D primary -m immediate stop >/dev/null
soon '[ -e sockets/asked ]'
promoted() {
	: >sockets/asked
	began=$(date +%s)
	ask "$1" -c "SELECT pg_promote(true, 120)" >/dev/null
	echo $(($(date +%s) - began))
}
with=$(promoted 25472)
asked=$(wc -l <sockets/asked)
without=$(promoted 25473)
echo "with a restore_command that takes 12 s: promoted after $with s, in which it was begun $asked times"
echo "without: after $without s"
[ "$with" -ge 24 ] && [ "$without" -lt 5 ]
