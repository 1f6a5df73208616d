# put PATH MODE OWNER GROUP SECONDS: standard input, which ends with the SHA-256 of what comes before it, becomes the file
# PATH. Prints "changed" or "unchanged". The sum tells a complete input from one that a lost connection has cut. Each
# mebibyte has so many seconds to arrive: sshd does not hear of a network that is gone, and would wait for two hours.
set -eu
path=$1 mode=$2 owner=$3 group=$4 patience=$5
dir=${path%/*}
umask 077
# What a put leaves whose host lost power, or that was killed: its process is in the name.
for left in "${dir:-/}"/.pgha.*.????????; do
	pid=${left#"${dir:-/}"/.pgha.}
	[ -e "$left" ] && [ ! -e "/proc/${pid%.*}" ] && rm -f "$left"
done
tmp=$(mktemp "${dir:-/}/.pgha.$$.XXXXXXXX")
trap 'rm -f "$tmp"' EXIT
# A lost connection closes the output, too: the shell must live on to clean up.
trap '' PIPE
trap 'exit 129' HUP INT TERM
size=0
while :; do
	before=$size
	code=0
	timeout --foreground "$patience" head -c 1048576 >>"$tmp" || code=$?
	case $code in
	0) ;;
	124)
		echo "the content did not arrive completely: nothing for $patience s" >&2
		exit 74
		;;
	*) exit "$code" ;;
	esac
	size=$(stat -c %s "$tmp")
	[ "$size" -gt "$before" ] || break
done
size=$((size - 64))
if [ "$size" -ge 0 ]; then
	want=$(tail -c 64 "$tmp" | tr -d '\000')
	truncate -s "$size" "$tmp"
	have=$(sha256sum <"$tmp")
fi
if [ "$size" -lt 0 ] || [ "${have%% *}" != "$want" ]; then
	echo 'the content did not arrive completely' >&2
	exit 74
fi
if [ -f "$path" ] && [ ! -L "$path" ] && [ "$(stat -c '%a %U %G' "$path")" = "$mode $owner $group" ] && cmp -s "$tmp" "$path"; then
	echo unchanged
	exit 0
fi
chown "$owner:$group" "$tmp"
chmod "$mode" "$tmp"
sync "$tmp"
mv -fT "$tmp" "$path"
trap - EXIT
sync "${dir:-/}" 2>/dev/null || true
echo changed
