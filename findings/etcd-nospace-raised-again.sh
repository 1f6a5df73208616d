#!/bin/sh
# go.etcd.io/etcd/server/v3 v3.6.16: a member that was off while the others made room raises NOSPACE again.
#
# Expected: once the members that run have compacted, defragmented and disarmed the alarm, and the one that was off has
# replayed the compaction, the cluster takes writes. Seen: the member compares its quota with the size of its file, which
# only a defragmentation of its own makes smaller. With the first put after it is back it raises the alarm for the whole
# cluster, whatever little of the file is in use, and every put is refused with "mvcc: database space exceeded" again.
# Needs Go; builds etcd (some minutes).
set -eu
dir=$(mktemp -d)
trap 'kill $(cat "$dir"/*.pid 2>/dev/null) 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
cd "$dir"
go mod init demo >/dev/null 2>&1
go get go.etcd.io/etcd/server/v3@v3.6.16 go.etcd.io/etcd/etcdctl/v3@v3.6.16 >/dev/null 2>&1
go build -o etcd go.etcd.io/etcd/server/v3
go build -o etcdctl go.etcd.io/etcd/etcdctl/v3

# start N runs the member N.
start() {
	./etcd --name "m$1" --data-dir "m$1" --quota-backend-bytes 3000000 --log-level error \
		--listen-client-urls "http://127.0.0.1:2738$1" --advertise-client-urls "http://127.0.0.1:2738$1" \
		--listen-peer-urls "http://127.0.0.1:2739$1" --initial-advertise-peer-urls "http://127.0.0.1:2739$1" \
		--initial-cluster m1=http://127.0.0.1:27391,m2=http://127.0.0.1:27392,m3=http://127.0.0.1:27393 >"$1.log" 2>&1 &
	echo $! >"$1.pid"
}

# ask N ARGUMENTS... asks the member N.
ask() {
	at=$1
	shift
	./etcdctl --endpoints "http://127.0.0.1:2738$at" "$@"
}

# soon COMMAND waits for it, thirty seconds at most
soon() {
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ "$n" -lt 150 ] || { echo "not so after thirty seconds: $*"; exit 1; }
		sleep 0.2
	done
}

for i in 1 2 3; do start $i; done
for i in 1 2 3; do soon ask $i endpoint health; done
head -c 500000 /dev/zero | tr '\0' x >value
n=0
while ask 1 put full <value >/dev/null 2>&1; do
	n=$((n + 1))
	[ "$n" -lt 20 ] || { echo 'the quota was never reached'; exit 1; }
done
echo "after $n puts of 500 kB to one key: $(ask 1 alarm list | tr '\n' ' ')"

kill "$(cat 3.pid)"
wait "$(cat 3.pid)" 2>/dev/null || :
revision=$(ask 1 get full -w json | sed 's/.*"revision":\([0-9]*\).*/\1/')
ask 1 compact --physical "$revision" >/dev/null
for i in 1 2; do ask $i defrag >/dev/null; done
ask 1 alarm disarm >/dev/null
ask 1 put small x >/dev/null
echo "without the third, room made on two: alarms \"$(ask 1 alarm list)\", a put is taken"

start 3
soon ask 3 get small
seen=no
n=0
while [ "$n" -lt 50 ]; do
	n=$((n + 1))
	if ! ask 3 put small y >/dev/null 2>put.err && grep -q 'space exceeded' put.err; then seen=yes && break; fi
	sleep 0.2
done
echo "the third is back: $(ask 1 alarm list | tr '\n' ' ')"
ask 3 endpoint status -w json | sed 's/.*"dbSize":\([0-9]*\).*"dbSizeInUse":\([0-9]*\).*/its file has \1 bytes, of which \2 are in use/'
[ "$seen" = yes ] || { echo 'CHANGED: the put was taken'; exit 1; }
echo 'every put is refused again'
