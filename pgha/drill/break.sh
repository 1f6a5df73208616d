# Breaks something on this host, and sets a timer of the host's own that gives it back, first. The timer
# has a time of the day: with --on-active systemd (262) counts from the beginning again at each
# daemon-reload, and an apply or an upgrade of packages would put off what gives it back.
# $1 name of the unit, $2 seconds until the timer, $3 what gives it back, $4 what breaks it; the rest are the arguments of both.
set -eu
unit=$1 seconds=$2 undo=$3 cause=$4
shift 4
systemctl stop "$unit.timer" 2>/dev/null || :
systemd-run --quiet --unit="$unit" --description="gives back what a drill broke" --on-calendar="@$(($(date +%s) + 1 + seconds))" \
	--timer-property=AccuracySec=100ms --property=Type=oneshot /bin/sh -c "$undo" sh "$@"
exec /bin/sh -c "$cause" sh "$@"
