package site

// The units that pgha manages, as its component packages name them.
const (
	EtcdUnit       = "etcd.service"
	PatroniUnit    = "patroni.service"
	WatchUnit      = "pgha-watch.service"
	HaproxyUnit    = "haproxy.service"
	KeepalivedUnit = "keepalived.service"
)
