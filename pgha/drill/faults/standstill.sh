# standstill ADDRESS...: the host seems to stand still: nothing comes from the addresses or goes to them, and no program of the
# cluster runs. Programs that do not run would let the kernel accept connections, so packets go first.
set -e
nft add table inet pgha_drill
nft add chain inet pgha_drill in '{ type filter hook input priority -300; }'
nft add chain inet pgha_drill out '{ type filter hook output priority -300; }'
for address; do
	case $address in *:*) family=ip6;; *) family=ip;; esac
	nft add rule inet pgha_drill in $family saddr "$address" drop
	nft add rule inet pgha_drill out $family daddr "$address" drop
done
for unit in patroni etcd pgha-watch pgha-failover; do
	systemctl kill --signal=STOP --kill-whom=all "$unit" 2>/dev/null || :
done
