# install "UNIT..." PACKAGE...: installs packages while the units they bring are kept from starting.
#
# The work is done by a unit of its own, so that it goes on when the connection is lost or the operator's program dies.
# Whoever comes next waits for it at the lock, and then finds the packages installed. systemd-run says 0 as well of a unit
# that was stopped or ended by a signal, so the job's own last word counts.
set -eu
dir=$(mktemp -d /run/pgha-packages.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job" <<'JOB'
set -eu
word=$1 units=$2
shift 2
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8 HOME=/root
apt() {
	apt-get -q -y -o DPkg::Lock::Timeout=300 -o "DPkg::Path=$path" -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
		-o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" </dev/null
}
# Several phases may want packages of one host at the same time, and apt-get update does not wait for its lock by itself.
exec 9>/run/lock/pgha-apt.lock
flock 9
# holder prints who holds a lock of apt's or dpkg's.
holder() {
	for f in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
		[ -e "$f" ] || continue
		inode=$(stat -c %i "$f")
		while read -r _ kind _ _ pid place _; do
			[ "$kind" = POSIX ] && [ "${place##*:}" = "$inode" ] && [ -d "/proc/$pid" ] || continue
			echo "$(cat "/proc/$pid/comm") (process $pid) holds $f"
			return
		done </proc/locks
	done
}
# unlocked waits until nobody else installs, for five minutes: a host's first boot upgrades itself, and neither dpkg nor the
# renewal of apt's lists waits for a lock.
unlocked() {
	told='' left=300
	while who=$(holder) && [ -n "$who" ]; do
		[ "$who" = "$told" ] || echo "waiting: $who"
		told=$who left=$((left - 1))
		[ "$left" -gt 0 ] || { echo "$who, and has for five minutes"; exit 75; }
		sleep 1
	done
}
# A run that was cut, by a power loss for one, leaves packages half configured; finish them first.
unlocked
dpkg --configure -a </dev/null || { unlocked && dpkg --configure -a </dev/null; }
# Maintainers' scripts look for programs here first. /run does not do: many hosts mount it noexec.
programs=/var/lib/pgha-packages
trap 'rm -rf "$programs"' EXIT
mkdir -p "$programs"
install -m 755 "${0%/*}/py3compile" "$programs" || true # it only goes slower without
path=$programs:$(apt-config dump --format '%v' DPkg::Path)
apt update || { unlocked && apt update; }
# Only now: what fails up to here leaves no unit masked.
enabled=
for u in $units; do
	if [ "$(systemctl is-enabled "$u" 2>/dev/null)" = enabled ]; then
		enabled="$enabled $u"
	fi
	systemctl mask --no-reload --runtime "$u" || true
done
systemctl daemon-reload
apt --no-install-recommends install "$@"
# What was set up before stays so.
for u in $enabled; do
	systemctl unmask --runtime "$u"
done
: >"$word"
JOB
# py3compile -p PACKAGE stands in for Python's own while the job runs.
#
# Every package of Python modules calls it once to have them compiled, and each call starts Python twice: for some twenty
# packages that is a quarter of an installation's work. As apt unpacks all packages before it configures the first, the
# first call compiles the modules of all, the way Debian does it for a new release of Python, and the others find theirs
# done. What is compiled, and where it lies, stays the same.
cat >"$dir/py3compile" <<'PY3COMPILE'
#!/bin/sh
set -eu
real=/usr/bin/py3compile
modules=/usr/lib/python3/dist-packages
if [ $# -ne 2 ] || [ "$1" != -p ]; then
	exec "$real" "$@"
fi
first=$(dpkg -L "$2" | grep -m 1 "^$modules/.*\.py\$") || exec "$real" "$@"
name=${first##*/}
if ! ls "${first%/*}/__pycache__/${name%.py}".*.pyc >/dev/null 2>&1; then
	# A module of somebody else that cannot be compiled is no fault of this package, so its own have the last word.
	"$real" "$modules" >/dev/null 2>&1 || true
	exec "$real" "$@"
fi
PY3COMPILE
code=0
systemd-run --quiet --wait --collect --description='packages for the database cluster' --property=RuntimeMaxSec=900 \
	--property="StandardOutput=append:$dir/log" --property="StandardError=append:$dir/log" sh "$dir/job" "$dir/done" "$@" >&2 || code=$?
cat "$dir/log" >&2 || : # there is none where the job was stopped before it began
if [ $code = 0 ] && [ ! -e "$dir/done" ]; then
	echo "the installation was stopped, or ended by a signal, before it was done" >&2
	code=1
fi
exit $code
