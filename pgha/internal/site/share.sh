# share FILE: standard input is a line, for FILE.json, and what comes after it, for FILE. FILE comes
# first: a line that does not fit it says that it has to be written again.
umask 022
mkdir -p "${1%/*}" && umask 077 && IFS= read -r record && cat >"$1.new" &&
	printf '%s\n' "$record" >"$1.json.new" && sync "$1.new" "$1.json.new" &&
	mv -f "$1.new" "$1" && mv -f "$1.json.new" "$1.json" && sync "${1%/*}"
