# Tries whether PostgreSQL starts with settings and rules, in a directory that is gone afterwards, as
# user postgres. It opens no port, writes no data, and leaves the server that runs alone.
# Parameters: the directory of the programs, the data directory, the major version.
# Standard input: files, each behind a line "== NAME": wanted.conf, wanted.hba, wanted.ident, the same
# of "present", and paths, with "r", "x" or "w" before each that has to be readable, executable, or a
# directory that can be written or made.
# Prints sections "== NAME": memory, lacks, settings and start (with wanted), and where that fails the
# last two with present, "== present-settings" and "== present-start".
set -u
bin=$1 data=$2 version=$3
[ -x "$bin/postgres" ] || exit 0
umask 077
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' HUP INT TERM PIPE
cd "$dir" || exit 3
while IFS= read -r line; do
	case $line in
	"== "*) exec 3>"${line#== }" ;;
	*) printf '%s\n' "$line" >&3 ;;
	esac
done
exec 3>&-

echo "== memory"
grep -E '^(MemTotal|CommitLimit|HugePages_Total|Hugepagesize):' /proc/meminfo
echo "Overcommit: $(cat /proc/sys/vm/overcommit_memory)"

echo "== lacks"
while read -r kind path; do
	case $kind in
	r) [ -r "$path" ] ;;
	x) [ -x "$path" ] && [ ! -d "$path" ] ;;
	w) { [ -d "$path" ] && [ -w "$path" ]; } || { [ ! -e "$path" ] && [ -w "${path%/*}/" ]; } ;;
	esac || echo "$kind $path"
done <paths

# What initdb makes, without the WAL: there the server ends.
mkdir -p cluster/global cluster/pg_wal/archive_status cluster/pg_wal/summaries
echo "$version" >cluster/PG_VERSION
: >cluster/global/pg_control
"$bin/pg_resetwal" -f -D cluster >resetwal 2>&1 || {
	echo "== broken"
	cat resetwal
	exit 0
}
rm -r cluster/pg_wal
for d in base pg_commit_ts pg_dynshmem pg_logical/mappings pg_logical/snapshots pg_multixact/members pg_multixact/offsets \
	pg_notify pg_replslot pg_serial pg_snapshots pg_stat pg_stat_tmp pg_subtrans pg_tblspc pg_twophase pg_xact; do
	mkdir -p "cluster/$d"
done
cp "$data/postgresql.auto.conf" cluster/ 2>resetwal || : >cluster/postgresql.auto.conf

# With -C the server prints a setting once it has read its settings and loaded libraries and
# certificates: the size of its shared memory, where the version knows it.
ask=shared_memory_size
[ "$version" -ge 15 ] || ask=config_file

run() {
	which=$1
	shift
	timeout -k 2 10 "$bin/postgres" -D "$dir/cluster" -c "config_file=$dir/$which.conf" -c "hba_file=$dir/$which.hba" \
		-c "ident_file=$dir/$which.ident" -c listen_addresses= -c "unix_socket_directories=$dir/cluster" -c port=5432 \
		-c logging_collector=off -c log_destination=stderr -c "external_pid_file=$dir/pid" -c log_line_prefix= \
		-c log_min_messages=warning -c log_error_verbosity=default -c lc_messages=C "$@" >"$dir/said" 2>&1
	code=$?
	sed "s|$dir/||g" said
	return $code
}

# large tells whether the last answer is more than an eighth of the memory that is free.
large() {
	size=$(tail -n 1 said)
	case $size in "" | *[!0-9]*) return 1 ;; esac
	[ "$size" -gt "$(($(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo) / 8192))" ]
}

# attempt reads the settings, then starts a server with as little memory as there can be.
attempt() {
	echo "== $2settings"
	which=$1 part=$2
	run "$which" -C "$ask" || return 1
	set -- -c shared_buffers=128kB -c huge_pages=off -c wal_buffers=64kB -c min_dynamic_shared_memory=0
	echo "== ${part}start"
	if large && run "$which" "$@" -C "$ask" >/dev/null && large; then
		echo "not started, for its memory"
		return 0
	fi
	run "$which" "$@"
	grep -q 'required WAL directory "pg_wal" does not exist' said
}

attempt wanted '' || [ ! -s present.conf ] || attempt present present-
exit 0
