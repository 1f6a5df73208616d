# note FILE: puts standard input in the place of FILE.
umask 022
mkdir -p "${1%/*}" && cat >"$1.new" && mv -f "$1.new" "$1"
