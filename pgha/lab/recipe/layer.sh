#!/bin/sh
# Makes what installed packages add to an image: the upper layer of an overlay over it. Runs in a mount namespace of its own.
# Arguments: IMAGE-ROOT LAYER-DIRECTORY PACKAGE...
set -eu
image=$1 layer=$2
shift 2
mkdir -p "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=$image,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
exec chroot "$layer/root" /bin/sh -eu -s -- "$@" <<'INSIDE'
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
mount -t proc proc /proc
# As on a host that the tool has prepared: no cluster of the package's own, and nothing that starts by itself.
mkdir -p /etc/postgresql-common/createcluster.d
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/lab.conf
apt-get -qq update
apt-get -qq -y --no-install-recommends install "$@"
for unit in patroni postgresql haproxy keepalived etcd; do
	[ ! -e "/usr/lib/systemd/system/$unit.service" ] || systemctl --quiet disable "$unit.service"
done
rm -rf /etc/postgresql-common/createcluster.d/lab.conf /tmp/* /var/tmp/* /var/log/apt /var/log/dpkg.log
INSIDE
