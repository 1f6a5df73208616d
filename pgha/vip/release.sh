# Ends keepalived on this host for a while: it gives the virtual IP up, or does not take it. A timer of the host's own starts
# it again after $2 seconds, also if nobody calls again. $1 is "end" or "start".
set -eu
timer=pgha-keepalived-back
case $1 in
end)
	systemctl stop "$timer.timer" 2>/dev/null || :
	# A time of the day: with --on-active systemd (262) counts from the beginning again at each daemon-reload.
	systemd-run --quiet --unit="$timer" --description="starts keepalived again" \
		--on-calendar="@$(($(date +%s) + 1 + $2))" --timer-property=AccuracySec=100ms \
		--property=Type=oneshot systemctl start keepalived.service
	systemctl stop keepalived.service
	;;
start)
	systemctl start keepalived.service
	systemctl stop "$timer.timer" 2>/dev/null || :
	;;
esac
