# vrrp: drops the adverts of keepalived.
set -e
nft add table inet pgha_drill
nft add chain inet pgha_drill in '{ type filter hook input priority -300; }'
nft add chain inet pgha_drill out '{ type filter hook output priority -300; }'
nft add rule inet pgha_drill in meta l4proto 112 drop
nft add rule inet pgha_drill out meta l4proto 112 drop
