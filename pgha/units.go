package pgha

// The units that pgha manages, as its component packages name them.
const (
	etcdUnit       = "etcd.service"
	patroniUnit    = "patroni.service"
	watchUnit      = "pgha-watch.service"
	haproxyUnit    = "haproxy.service"
	keepalivedUnit = "keepalived.service"
)
