package incident

// etcdTable is how etcd 3.5 and 3.6 word it; a line is a JSON object.
var etcdTable = []recognizer{
	{needs: " became leader at term", pattern: re(`"(?P<id>[0-9a-f]+) became leader at term (?P<term>\d+)"`),
		kind: EtcdElected, text: "was elected etcd's leader (term {term})"},
	{needs: " lost leader ", pattern: re(`raft\.node: (?P<id>[0-9a-f]+) lost leader (?P<peer>[0-9a-f]+)`),
		kind: EtcdLeaderLost, text: "lost etcd's leader, {peer}"},
	{needs: "peer became inactive", pattern: re(`"peer-id":"(?P<peer>[0-9a-f]+)"`), kind: EtcdPeerLost,
		text: "lost etcd's member {peer}"},
	{needs: "lost TCP streaming connection with remote peer", pattern: re(`"remote-peer-id":"(?P<peer>[0-9a-f]+)"`),
		kind: EtcdPeerLost, text: "lost etcd's member {peer}"},
	{needs: "prober detected unhealthy status", pattern: re(`"remote-peer-id":"(?P<peer>[0-9a-f]+)"`),
		kind: EtcdPeerLost, text: "lost etcd's member {peer}"},
	{needs: "peer became active", pattern: re(`"peer-id":"(?P<peer>[0-9a-f]+)"`), kind: EtcdPeerBack,
		text: "has etcd's member {peer} back"},
	{needs: "slow fdatasync", pattern: re(`"took":"(?P<took>[^"]+)"`), kind: EtcdSlowDisk,
		text: "the disk took {took} for one fsync of etcd"},
	{needs: "apply request took too long", pattern: re(`"took":"(?P<took>[^"]+)"`), kind: EtcdSlowApply,
		text: "etcd took {took} for one request"},
	{needs: "leader failed to send out heartbeat on time", kind: EtcdSlowHeartbeat,
		text: "etcd's leader was late with its heartbeat: disk or CPU overloaded"},
	{needs: "alarm raised", pattern: re(`"alarm":"(?P<alarm>[A-Z]+)"`), kind: EtcdAlarm,
		text: "etcd raised the alarm {alarm}"},
	{needs: "no space left on device", kind: DiskFull, text: "etcd has no space left on its disk"},
}
