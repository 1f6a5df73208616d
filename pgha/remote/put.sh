# put PATH MODE OWNER GROUP: standard input becomes the file PATH. Prints "changed" or "unchanged".
set -eu
path=$1 mode=$2 owner=$3 group=$4
dir=${path%/*}
umask 077
tmp=$(mktemp "${dir:-/}/.pgha.XXXXXXXX")
trap 'rm -f "$tmp"' EXIT
cat >"$tmp"
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
