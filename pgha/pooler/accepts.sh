#!/bin/sh
# Written by pgha. pooler-accepts FILE: is FILE a configuration that PgBouncer starts with? It is tried by itself: without a
# port, with a socket in a folder of its own, and for the two seconds at most that it takes to say so.
set -eu
folder=$(mktemp -d /run/pooler-accepts.XXXXXX)
trap 'rm -rf "$folder"' EXIT
chown pgha-pooler:pgha-pooler "$folder"
sed -e 's|^listen_addr *=.*|listen_addr =|' -e "s|^unix_socket_dir *=.*|unix_socket_dir = $folder|" "$1" >"$folder/ini"
chown pgha-pooler:pgha-pooler "$folder/ini"
setpriv --reuid=pgha-pooler --regid=pgha-pooler --clear-groups -- pgbouncer "$folder/ini" 2>"$folder/said" &
pid=$!
tries=0
while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 40 ]; do
	for socket in "$folder"/.s.PGSQL.*; do
		if [ -S "$socket" ]; then
			kill -QUIT "$pid"
			wait "$pid" || :
			# What is wrong in it and not fatal is said, and goes on with something else.
			! grep -E ' (ERROR|FATAL|WARNING) ' "$folder/said" >&2
			exit
		fi
	done
	sleep 0.05
	tries=$((tries + 1))
done
kill -QUIT "$pid" 2>/dev/null || :
cat "$folder/said" >&2
echo "PgBouncer does not start with it" >&2
exit 1
