# Looks at a data directory before anything is deleted, and with the word wipe deletes what is in it: but only if it still is
# what it was taken for. The directory itself stays, with its owner and mode; it may be a mount point.
#
# Arguments: look|wipe KIND DIRECTORY CLUSTER PG_CONTROLDATA IDENTIFIER
# KIND is etcd or postgresql, IDENTIFIER the system identifier that look told, for wipe.
#
# Prints a line for each thing to know: "kib N", "identifier N", "empty" when there is nothing to delete, "begun" when an
# earlier run began to, and "refuse REASON" for each reason not to. wipe ends with 3 for such a reason, and has deleted
# nothing then.
set -u
LC_ALL=C
export LC_ALL

refuse() {
	echo "refuse $*"
	refused=1
}

# refuse_for refuses with $1 in front of each of the first lines of $2, without what could command a terminal.
refuse_for() {
	[ -n "$2" ] || return 0
	refused=1
	echo "$2" | head -n 5 | tr -cd '[:print:]\n' | while read -r line; do echo "refuse $1$line"; done
}

# content lists what is in the directory, but for what a file system and an earlier run put there.
content() { find "$dir" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name .pgha-reset "$@"; }

judge_place() {
	case $dir/ in
	*/../* | */./* | *//*) refuse "the path is not plain" ;;
	/*/*/*) ;;
	*) refuse "the path is not that of a data directory" ;;
	esac
	if [ -L "$dir" ]; then
		refuse "it is a symbolic link to $(readlink "$dir")"
	elif [ -e "$dir" ] && [ ! -d "$dir" ]; then
		refuse "it is no directory"
	fi
	refuse_for "a file system is mounted below it: " "$(DIR=$dir/ awk 'index($5, ENVIRON["DIR"]) == 1 { print $5 }' /proc/self/mountinfo)"
}

judge_etcd() {
	[ -d "$dir/member" ] || refuse "it is not etcd's: there is no member in it"
	refuse_for "it holds more than etcd's data: " "$(content ! -name member -printf '%f\n')"
	[ "$what" = wipe ] || return 0
	[ "$(systemctl is-active etcd.service)" != active ] || refuse "etcd runs"
	[ ! -e "$dir/member/snap/db" ] || flock -n "$dir/member/snap/db" true || refuse "a process has etcd's database open"
}

judge_postgresql() {
	if [ ! -f "$dir/PG_VERSION" ] || [ ! -f "$dir/global/pg_control" ]; then
		refuse "it is not PostgreSQL's: there is no PG_VERSION or no global/pg_control in it"
	fi
	refuse_for "data would be left behind: " "$(find "$dir" -xdev -type l -xtype d -printf '%P leads to %l\n')"
	found=$("$control" -D "$dir" 2>/dev/null | sed -n 's/^Database system identifier: *//p')
	echo "identifier $found"
	[ "$what" = wipe ] || return 0
	[ "$found" = "$identifier" ] || refuse "its system identifier is $found, and was $identifier"
	[ "$(systemctl is-active patroni.service)" != active ] || refuse "Patroni runs"
	if [ -f "$dir/postmaster.pid" ]; then
		read -r pid <"$dir/postmaster.pid"
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" != postgres ] || refuse "process $pid runs on it"
	fi
}

# wipe leaves its mark first, by which the next run knows what half a directory was.
wipe() {
	umask 077
	echo "$kind $cluster" >"$mark" && sync "$mark" || return 1
	cd -P "$dir" || return 1
	find . -xdev -mindepth 1 ! -path './lost+found' ! -path './lost+found/*' ! -path ./.pgha-reset -delete || return 1
	rm -f ./.pgha-reset && sync -f .
}

main() {
	what=$1 kind=$2 dir=$3 cluster=$4 control=$5 identifier=$6
	mark=$dir/.pgha-reset
	refused=0
	judge_place
	if [ "$refused" = 0 ] && [ -z "$(content -print -quit 2>/dev/null)" ] && [ ! -e "$mark" ]; then
		echo empty
		exit 0
	fi
	if [ "$refused" = 0 ]; then
		echo "kib $(du -skx "$dir" | cut -f1)"
		if [ -f "$mark" ] && [ "$(cat "$mark")" = "$kind $cluster" ]; then
			echo begun
		elif [ "$kind" = etcd ]; then
			judge_etcd
		else
			judge_postgresql
		fi
	fi
	[ "$what" = wipe ] || exit 0
	[ "$refused" = 0 ] || exit 3
	wipe
	exit
}

# All of this is read before it begins, so that its commands cannot take it for their input.
main "$@" </dev/null
