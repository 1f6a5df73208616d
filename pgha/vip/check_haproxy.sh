#!/bin/bash
# Written by pgha. check_haproxy.sh PORT: does HAProxy answer GET /health with 200 on 127.0.0.1:PORT?
# keepalived runs it as an unprivileged user. It needs bash alone, and asks HAProxy itself: a process that hangs, or a port
# that only the kernel still answers, is no load balancer. A first failure is confirmed before it counts.
port=$1

ask() {
	local status
	exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
	printf 'GET /health HTTP/1.0\r\n\r\n' >&3
	read -r -t 1 status <&3
	exec 3>&-
	[[ $status == "HTTP/1."?" 200"* ]]
} 2>/dev/null

ask && exit 0
read -r -t 0.1 <> <(:)
ask
