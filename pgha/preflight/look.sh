# look KEY VALUE...: tells what a host has where a cluster is to be, a line for each thing, its fields divided by tabs. Changes
# nothing, but for a route to an address that nobody has, which it tries for a moment where fences are wanted. Needs what every Debian has, and iproute2. What only matters while something has to be installed, or before
# keepalived runs, is asked then alone; what waits for the network is asked side by side, for 12 seconds at most.
#
# Keys: port N:UNIT, data DIRECTORY, write PATH, peer ADDRESS, zone NAME, file PATH, unit NAME, package NAME, etcd VERSION,
# fence ADDRESS, repository URL, download URL, vip ADDRESS, own ADDRESS, interface NAME, locales yes, arp SCRIPT, reach SCRIPT.
set -u
tab=$(printf '\t')
ports='' data='' writes='' peers='' zones='' files='' units='' packages='' etcd='' repositories='' downloads=''
fences='' vip='' own='' interface='' locales='' arp='' reach='' installed='' missing=''
while [ $# -ge 2 ]; do
	case $1 in
	port) ports="$ports $2" ;;
	data) data="$data$2
" ;;
	write) writes="$writes$2
" ;;
	peer) peers="$peers $2" ;;
	fence) fences="$fences $2" ;;
	zone) zones="$zones $2" ;;
	file) files="$files $2" ;;
	unit) units="$units $2" ;;
	package) packages="$packages $2" ;;
	repository) repositories="$repositories $2" ;;
	download) downloads="$downloads $2" ;;
	etcd) etcd=$2 ;; vip) vip=$2 ;; own) own=$2 ;; interface) interface=$2 ;;
	locales) locales=$2 ;; arp) arp=$2 ;; reach) reach=$2 ;;
	esac
	shift 2
done

say() {
	IFS=$tab
	printf '%s\n' "$*"
	unset IFS
}

# section KEY CMD...: the lines that a command prints, as they are, between a line with their key and one without.
section() {
	echo "== $1"
	shift
	"$@"
	echo '== '
}

# unit_of sets unit to the systemd unit of a process, "" without one.
unit_of() {
	unit=''
	while IFS=: read -r id controller path; do
		case $id:$controller in 0: | *:name=systemd) ;; *) continue ;; esac
		while [ -n "$path" ] && [ -z "$unit" ]; do
			case ${path##*/} in *.service | *.scope) unit=${path##*/} ;; esac
			path=${path%/*}
		done
	done <"/proc/$1/cgroup"
}

# command_of prints the command line of a process, cut, without what could command a terminal.
command_of() { tr '\0' ' ' <"/proc/$1/cmdline" | head -c 300 | tr -cd '[:print:]'; }

listeners() {
	ss -H -ltnp | while read -r _ _ _ local _ users; do
		n=0
		case "$ports " in *" ${local##*:}:"*) wanted=yes ;; *) wanted='' ;; esac
		case $users in *pid=*) ;; *) say listener "$local" '' ;; esac
		while case $users in *pid=*) [ "$n" -lt 8 ] ;; *) false ;; esac do
			name=${users#*'("'} name=${name%%'"'*} users=${users#*pid=} pid=${users%%,*} n=$((n + 1))
			if [ -z "$wanted" ]; then
				say listener "$local" "$name"
				break
			fi
			unit_of "$pid"
			case "$ports " in
			*" ${local##*:}:$unit "*) say listener "$local" "$name" "$pid" "$unit" ;;
			*) say listener "$local" "$name" "$pid" "$unit" "$(stat -c %U "/proc/$pid")" "$(command_of "$pid")" ;;
			esac
		done
	done
}

# entries prints the first names in a directory.
entries() {
	n=0
	for e in "$1"/* "$1"/.[!.]*; do
		[ -e "$e" ] || [ -L "$e" ] || continue
		case ${e##*/} in *[!A-Za-z0-9._+@:-]*) printf '? ' ;; *) printf '%s ' "${e##*/}" ;; esac
		n=$((n + 1))
		[ "$n" -lt 6 ] || break
	done
}

