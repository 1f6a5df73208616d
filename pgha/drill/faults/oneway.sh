# oneway in|out ADDRESS...: drops what comes from the addresses (in), or what goes to them (out), and not the other way.
set -e
way=$1
shift
case $way in in) end=saddr hook=input;; out) end=daddr hook=output;; *) exit 2;; esac
nft add table inet pgha_drill
nft add chain inet pgha_drill "$way" "{ type filter hook $hook priority -300; }"
for address; do
	case $address in *:*) family=ip6;; *) family=ip;; esac
	nft add rule inet pgha_drill "$way" $family "$end" "$address" drop
done
