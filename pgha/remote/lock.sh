# lock PATH SECONDS: take the lock PATH and hold it for as long as the other side shows that it is there. The first line
# of standard input is the note that tells others who it is, each further line a sign of life, answered with "held".
# Prints "taken NOTE" and ends if somebody else has the lock, else "locked".
#
# The kernel's lock on descriptor 9 ends with this shell, however that ends. No child that waits may inherit it. The file
# stays, because a lock on a file that may be unlinked is none.
set -eu
path=$1 patience=$2
IFS= read -r note
umask 077
[ -d "${path%/*}" ] || mkdir -p "${path%/*}"
exec 9>>"$path"
code=0
flock -n -E 75 9 || code=$?
if [ "$code" -eq 75 ]; then
	for _ in 1 2 3 4 5 6 7 8 9 10; do # who has just taken it may be about to write who it is
		[ -s "$path" ] && break
		sleep 0.1
	done
	printf 'taken %s\n' "$(head -n 1 "$path")"
	exit 0
fi
[ "$code" -eq 0 ] || exit "$code"
trap ': >"/proc/$$/fd/9"' EXIT
printf '%s\n' "$note" >"$path"
echo locked
while :; do
	code=0
	timeout --foreground "$patience" sh -c 'IFS= read -r _' 9>&- || code=$?
	case $code in
	0) ;;
	1) exit 0 ;; # the end of standard input
	124)
		echo "no sign of life for $patience s" >&2
		exit 1
		;;
	*) exit "$code" ;;
	esac
	if [ ! "$path" -ef "/proc/$$/fd/9" ]; then
		echo "somebody has removed $path" >&2
		exit 1
	fi
	echo held
done
