# install "UNIT..." "MODULE..." [PACKAGE...]: installs packages while the units they bring are kept from
# starting; without a package it upgrades those that are installed, and removes none. Of the Python modules they bring, the named ones and those they import are compiled now, the
# others later.
#
# The work is done by a unit of its own, so that it goes on when the connection is lost or the operator's program dies.
# Whoever comes next waits for it at the lock, and then finds the packages installed. systemd-run says 0 as well of a unit
# that was stopped or ended by a signal, so the job's own last word counts.
set -eu
dir=$(mktemp -d /run/pgha-packages.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job" <<'JOB'
set -eu
word=$1 units=$2 modules=$3
shift 3
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
# now compiles what the named modules need: Python keeps what root imports, in the same files.
now() {
	/usr/bin/python3 -I - $modules <<'PYTHON'
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as e:
        print("import", name, e, file=sys.stderr)
PYTHON
}
# later compiles all other modules: a minute after the last daemon-reload, when this job has ended and only while no other
# program wants a processor. It is a unit of its own, made before the first package is installed, so
# that it runs even if the job is killed. Where the host loses power first, Python compiles a module
# whenever a program imports it, and keeps it if root does.
later() {
	systemd-run --quiet --collect --on-active=60 \
		--description='Python modules of the database cluster' \
		--property=CPUSchedulingPolicy=idle --property=CPUWeight=1 \
		--property=IOSchedulingClass=idle sh -c '
		flock /run/lock/pgha-apt.lock true
		for python in /usr/bin/python3.*[0-9]; do
			[ ! -x "$python" ] ||
				py3compile -V "${python#/usr/bin/python}" "/usr/lib/${python##*/}"
		done
		py3compile /usr/lib/python3/dist-packages'
}
# A run that was cut, by a power loss for one, leaves packages half configured; finish them first.
unlocked
dpkg --configure -a </dev/null || { unlocked && dpkg --configure -a </dev/null; }
# Maintainers' scripts look for programs here first. /run does not do: many hosts mount it noexec.
programs=/var/lib/pgha-packages
trap 'rm -rf "$programs"' EXIT
mkdir -p "$programs"
install -m 755 "${0%/*}/programs/"* "$programs" || true # it only goes slower without
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
[ -n "$modules" ] && later || rm -f "$programs/py3compile" # each package compiles its own
if [ $# = 0 ]; then
	apt --with-new-pkgs upgrade
else
	apt --no-install-recommends install "$@"
fi
[ -z "$modules" ] || now || true
# What was set up before stays so.
for u in $enabled; do
	systemctl unmask --runtime "$u"
done
: >"$word"
JOB
# Programs that stand in for others of their name in maintainers' scripts while the job runs. The files
# on the host are the same in the end. All calls but the one that each knows go to the program itself.
mkdir "$dir/programs"
# A package of Python modules calls py3compile -p PACKAGE to have them compiled. Python starts twice
# for that, for some twenty packages, half of whose modules Patroni never imports: a quarter of an
# installation's work. The job compiles them instead, some now and the others later.
cat >"$dir/programs/py3compile" <<'PY3COMPILE'
#!/bin/sh
[ $# = 2 ] && [ "$1" = -p ] || exec /usr/bin/py3compile "$@"
PY3COMPILE
# Two packages ask dpkg for files that they need not treat, and get none. Python would compile its own
# modules, see above. PostgreSQL's client would link 220 manual pages, with three processes for each;
# the server, which is configured after it, links them too.
cat >"$dir/programs/dpkg" <<'DPKG'
#!/bin/sh
case "${DPKG_MAINTSCRIPT_NAME:-} ${DPKG_MAINTSCRIPT_PACKAGE:-} ${1:-}" in
"postinst python3."*" -L")
	[ ! -x "${0%/*}/py3compile" ] || exit 0
	;;
"postinst postgresql-client-"[0-9]*" -L")
	server=postgresql-${DPKG_MAINTSCRIPT_PACKAGE##*-}
	state=$(dpkg-query -W -f '${db:Status-Status}' "$server" 2>/dev/null) || true
	[ "$state" != unpacked ] || exit 0
	;;
esac
exec /usr/bin/dpkg "$@"
DPKG
# Package locales sorts the 500 locales there are and looks for each in locale.gen with a process of
# its own, to add it as a comment. This adds all that are missing, and leaves one to look for.
cat >"$dir/programs/sort" <<'SORT'
#!/bin/sh
script="${DPKG_MAINTSCRIPT_NAME:-} ${DPKG_MAINTSCRIPT_PACKAGE:-}"
[ "$script $*" = "postinst locales -u" ] && [ -f /etc/locale.gen ] || exec /usr/bin/sort "$@"
/usr/bin/sort -u | awk '
	!supported { gsub(/^[# ]*| *$/, ""); there[$0] = 1; next }
	!($0 in there) { print "# " $0 >>"/etc/locale.gen" }
	END { print }' /etc/locale.gen supported=1 -
SORT
code=0 limit=900
[ $# -gt 2 ] || limit=3600 # of a whole system
systemd-run --quiet --wait --collect --description='packages for the database cluster' --property=RuntimeMaxSec=$limit \
	--property="StandardOutput=append:$dir/log" --property="StandardError=append:$dir/log" sh "$dir/job" "$dir/done" "$@" >&2 || code=$?
cat "$dir/log" >&2 || : # there is none where the job was stopped before it began
if [ $code = 0 ] && [ ! -e "$dir/done" ]; then
	echo "the installation was stopped, or ended by a signal, before it was done" >&2
	code=1
fi
exit $code
