# Takes what is left of an etcd that has lost its majority for good.
#
# Arguments: alone DIRECTORY COPY PROGRAM | aside DIRECTORY COPY
# alone stops etcd, copies DIRECTORY to COPY, and starts etcd once with the data that it has and with
# --force-new-cluster, in a unit that is gone when this ends: the member is a cluster of one from then on. aside stops
# etcd and moves the data of a member of the former cluster to COPY, so that it cannot form that cluster again.
#
# etcd itself is not started here. All that is done can be done again.
set -eu
LC_ALL=C
export LC_ALL
umask 077

once=pgha-etcd-recovery.service

stop() {
	systemctl stop "$once" etcd.service 2>/dev/null || systemctl stop etcd.service
}

# copy leaves no half a copy behind.
copy() {
	rm -rf "$2.part"
	cp -a "$1" "$2.part"
	sync -f "$2.part"
	mv "$2.part" "$2"
}

alone() {
	dir=$1 kept=$2 program=$3
	stop
	copy "$dir" "$kept"
	systemctl reset-failed "$once" 2>/dev/null || :
	# A unit that tells when it is ready: systemd-run ends once etcd has taken its data up, and says if it has not.
	systemd-run --quiet --collect --unit="$once" --service-type=notify --uid=etcd --gid=etcd \
		--property=EnvironmentFile=/etc/etcd/etcd.env --property=TimeoutStartSec=60 --property=RuntimeMaxSec=60 \
		--setenv=ETCD_FORCE_NEW_CLUSTER=true -- "$program"
	systemctl stop "$once"
}

aside() {
	dir=$1 kept=$2
	stop
	[ -e "$dir/member" ] || return 0
	mkdir -p "$kept"
	mv "$dir/member" "$kept/member"
	sync -f "$kept"
}

what=$1
shift
"$what" "$@" </dev/null
