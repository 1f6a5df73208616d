# mark FILE: writes standard input to FILE, or with nothing to read removes it.
umask 022
line=$(cat)
if [ -z "$line" ]; then
	rm -f "$1"
else
	mkdir -p "${1%/*}" && printf '%s\n' "$line" >"$1"
fi