directories() {
	while IFS= read -r d; do
		[ -n "$d" ] || continue
		if [ -L "$d" ]; then
			say directory "$d" link "$(readlink -- "$d")"
		elif [ ! -e "$d" ]; then
			say directory "$d" missing
		elif [ ! -d "$d" ]; then
			say directory "$d" file
		else
			mountpoint -q -- "$d" && mount=mount || mount=''
			[ -d "$d/member" ] && member=member || member=''
			version='' identifier=''
			[ ! -f "$d/PG_VERSION" ] || read -r version <"$d/PG_VERSION"
			# The system identifier is the first number of the control file, in every version of PostgreSQL.
			[ ! -f "$d/global/pg_control" ] || identifier=$(od -An -v -t u8 -N 8 "$d/global/pg_control" | tr -d ' ')
			say directory "$d" directory "$mount" "$version" "$member" "$(entries "$d")" "$identifier"
		fi
	done <<DIRECTORIES
$data
DIRECTORIES
}

# spaces prints a line of df for each path or, before it is made, for the nearest folder above it, in their order.
spaces() {
	set --
	while IFS= read -r d; do
		[ -n "$d" ] || continue
		while [ ! -e "$d" ]; do d=${d%/*} d=${d:-/}; done
		[ -w "$d" ] || say readonly "$d"
		set -- "$@" "$d"
	done <<PATHS
$writes
PATHS
	echo '== space'
	df -k --output=avail,itotal,iavail,target -- "$@"
	echo '== '
}

network() {
	asked='addr show
link show
'
	for p in $peers; do asked="${asked}route get $p
"; done
	echo '== net'
	ip -o -force -batch - <<ASKED
$asked
ASKED
	echo '== '
}

# fence tries whether the kernel takes a route that lets nothing out, to an address that is for documentation (RFC 5737, 3849),
# and looks for routes that would stand before one to an address itself. A route that lets nothing out stops a lookup.
fence() {
	trial=''
	for address in $fences; do
		case $address in *:*) nobody=2001:db8:5eed::fe bits=128 ;; *) nobody=192.0.2.254 bits=32 ;; esac
		own=$(ip route show exact "$address/$bits" 2>/dev/null | grep -v '^prohibit ' | head -n 1)
		[ -z "$own" ] || say fence "$address" "it has a route of its own to $address: $own"
		[ "$trial" != "$nobody" ] || continue
		trial=$nobody
		if ! said=$(ip route replace prohibit "$nobody/$bits" 2>&1); then
			say fence "$address" "it refuses a route that lets nothing out: $(printf '%s' "${said:-ip is missing}" | tr -s '\n\t' ' ')"
			continue
		fi
		# Once more, as somebody else who looks at this moment may just have removed it.
		if ip route get "$nobody" >/dev/null 2>&1 && ip route replace prohibit "$nobody/$bits" && ip route get "$nobody" >/dev/null 2>&1; then
			say fence "$address" "packets go out although a route forbids it: other rules come first (ip rule)"
		fi
		ip route del prohibit "$nobody/$bits" 2>/dev/null
	done
}

# lockers prints who holds the locks of apt and dpkg.
lockers() {
	for f in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
		[ -e "$f" ] || continue
		inode=$(stat -c %i "$f")
		while read -r _ kind _ _ pid place _; do
			[ "$kind" = POSIX ] && [ "${place##*:}" = "$inode" ] && [ -d "/proc/$pid" ] || continue
			unit_of "$pid"
			say lock "$f" "$pid" "$(cat "/proc/$pid/comm")" "$unit"
		done </proc/locks
	done
}

users() {
	section passwd getent passwd postgres etcd
	section group getent group postgres etcd
}

# clusters prints the clusters that Debian's tools for PostgreSQL know.
clusters() {
	for f in /etc/postgresql/*/*/postgresql.conf; do
		[ -f "$f" ] || continue
		name=${f#/etc/postgresql/} name=${name%/postgresql.conf}
		name=${name%%/*}-${name#*/}
		say cluster "$name" "$(systemctl is-active "postgresql@$name.service")" "$(sed -n "s/^data_directory *= *'\([^']*\)'.*/\1/p" "$f")"
	done
}

everywhere() {
	listeners
	directories
	spaces
	network
	[ -z "$fences" ] || fence
	[ -z "$locales" ] || section locale locale -a
	for z in $zones; do
		if [ ! -d /usr/share/zoneinfo ]; then
			say zone "$z" unknown
		elif [ -f "/usr/share/zoneinfo/$z" ]; then
			say zone "$z" yes
		else
			say zone "$z" no
		fi
	done
	section ours grep -ls 'ritten by pgha' -- $files
	section unit systemctl show --property=Id,LoadState,ActiveState,UnitFileState,FragmentPath -- $units
	clusters
	[ -n "$missing" ] || candidates
}

