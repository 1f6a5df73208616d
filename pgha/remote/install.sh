# install "UNIT..." PACKAGE...: installs packages while the units they bring are kept from starting.
#
# The work is done by a unit of its own, so that it goes on when the connection is lost or the operator's program dies.
# Whoever comes next waits for it at the lock, and then finds the packages installed.
set -eu
dir=$(mktemp -d /run/pgha-packages.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job" <<'JOB'
set -eu
units=$1
shift
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8 HOME=/root
apt() {
	apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
		-o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" </dev/null
}
# Several phases may want packages of one host at the same time, and apt-get update does not wait for its lock by itself.
exec 9>/run/lock/pgha-apt.lock
flock 9
# A run that was cut, by a power loss for one, leaves packages half configured; finish them first.
dpkg --configure -a </dev/null
enabled=
for u in $units; do
	if [ "$(systemctl is-enabled "$u" 2>/dev/null)" = enabled ]; then
		enabled="$enabled $u"
	fi
	systemctl mask --runtime "$u" || true
done
apt update
apt --no-install-recommends install "$@"
# What was set up before stays so.
for u in $enabled; do
	systemctl unmask --runtime "$u"
done
JOB
code=0
systemd-run --quiet --wait --collect --description='packages for the database cluster' --property=RuntimeMaxSec=900 \
	--property="StandardOutput=append:$dir/log" --property="StandardError=append:$dir/log" sh "$dir/job" "$@" >&2 || code=$?
cat "$dir/log" >&2
exit $code
