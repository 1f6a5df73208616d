#!/bin/sh
# haproxy 2.6.12 (Debian 12): after a reload a former worker takes no "shutdown sessions server".
#
# Expected: the command that ends a server's sessions does so in each worker that has some.
# Seen: as soon as a worker is leaving, which a reload makes it, its proxies count as disabled: the command is refused with
# "Proxy is disabled." and the session lives on, while the present worker, asked the same, has no such session. "shutdown
# session" with the number of a session works in both. The same with HAProxy 3.2.26.
# Needs Debian 12, apt-get download, perl.
set -eu
dir=$(mktemp -d)
trap 'kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null || :; rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
apt-get download -q haproxy liblua5.3-0 >/dev/null 2>&1 # Debian keeps the newest revision of a release alone
for deb in *.deb; do dpkg -x "$deb" root; done
version=$(dpkg-deb -f haproxy_*.deb Version)
case $version in
2.6.12-1*) ;;
*) echo "haproxy is $version here, and this was seen with 2.6.12"; exit 1 ;;
esac
LD_LIBRARY_PATH=$(echo "$dir"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH

# soon CONDITION waits for it, ten seconds at most
soon() {
	n=0
	until eval "$1"; do
		n=$((n + 1))
		[ "$n" -lt 100 ] || { echo "not so after ten seconds: $1"; exit 1; }
		sleep 0.1
	done
}

# A server that takes connections and says nothing; it prints its port.
cat >server.pl <<'PERL'
use IO::Socket::INET;
my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
$| = 1; print $l->sockport, "\n"; my @all; push @all, $_ while $_ = $l->accept;
PERL
perl server.pl >port &
echo $! >server.pid
soon '[ -s port ]'
cat >haproxy.cfg <<CFG
global
	stats socket $dir/present.sock level admin
defaults
	mode tcp
	timeout connect 5s
	timeout client 5m
	timeout server 5m
frontend entry
	bind unix@$dir/entry.sock
	default_backend exit
backend exit
	server one 127.0.0.1:$(cat port)
CFG
root/usr/sbin/haproxy -W -S "$dir/master.sock" -f haproxy.cfg >log 2>&1 &
echo $! >haproxy.pid
# ask SOCKET COMMAND
ask() {
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1;
		print $s "$ARGV[1]\n"; $s->flush; $s->shutdown(1); print grep { /\S/ } <$s>' "$1" "$2"
}
soon 'ask master.sock "show proc" >proc && grep -q worker proc && [ -S entry.sock ]'
perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => "entry.sock") or die; sysread $s, my $b, 1' &
echo $! >client.pid
former=$(awk '$2 == "worker" { print $1 }' proc)
sessions() { ask master.sock "@!$former show sess" | grep -c 'srv=one' || :; }
soon '[ "$(sessions)" = 1 ]'
kill -USR2 "$(cat haproxy.pid)"
soon 'ask master.sock "show proc" | sed "1,/old workers/d" | grep -q "^$former "'
{
	echo "former: $(ask master.sock "@!$former shutdown sessions server exit/one")"
	echo "sessions left: $(sessions)"
	number=$(ask master.sock "@!$former show sess" | sed -n 's/^\(0x[0-9a-f]*\): .*srv=one.*/\1/p')
	ask master.sock "@!$former shutdown session $number" >/dev/null
	for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e "/proc/$(cat client.pid)" ] || break; sleep 0.2; done
	[ -e "/proc/$(cat client.pid)" ] && echo "one by one: still there" || echo "one by one: ended"
} >seen
cat seen
cat >want <<'WANT'
former: Proxy is disabled.
sessions left: 1
one by one: ended
WANT
cmp want seen
