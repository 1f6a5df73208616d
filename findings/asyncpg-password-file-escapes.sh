#!/bin/sh
# asyncpg 0.27.0 (Debian 12): it splits a line of a libpq password file at the colons that are not escaped, and leaves the
# backslashes in what it found.
#
# Expected: a password file that libpq reads gives asyncpg the same password; its own documentation calls the format libpq's.
# Seen: where the password has a colon or a backslash, which have to be escaped there, asyncpg sends it as it is written. So
# the login fails, and of a role whose name has one of them no line is found. What a file without either says is the same.
# Needs Debian 12, apt-get download, python3, psql.
set -eu
dir=$(mktemp -d)
trap 'kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null || :; rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
apt-get download -q python3-asyncpg=0.27.0-1+b2 >/dev/null 2>&1
for deb in *.deb; do dpkg -x "$deb" root; done

# A server that asks each client for its password in clear text, writes it down and hangs up.
cat >server.py <<'PY'
import socket, struct, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    conn, _ = listener.accept()
    with conn, conn.makefile("rb") as data:
        data.read(struct.unpack("!I", data.read(4))[0] - 4)  # the startup message
        conn.sendall(b"R" + struct.pack("!II", 8, 3))         # AuthenticationCleartextPassword
        head = data.read(5)
        if head[:1] == b"p":
            got = data.read(struct.unpack("!I", head[1:])[0] - 4).rstrip(b"\0").decode()
            with open("got", "a") as out:
                print(got, file=out)
PY
python3 server.py >port &
echo $! >server.pid
n=0
until [ -s port ]; do
	n=$((n + 1))
	[ "$n" -lt 100 ] || { echo "the server does not start"; exit 1; }
	sleep 0.1
done
port=$(cat port)

for password in plain 'with:colon' 'with\backslash'; do
	escaped=$(printf '%s' "$password" | sed 's/\\/\\\\/g; s/:/\\:/g')
	printf '*:*:*:role:%s\n' "$escaped" >pgpass
	chmod 600 pgpass
	for client in libpq asyncpg; do
		: >got
		case $client in
		libpq) psql -X "host=127.0.0.1 port=$port user=role dbname=x sslmode=disable gssencmode=disable passfile=$dir/pgpass" \
			-c 'SELECT 1' >/dev/null 2>&1 || : ;;
		asyncpg) PYTHONPATH="$dir/root/usr/lib/python3/dist-packages" /usr/bin/python3 -c "
import asyncio, asyncpg
asyncio.run(asyncpg.connect(host='127.0.0.1', port=$port, user='role', database='x', ssl=False, passfile='$dir/pgpass', timeout=5))
" >/dev/null 2>&1 || : ;;
		esac
		printf '%s, %s: %s\n' "$client" "$password" "$(cat got)"
	done
done >seen
cat seen
cat >want <<'WANT'
libpq, plain: plain
asyncpg, plain: plain
libpq, with:colon: with:colon
asyncpg, with:colon: with\:colon
libpq, with\backslash: with\backslash
asyncpg, with\backslash: with\\backslash
WANT
cmp want seen
