#!/bin/sh
# dash 0.5.12 (Debian 12): a program that somebody has open for writing is passed by, and the next one of its name in PATH runs.
#
# Expected: "Text file busy" and exit code 126, as bash 5.2.15 and env of coreutils 9.1 end.
# Seen: dash says nothing, runs the next program of that name and exits with its code. Python 3.11's os.execvp does the same.
# In a test that puts fakes before the real programs, a process that is forked while a fake is written is enough: it holds
# the file until its own exec, and the host's own program runs.
# Needs Debian 12, apt-get download.
set -eu
dir=$(mktemp -d)
trap 'exec 7>&-; rm -rf "$dir"' EXIT
cd "$dir"
chmod 755 .
apt-get download -q dash bash >/dev/null 2>&1 # Debian keeps the newest revision of a release alone
for deb in *.deb; do dpkg -x "$deb" root; done
version=$(dpkg-deb -f dash_*.deb Version)/$(dpkg-deb -f bash_*.deb Version)
case $version in
0.5.12-2*/5.2.15-2*) ;;
*) echo "dash and bash are $version here, and this was seen with 0.5.12 and 5.2.15"; exit 1 ;;
esac
shell() { find root -path "*bin/$1" -type f | head -n 1; }
dash=$(shell dash) bash=$(shell bash)
echo "dash and bash $version"

mkdir first second
for name in first second; do
	printf '#!/bin/sh\necho %s\n' $name >$name/program
	chmod 755 $name/program
done
run() { code=0; out=$(PATH=$dir/first:$dir/second:$PATH "$@" 2>&1) || code=$?; }
check() { # WHO, what was expected of it
	echo "$1: \"$out\", exit code $code"
	case "$out, $code" in *"$2"*) ;; *) echo "that has changed: it was $2"; exit 1 ;; esac
}
run "$dash" -c program
check "dash, nobody writes" "first, 0"
exec 7>>first/program
run "$dash" -c program
check "dash, somebody writes" "second, 0"
run "$bash" -c program
check "bash, somebody writes" "Text file busy, 126"
run env program
check "env, somebody writes" "Text file busy, 126"
