# cut ADDRESS...: drops everything from and to the addresses.
set -e
nft add table inet pgha_drill
nft add chain inet pgha_drill in '{ type filter hook input priority -300; }'
nft add chain inet pgha_drill out '{ type filter hook output priority -300; }'
for address; do
	case $address in *:*) family=ip6;; *) family=ip;; esac
	nft add rule inet pgha_drill in $family saddr "$address" drop
	nft add rule inet pgha_drill out $family daddr "$address" drop
done
