# Prints what of the cluster runs on this host, each part under a line "== NAME". Changes nothing. A part that is not there is
# empty. Needs a shell, systemd and perl-base; PostgreSQL's own programs only where there is data of PostgreSQL's.
# Parameters: the data directory of the specification, the perl script that asks the database, the options of its session, the
# folder of PostgreSQL's libraries, names of output plugins, and SQL; without SQL no database is asked.
wished=$1 ask=$2 options=$3 libraries=$4 plugins=$5
shift 5
config=/etc/patroni/config.yml environment=/etc/etcd/etcd.env line_end='
'

# What Patroni's file says of itself; it is rendered by pgha, two blanks a level.
used='' superuser='' file=''
[ ! -e $config ] || file=$(cat $config)
# value sets value to what stands behind $1 in the file, without quotes; "" where that is not in it.
value() {
	case $file in *"$1"*) value=${file#*"$1"} value=${value%%"$line_end"*} ;; *) value='' ;; esac
	value=${value#[\"\']} value=${value%[\"\']}
}
value "$line_end  data_dir: " && used=$value
value "$line_end    superuser:$line_end      username: " && superuser=$value

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

echo '== patroni'
[ -n "$used" ] && [ -e "$used/PG_VERSION" ] && printf '%s\n' "$file"
echo '== etcd'
etcd
echo '== server'
server
echo '== data'
[ -n "$used" ] && data "$used"
[ -n "$wished" ] && [ "$wished" != "$used" ] && data "$wished"
echo '== databases'
databases "$@"
echo '== plugins'
if [ -n "$libraries" ] && [ -d "$libraries" ]; then
	echo installed
	for plugin in $plugins; do
		[ ! -e "$libraries/$plugin.so" ] || echo "$plugin"
	done
fi
echo '== keepalived'
[ ! -e /etc/keepalived/keepalived.conf ] || cat /etc/keepalived/keepalived.conf
echo '== macs'
for address in /sys/class/net/*/address; do
	read -r mac <"$address" && echo "$mac"
done
echo '== heard'
