# Measures what a host's memory, disks and network have to do with the cluster's times. Needs bash, coreutils and df alone.
#   measure SYNC ETCD_DATA POSTGRESQL_DATA [ADDRESS PORT]...
# SYNC "yes" writes up to a hundred blocks of 2300 bytes, as etcd's log has them, for a second at most, each durably, into a
# file beside etcd's data that is removed at the end. To each ADDRESS five connections are opened, in two seconds at most:
# one that is refused takes a round trip, too. Prints a line for each figure.
export LC_ALL=C
sync=$1 etcd=$2 data=$3
shift 3

# there is the path itself or, before it is made, the nearest folder above it.
there() {
	local d=$1
	while [ ! -e "$d" ]; do d=${d%/*} d=${d:-/}; done
	printf '%s\n' "$d"
}

while read -r name kib _; do
	[ "$name" = MemTotal: ] && echo "memory $kib"
done </proc/meminfo
echo "data $(df -Pk -- "$(there "$data")" | tail -n 1)"
echo "etcd $(df -Pk -- "$(there "$etcd")" | tail -n 1)"
[ -c /dev/watchdog ] && echo watchdog

while [ $# -ge 2 ]; do
	timeout 2 bash -c '
		for i in 1 2 3 4 5; do
			begin=${EPOCHREALTIME/./}
			{ exec 3<>"/dev/tcp/$1/$2"; } 2>/dev/null
			end=${EPOCHREALTIME/./}
			{ exec 3>&-; } 2>/dev/null
			echo "connect $1 $((end - begin))"
		done' connect "$1" "$2" &
	shift 2
done
wait

if [ "$sync" = yes ]; then
	# Beside etcd's folder, unless that is a disk of its own.
	dir=$(there "$etcd") above=$(there "${etcd%/*}")
	[ "$(stat -c %d "$dir")" = "$(stat -c %d "$above")" ] && dir=$above
	file=$(mktemp "$dir/.pgha-sync.XXXXXX") || exit 0
	trap 'rm -f "$file"' EXIT
	stop=$((${EPOCHREALTIME/./} + 1000000))
	for ((i = 0; i < 100 && ${EPOCHREALTIME/./} < stop; i++)); do
		echo "sync $(dd if=/dev/zero of="$file" bs=2300 count=1 conv=notrunc,fdatasync 2>&1 | tail -n 1)"
	done
fi
exit 0
