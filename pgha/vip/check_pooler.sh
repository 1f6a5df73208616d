#!/bin/bash
# Written by pgha. check_pooler.sh PORT...: does a pooler on each port of 127.0.0.1 answer?
# keepalived runs this every second as an unprivileged user; it needs bash alone. The pooler itself is asked, with the eight
# bytes by which clients of PostgreSQL ask for GSSAPI, to which it says no: one that hangs serves nobody, though the kernel takes
# connections for it. It answers also while it holds its clients, and while there is no primary. (Who asks for TLS and goes is a
# line in its log each time.) Four times it is asked, 0.2 s apart, and three failures in a row count.
ask() {
	local answer
	exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
	printf '\0\0\0\010\004\322\026\060' >&3
	read -r -t 1 -n 1 answer <&3
	exec 3>&-
	[[ $answer == N ]]
} 2>/dev/null

ask_all() {
	local port
	for port; do
		ask "$port" || return 1
	done
}

# A pipe nobody writes to: reading from it with a time-out is a sleep without a process.
exec 4<> <(:)

failures=0
for ((i = 0; i < 4 || failures > 0; i++)); do
	((i == 0)) || read -r -t 0.2 -u 4
	if ask_all "$@"; then
		failures=0
	elif ((++failures == 3)); then
		exit 1
	fi
done
exit 0
