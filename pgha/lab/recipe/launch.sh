#!/bin/sh
# Boots one host. Runs in a mount namespace and a control group of its own:
# the overlay, the fresh cgroup2 and the empty /run are seen by nobody else
# and go when the last process of the host goes.
# Arguments: LOWER-LAYERS HOST-DIRECTORY NETWORK-NAMESPACE HOST-NAME CONTROL-GROUP
set -eu
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount --bind "$3" "$2/netns"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs /run

# A group with controllers holds no processes itself: this script waits in
# one below, the host lives in another.
group=/sys/fs/cgroup/$5
mkdir -p "$group/launch" "$group/host"
echo $$ >"$group/launch/cgroup.procs"

boot() (
	sh -c "echo \$\$ >'$group/host/cgroup.procs'; exec \"\$@\"" boot \
		systemd-nspawn --quiet --boot --register=no --keep-unit \
		--directory="$2/root" --machine="$4" --hostname="$4" \
		--network-namespace-path="$2/netns" --capability=CAP_NET_ADMIN,CAP_NET_RAW \
		--resolv-conf=off --timezone=off --link-journal=no --console=pipe
)

# A reboot from inside ends systemd-nspawn with 133.
status=133
while [ "$status" -eq 133 ]; do
	status=0
	boot "$@" || status=$?
done
exit "$status"
