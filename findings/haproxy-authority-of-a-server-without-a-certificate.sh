#!/bin/sh
# haproxy 2.6.12 (Debian 12): "commit ssl ca-file" says "Success!" and changes nothing for a server that shows no certificate.
#
# Expected: once both authorities are in the committed file, a server with a certificate of either is trusted.
# Seen: "show ssl ca-file" lists both, and checks of a server line without "crt" go on with the former content: a server that
# shows a certificate of the second authority is DOWN with L6RSP. The same line with "crt" is UP. Only a reload helps the
# other. The same with HAProxy 3.2.26, before Patroni.
# Needs Debian 12, apt-get download, openssl, python3.
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

for name in former new; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca-$name.key -out ca-$name.crt \
		-subj "/CN=the $name authority" -days 2 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr \
		-subj /CN=server 2>/dev/null
	openssl x509 -req -in $name.csr -CA ca-$name.crt -CAkey ca-$name.key -CAcreateserial -out $name.crt -days 2 2>/dev/null
	cat $name.crt $name.key >$name.pem
done

# A server that shows what is in server.pem at each handshake; it prints its port.
cat >server.py <<'PY'
import socketserver, ssl

class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("server.pem")
        try:
            with context.wrap_socket(self.request, server_side=True) as c:
                c.recv(4096)
                c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass

server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
PY
cp former.pem server.pem
python3 server.py >port &
echo $! >server.pid

# ask COMMAND... sends it to HAProxy's socket
cat >ask.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("socket")
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
while data := s.recv(65536):
    sys.stdout.write(data.decode())
PY
state() { echo "show servers state checks" | python3 ask.py | awk -v s="$1" '$4 == s { print ($6 == 2 ? "UP" : "DOWN") }'; }
soon() {
	n=0
	until [ "$(state bare) $(state shows)" = "$1" ]; do
		n=$((n + 1))
		[ "$n" -lt 200 ] || return 1
		sleep 0.1
	done
}
n=0
until [ -s port ]; do n=$((n + 1)); [ "$n" -lt 100 ] || exit 1; sleep 0.1; done
cp ca-former.crt trusted.crt
cat >haproxy.cfg <<CFG
global
  stats socket $dir/socket mode 600 level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  timeout check 5s
  option httpchk GET /
backend checks
  server bare 127.0.0.1:$(cat port) check check-ssl inter 200ms fall 1 rise 1 verify required ca-file $dir/trusted.crt
  server shows 127.0.0.1:$(cat port) check check-ssl inter 200ms fall 1 rise 1 verify required ca-file $dir/trusted.crt crt $dir/former.pem
CFG
root/usr/sbin/haproxy -db -f haproxy.cfg >/dev/null 2>&1 &
echo $! >haproxy.pid
n=0
until [ -S socket ]; do n=$((n + 1)); [ "$n" -lt 100 ] || exit 1; sleep 0.1; done
echo "HAProxy $version"
soon "UP UP" || { echo "not even the former authority is trusted"; exit 1; }
echo "the former authority: without crt $(state bare), with crt $(state shows)"

printf 'set ssl ca-file %s <<\n%s\n\n' "$dir/trusted.crt" "$(cat ca-former.crt ca-new.crt)" | python3 ask.py >/dev/null
echo "commit ssl ca-file: $(echo "commit ssl ca-file $dir/trusted.crt" | python3 ask.py | grep -o 'Success!')"
echo "show ssl ca-file: $(echo "show ssl ca-file $dir/trusted.crt" | python3 ask.py | grep -c '^Subject: ') authorities"
cp new.pem server.new && mv server.new server.pem
soon "DOWN UP" || { echo "now: without crt $(state bare), with crt $(state shows)"; exit 1; }
echo "the new authority: without crt $(state bare), with crt $(state shows)"
