#!/bin/sh
# haproxy 2.6.12 (Debian 12): "ca-file" with an intermediate authority trusts nothing that it has signed.
#
# Expected: a server is trusted that shows a certificate of the authority in ca-file, as curl (7.88.1) and Go have it.
# Seen: with the intermediate alone checks are DOWN with L6RSP; with the root alone they are UP, as the server sends the
# intermediate. So whoever trusts one authority of a company trusts all that its root has signed. The same with HAProxy 3.2.26.
# Needs Debian 12, apt-get download, openssl, python3, curl.
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

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
sign() { # NAME BY EXTENSIONS
	key "$1"
	openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
	printf '%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' "$3" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}
key company
openssl req -x509 -new -key company.key -subj /CN=company -days 2 -out company.crt \
	-addext keyUsage=critical,keyCertSign,cRLSign
sign intermediate company "basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign"
sign server intermediate "basicConstraints=CA:FALSE
subjectAltName=DNS:localhost"
cat server.crt intermediate.crt server.key >server.pem

cat >server.py <<'PY'
import http.server, ssl

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 server.py >port 2>/dev/null &
echo $! >server.pid
n=0
until [ -s port ]; do n=$((n + 1)); [ "$n" -lt 100 ] || exit 1; sleep 0.1; done
port=$(cat port)
curl -sS --cacert intermediate.crt "https://localhost:$port/port" >/dev/null || { echo "curl does not take it"; exit 1; }

cat >haproxy.cfg <<CFG
global
  stats socket $dir/socket mode 600 level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  timeout check 5s
backend checks
  option httpchk GET /port
  server intermediate 127.0.0.1:$port check check-ssl inter 200ms fall 1 rise 1 verify required ca-file $dir/intermediate.crt
  server root 127.0.0.1:$port check check-ssl inter 200ms fall 1 rise 1 verify required ca-file $dir/company.crt
CFG
LD_LIBRARY_PATH=$LD_LIBRARY_PATH root/usr/sbin/haproxy -db -f haproxy.cfg >/dev/null 2>&1 &
echo $! >haproxy.pid
cat >state.py <<'PY'
import csv, socket
s = socket.socket(socket.AF_UNIX)
s.connect("socket")
s.sendall(b"show stat\n")
text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
for row in csv.DictReader(text.lstrip("# ").splitlines()):
    if row["pxname"] == "checks" and row["svname"] != "BACKEND":
        print(row["svname"], row["status"], row["check_status"], end="; ")
PY
n=0
until [ -S socket ] && [ "$(python3 state.py)" = "intermediate DOWN L6RSP; root UP L7OK; " ]; do
	n=$((n + 1))
	[ "$n" -lt 100 ] || { echo "seen: $(python3 state.py)"; exit 1; }
	sleep 0.1
done
echo "HAProxy $version: $(python3 state.py)"
