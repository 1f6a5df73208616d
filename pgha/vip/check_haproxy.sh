#!/bin/bash
# Written by pgha. check_haproxy.sh PORT: does HAProxy answer GET /health with 200 on 127.0.0.1:PORT?
# keepalived runs this every second as an unprivileged user; it needs bash alone. HAProxy itself is asked: a process that
# hangs, or a port that only the kernel still answers, is no load balancer. Four times it is asked, 0.2 s apart, and three
# failures in a row count: enough to be quick, and to bear a HAProxy that systemd has back at once.
port=$1

ask() {
	local status
	exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
	printf 'GET /health HTTP/1.0\r\n\r\n' >&3
	read -r -t 1 status <&3
	exec 3>&-
	[[ $status == "HTTP/1."?" 200"* ]]
} 2>/dev/null

# A pipe nobody writes to: reading from it with a time-out is a sleep without a process.
exec 4<> <(:)

failures=0
for ((i = 0; i < 4 || failures > 0; i++)); do
	((i == 0)) || read -r -t 0.2 -u 4
	if ask; then
		failures=0
	elif ((++failures == 3)); then
		exit 1
	fi
done
exit 0
