# install "UNIT..." PACKAGE...: installs packages while the units they bring are kept from starting.
set -eu
units=$1
shift
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 LC_ALL=C.UTF-8
apt() {
	apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
		-o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" </dev/null
}
# Several phases may want packages of one host at the same time, and apt-get update does not wait for its lock by itself.
exec 9>/run/lock/pgha-apt.lock
flock 9
# A run that was cut leaves packages half configured; finish them first.
dpkg --configure -a >&2 </dev/null
for u in $units; do
	systemctl mask --runtime "$u" >&2 || true
done
apt update >&2
apt --no-install-recommends install "$@" >&2
