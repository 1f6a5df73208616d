# Prints what of the cluster runs on this host, each part under a line "== NAME". Changes nothing. A part that is not there is
# empty. Needs a shell, systemd and perl-base; PostgreSQL's own programs only where there is data of PostgreSQL's.
# Parameters: the data directory of the specification, the virtual IP ("" asks no neighbour), the perl script that asks them,
# the one that asks the database, the options of its session, and SQL for it; without SQL no database is asked.
wished=$1 address=$2 neighbours=$3 ask=$4 options=$5
shift 5
config=/etc/patroni/config.yml environment=/etc/etcd/etcd.env

# What Patroni's file says of itself; it is rendered by pgha, two blanks a level.
used='' superuser=''
while read -r name value; do
	value=${value#[\"\']}
	case $name in data_dir:) used=${value%[\"\']} ;; username:) superuser=${value%[\"\']} ;; esac
done <<FOUND
$(sed -n 's/^  data_dir:/data_dir:/p; /^    superuser:/{n;s/^ *username:/username:/p}' $config)
FOUND

etcd() {
	# The control group tells at once; not every host has it there.
	if [ -d /sys/fs/cgroup/system.slice ]; then
		read -r pid </sys/fs/cgroup/system.slice/etcd.service/cgroup.procs
	else
		pid=$(systemctl show -p MainPID --value etcd.service)
	fi
	if [ "${pid:-0}" != 0 ]; then
		grep -z '^ETCD_' "/proc/$pid/environ"
		return
	fi
	# A member that is stopped counts once it has taken part: there is a log of its votes.
	dir=$(sed -n 's/^ETCD_DATA_DIR="\(.*\)"$/\1/p' $environment)
	[ -n "$dir" ] && set -- "$dir"/member/wal/*.wal && [ -e "$1" ] && grep '^ETCD_' $environment | tr -d '"'
}

server() {
	read -r pid <"$used/postmaster.pid" && read -r name <"/proc/$pid/comm" && [ "$name" = postgres ] && tr '\0' '\n' <"/proc/$pid/cmdline"
}

data() {
	read -r version <"$1/PG_VERSION" || return
	echo "directory $1"
	echo "version $version"
	"/usr/lib/postgresql/$version/bin/pg_controldata" -D "$1"
}

databases() {
	[ $# -gt 0 ] && { read -r _ && read -r _ && read -r _ && read -r port && read -r socket; } <"$used/postmaster.pid" || return
	perl -e "$ask" postgres "$socket/.s.PGSQL.$port" "$superuser" "$options" "$@"
}

look() {
	echo '== patroni'
	[ -n "$used" ] && [ -e "$used/PG_VERSION" ] && cat $config
	echo '== etcd'
	etcd
	echo '== server'
	server
	echo '== data'
	[ -n "$used" ] && data "$used"
	[ -n "$wished" ] && [ "$wished" != "$used" ] && data "$wished"
	echo '== databases'
	databases "$@"
	echo '== keepalived'
	[ ! -e /etc/keepalived/keepalived.conf ] || cat /etc/keepalived/keepalived.conf
	echo '== macs'
	cat /sys/class/net/*/address
	echo '== heard'
}

# The neighbours have a moment to answer, in which everything else is looked at.
{ [ -n "$address" ] && perl -e "$neighbours" "$address"; } | { look "$@" </dev/null; cat; }
