# slow_undo ADDRESS...: what slow.sh did is taken back.
nft delete table inet pgha_drill 2>/dev/null || :
dev=$(ip -o route get "$1" | sed 's/.* dev \([^ ]*\).*/\1/')
tc qdisc del dev "$dev" root 2>/dev/null || :
