# slow ADDRESS...: delays what goes to the addresses where the kernel can (netem), and drops a part of it in any case.
set -e
dev=$(ip -o route get "$1" | sed 's/.* dev \([^ ]*\).*/\1/')
tc qdisc add dev "$dev" root netem delay 50ms 20ms 2>/dev/null || :
nft add table inet pgha_drill
nft add chain inet pgha_drill out '{ type filter hook output priority -300; }'
for address; do
	case $address in *:*) family=ip6;; *) family=ip;; esac
	nft add rule inet pgha_drill out numgen random mod 100 '<' 5 $family daddr "$address" drop
done