# site tells whether a URL can be had: by the way of apt, with its proxies, or of curl. No certificate is judged here, because
# a bare host may know no authority yet; nothing of what comes is used.
site_by_apt() {
	tmp=$(mktemp -d) || return 0
	said=$(timeout 12 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=5 -o Acquire::https::Timeout=5 \
		-o Acquire::https::Verify-Peer=false -o Acquire::https::Verify-Host=false download-file "$2" "$tmp/file" 2>&1)
	code=$?
	rm -rf "$tmp"
	say site "$1" "$2" "$code" "$(printf '%s\n' "$said" | sed -n 's/^E: //p' | head -n 1 | tr -cd '[:print:]')"
}

site_by_curl() {
	if command -v curl >/dev/null; then
		said=$(curl -fsSIL -k --connect-timeout 5 --max-time 10 -o /dev/null "$2" 2>&1)
	else
		said=$(perl -e "$reach" "$2" "${https_proxy:-${HTTPS_PROXY:-${ALL_PROXY:-}}}" 2>&1)
	fi
	say site "$1" "$2" "$?" "$(printf '%s\n' "$said" | tail -n 1 | tr -cd '[:print:]')"
}

# filled puts the host's own words into a URL.
filled() {
	url=$1
	case $url in *'{codename}'*) url=${url%%'{codename}'*}$(. /etc/os-release && echo "$VERSION_CODENAME")${url#*'{codename}'} ;; esac
	case $url in *'{architecture}'*) url=${url%%'{architecture}'*}$(dpkg --print-architecture)${url#*'{architecture}'} ;; esac
	echo "$url"
}

# lacking sets missing to the packages that are not installed, and installed to the others with their versions.
lacking() {
	# shellcheck disable=SC2016 # dpkg-query reads this
	[ -z "$packages" ] || installed=$(dpkg-query -W -f ' ${db:Status-Status}:${Package} ${Version}\n' -- $packages)
	for p in $packages; do
		case $installed in *" installed:$p "*) ;; *) missing="$missing $p" ;; esac
	done
}

# candidates tells which versions apt would install. Where nothing is missing dpkg has said it, in a quarter of the time, and
# apply installs no others. Else it waits while an installation that an earlier run began renews apt's lists, which are empty
# until it has.
candidates() {
	if [ -z "$missing" ]; then
		while read -r name version; do
			[ -z "$version" ] || say candidate "${name#installed:}" "$version"
		done <<INSTALLED
$installed
INSTALLED
		return
	fi
	[ ! -e /run/lock/pgha-apt.lock ] || flock -w 20 /run/lock/pgha-apt.lock true
	section policy apt-cache policy -- $packages
}

# bare asks what matters only while packages are missing: prints them, who holds apt's locks, and tries the sources.
bare() {
	for p in $missing; do say missing "$p"; done
	candidates
	lockers
	users
	for r in $repositories; do site_by_apt repository "$(filled "$r")" & done
	for s in $(apt-get update --print-uris | sed -n "s/^'\(http[^']*\/InRelease\)'.*/\1/p" | head -n 8); do site_by_apt source "$s" & done
	wait
}

program() {
	[ "$(/usr/local/bin/etcd --version | sed -n 's/^etcd Version: //p')" != "$etcd" ] || return 0
	say missing etcd
	for d in $downloads; do site_by_curl download "$(filled "$d")"; done
}

# unclaimed tells that nobody need be asked for the virtual address: there is none of IPv4, or keepalived runs here and knows.
unclaimed() {
	case $vip in "" | *:*) return 0 ;; esac
	[ -d /sys/fs/cgroup/system.slice/keepalived.service ] || systemctl is-active --quiet keepalived.service
}

# claimed asks the network by ARP who has the virtual address.
claimed() {
	[ -n "$interface" ] || interface=$(ip -o addr show to "$own" | sed -n 's/^[0-9]*: *\([^ ]*\).*/\1/p' | head -n 1)
	mac=$(perl -e "$arp" "$vip" "$interface")
	[ -z "$mac" ] || say claimed "$mac"
}

# Each part prints whole: parts that run side by side would mix their lines. On a host that has everything there is one.
lacking
others=''
if [ -n "$missing" ]; then
	others=yes
	{ text=$(bare) && printf '%s\n' "$text"; } &
fi
if [ -n "$etcd" ]; then
	others=yes
	{ text=$(program) && printf '%s\n' "$text"; } &
fi
if ! unclaimed; then
	others=yes
	{ text=$(claimed) && printf '%s\n' "$text"; } &
fi
if [ -z "$others" ]; then
	everywhere
	exit 0
fi
text=$(everywhere)
wait
printf '%s\n' "$text"
