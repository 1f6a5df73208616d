#!/bin/sh
# haproxy 2.6.12 (Debian 12): after a start, or a reload, a server goes DOWN with the first check that fails, whatever "fall" says.
#
# Expected: "fall 5" wants five failed checks of a server that counts as UP, as a server does from the start on.
# Seen: one is enough before a check has succeeded, five afterwards. So a reload in the moment in which a healthy server is
# slow, or starts again, takes it out of service.
# Needs Debian 12, apt-get download, python3.
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

python3 - >ports 2>/dev/null <<'PY' &
import http.server, socket
closed = socket.socket()
closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
print(closed.getsockname()[1], server.server_address[1], flush=True)
server.serve_forever()
PY
echo $! >server.pid
n=0
until [ -s ports ]; do n=$((n + 1)); [ "$n" -lt 100 ] || exit 1; sleep 0.1; done
read -r closed open <ports

cat >haproxy.cfg <<CFG
global
  stats socket $dir/socket mode 600 level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  default-server check inter 500ms fall 5 rise 1
backend checks
  server never 127.0.0.1:$closed
  server once 127.0.0.1:$open
CFG
LD_LIBRARY_PATH=$LD_LIBRARY_PATH root/usr/sbin/haproxy -db -f haproxy.cfg >/dev/null 2>&1 &
echo $! >haproxy.pid
cat >state.py <<'PY'
import csv, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("socket")
s.sendall(b"show stat\n")
text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
for row in csv.DictReader(text.lstrip("# ").splitlines()):
    if row["svname"] == sys.argv[1]:
        print(row["status"].split()[0], row["check_status"].lstrip("* "), "failed checks:", row["chkfail"])
PY
await() { # SERVER STATE
	n=0
	until [ -S socket ] && case $(python3 state.py "$1") in $2*) ;; *) false ;; esac; do
		n=$((n + 1))
		[ "$n" -lt 200 ] || { echo "seen of $1: $(python3 state.py "$1")"; exit 1; }
		sleep 0.05
	done
}
await never DOWN
never=$(python3 state.py never)
await once "UP L4OK"
kill "$(cat server.pid)"
await once DOWN
once=$(python3 state.py once)
echo "HAProxy $version with fall 5: before any check has succeeded $never; afterwards $once"
[ "$never" = "DOWN L4CON failed checks: 1" ] && [ "$once" = "DOWN L4CON failed checks: 5" ]
