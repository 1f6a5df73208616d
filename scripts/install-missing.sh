#!/bin/sh
# Installs those of the named Debian packages that are missing, and nothing else. Does nothing, quickly and without
# root's rights, when all are there. Arguments: PACKAGE...
set -eu
export DEBIAN_FRONTEND=noninteractive

missing=
for package; do
	case $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || :) in
	ii*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

echo "missing Debian packages:$missing"
if [ "$(id -u)" != 0 ]; then
	echo "error: installing packages takes root's rights" >&2
	echo "hint: sudo apt-get install$missing" >&2
	exit 1
fi

install() {
	# $missing is a list of words.
	# shellcheck disable=SC2086
	apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 $missing
}
# Package lists are absent on a fresh machine and name vanished files on an old one: fetch them when an installation fails.
install >/dev/null 2>&1 || { apt-get update -qq && install; }
