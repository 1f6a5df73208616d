#!/bin/sh
# Moves PostgreSQL's data directory. Nothing is deleted but by "drop".
#   aside DIR KEPT          DIR becomes KEPT; an empty DIR takes its place
#   back DIR KEPT UNDONE    KEPT becomes DIR again; what was DIR becomes UNDONE
#   place COPY DIR          the data of COPY becomes DIR, which must be empty
#   drop DIR                deletes DIR
#   look DIR                prints its size and the room beside it, in bytes
set -eu

running() {
	[ -e "$1/postmaster.pid" ] && read -r pid <"$1/postmaster.pid" &&
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postgres ]
}

stopped() {
	if running "$1"; then
		echo "a PostgreSQL runs on $1" >&2
		exit 1
	fi
}

fresh() { install -d -m 0700 -o postgres -g postgres "$1"; }

case $1 in
aside)
	[ ! -e "$3" ] || { fresh "$2"; exit 0; }
	stopped "$2"
	[ ! -e "$2" ] || mv -T "$2" "$3"
	fresh "$2"
	;;
back)
	[ -e "$3" ] || exit 0
	stopped "$2"
	if [ -e "$2" ] && [ -e "$4" ]; then rm -rf "$2"; fi
	[ ! -e "$2" ] || mv -T "$2" "$4"
	mv -T "$3" "$2"
	;;
place)
	[ -e "$2/data" ] || { [ -e "$3/PG_VERSION" ]; exit; }
	stopped "$2/data"
	[ ! -e "$3" ] || rmdir "$3"
	mv -T "$2/data" "$3"
	rm -rf "$2"
	;;
drop)
	[ ! -e "$2" ] || { stopped "$2"; rm -rf "$2"; }
	;;
look)
	du -sxB1 "$2" 2>/dev/null | cut -f1
	df -B1 --output=avail "${2%/*}" | tail -1
	if [ -L "$2" ] || mountpoint -q "$2"; then echo apart; else echo beside; fi
	find "$2/pg_tblspc" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
	;;
*)
	echo "move.sh: $1?" >&2
	exit 2
	;;
esac
