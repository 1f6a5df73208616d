# lossy PERCENT ADDRESS...: drops so many of a hundred packets that go to the addresses.
set -e
part=$1
shift
nft add table inet pgha_drill
nft add chain inet pgha_drill out '{ type filter hook output priority -300; }'
for address; do
	case $address in *:*) family=ip6;; *) family=ip;; esac
	nft add rule inet pgha_drill out numgen random mod 100 '<' "$part" $family daddr "$address" drop
done
