# logfiles UNIT: where a PostgreSQL of UNIT logs by itself: its data folder, then a file a line. Only a server with
# logging_collector keeps current_logfiles; its folder is an argument of the running server.
pid=$(systemctl show -p MainPID --value "$1") && [ "$pid" != 0 ] || exit 0
for p in $(pgrep -x postgres); do
	dir=$(tr '\0' '\n' <"/proc/$p/cmdline" | sed -n '/^-D$/{n;p}')
	[ -n "$dir" ] && [ -f "$dir/current_logfiles" ] && { echo "$dir"; cut -d' ' -f2- "$dir/current_logfiles"; exit 0; }
done
