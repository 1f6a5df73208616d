#!/bin/sh
# haproxy 2.6.12 before PostgreSQL 15.18 (Debian 12), mode tcp: "option dontlog-normal" leaves out sessions
# that ended well, and sessions of psql over TLS are logged all the same.
#
# Expected: a session that psql ends with \q is a normal one, with TLS as without. Seen: with TLS most of them end as SD, the
# server's reset while data went on: psql says goodbye twice, once in PostgreSQL's protocol and once in TLS, the server process
# ends at the first, and the kernel answers the second with a reset. Without TLS none is logged. So a log that is meant for what
# is wrong has a line for each session of an application.
# Needs Debian 12, apt-get download, openssl. As root it runs PostgreSQL as nobody.
set -eu
dir=$(mktemp -d)
run() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
trap 'run "$dir/root/usr/lib/postgresql/15/bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || :
	kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null || :; rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
# Debian keeps the newest revision of a release alone.
apt-get download -q haproxy liblua5.3-0 postgresql-15 postgresql-client-15 libpq5 libxml2 libicu72 libldap-2.5-0 \
	libsasl2-2 >/dev/null 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done
for pinned in haproxy:2.6.12-1 postgresql-15:15.18-0; do
	version=$(dpkg-deb -f "${pinned%:*}"_*.deb Version)
	case $version in
	"${pinned#*:}"*) echo "${pinned%:*} $version" ;;
	*) echo "${pinned%:*} is $version here, and this was seen with ${pinned#*:}"; exit 1 ;;
	esac
done
LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH LC_ALL=C
bin=$dir/root/usr/lib/postgresql/15/bin

soon() {
	n=0
	until eval "$1"; do
		n=$((n + 1))
		[ "$n" -lt 200 ] || { echo "not so after twenty seconds: $1"; exit 1; }
		sleep 0.1
	done
}

mkdir data sockets
[ "$(id -u)" != 0 ] || chown nobody data sockets
run "$bin/initdb" -D "$dir/data" -U postgres -A trust -L "$dir/root/usr/share/postgresql/15" >/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout server.key -out server.crt 2>/dev/null
run cp server.crt data/ 2>/dev/null
cp server.key data/server.key
[ "$(id -u)" != 0 ] || chown nobody data/server.key
chmod 600 data/server.key
cat >>data/postgresql.conf <<CONF
ssl = on
listen_addresses = '127.0.0.1'
port = 25432
unix_socket_directories = '$dir/sockets'
CONF
run "$bin/pg_ctl" -D "$dir/data" -l "$dir/sockets/log" -w start >/dev/null

cat >haproxy.cfg <<CFG
global
	log stdout format raw local0
	maxconn 100
defaults
	mode tcp
	log global
	option tcplog
	option dontlognull
	option dontlog-normal
	timeout connect 5s
	timeout client 1m
	timeout server 1m
listen plain
	bind 127.0.0.1:25433
	server one 127.0.0.1:25432
listen tls
	bind 127.0.0.1:25434
	server one 127.0.0.1:25432
CFG
"$dir/root/usr/sbin/haproxy" -f haproxy.cfg >log 2>&1 &
echo $! >haproxy.pid
soon '"$bin/psql" -X "host=127.0.0.1 port=25433 user=postgres dbname=postgres sslmode=disable" -c "SELECT 1" >/dev/null 2>&1'

# sessions PORT SSLMODE has twenty of them.
sessions() {
	n=0
	while [ "$n" -lt 20 ]; do
		n=$((n + 1))
		"$bin/psql" -X "host=127.0.0.1 port=$1 user=postgres dbname=postgres sslmode=$2" -c 'SELECT 1' >/dev/null
	done
}
sessions 25433 disable
sessions 25434 require
soon '[ "$(grep -c " tls/one " log)" -ge 15 ]' # by then the lines of the first would be there
plain=$(grep -c ' plain/one ' log || :)
echo "without TLS: $plain of 20 sessions were logged"
echo "with TLS: at least $(grep -c ' tls/one ' log) of 20, as $(grep ' tls/one ' log | grep -o ' [CS][A-Z] [0-9]' | cut -c2-3 | sort | uniq -c | sort -rn | tr -s ' ' | tr '\n' ' ')"
[ "$plain" -eq 0 ] && [ "$(grep ' tls/one ' log | grep -c ' SD ')" -ge 10 ]
