# Takes from a host what apply has put there: disables units, deletes files, then folders that are empty. Folders that
# packages own stay, and so do copies that were kept of somebody else's files.
#
# Arguments: look|remove LIST
# LIST has a line for each thing, in the order in which they go: "unit NAME", "file PATH", "dir PATH".
#
# Prints the line of each thing that is there (look) or that is gone now (remove), and "kept PATH" for each such copy. For
# look a folder is none: whether it will be empty is not known before.
set -u
LC_ALL=C
export LC_ALL

fail() {
	echo "$*" >&2
	exit 1
}

nl='
'

# packaged_of prints those of the list's folders that a package brings: one look for all of them.
# shellcheck disable=SC2062 # the patterns are those of -f
packaged_of() { echo "$1" | sed -n 's/^dir //p' | grep -hsxF -f - /var/lib/dpkg/info/*.list; }

# of_packages tells whether a package brings the folder.
of_packages() {
	case "$nl$packaged$nl" in
	*"$nl$1$nl"*) ;;
	*) return 1 ;;
	esac
}

unit() {
	case $(systemctl is-enabled "$1" 2>/dev/null) in
	enabled*) ;;
	*) return 0 ;;
	esac
	[ "$what" = look ] || systemctl disable --quiet --no-reload "$1" || fail "cannot disable $1"
	echo "unit $1"
}

file() {
	for copy in "$1".pgha-orig-*; do
		[ ! -e "$copy" ] || echo "kept $copy"
	done
	[ -e "$1" ] || [ -L "$1" ] || return 0
	[ "$what" = look ] || rm -f -- "$1" || fail "cannot delete $1"
	echo "file $1"
}

dir() {
	[ "$what" = remove ] && [ -d "$1" ] && ! of_packages "$1" || return 0
	rmdir -- "$1" 2>/dev/null || return 0 # something of others is in it, or it is a mount point
	echo "dir $1"
}

main() {
	what=$1
	packaged=$(packaged_of "$2")
	echo "$2" | while read -r kind name; do
		case $kind in
		unit) unit "$name" ;;
		file) file "$name" ;;
		dir) dir "$name" ;;
		esac
	done || exit 1
	[ "$what" = look ] || systemctl daemon-reload
}

main "$@" </dev/null
