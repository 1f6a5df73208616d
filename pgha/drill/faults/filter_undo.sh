# filter_undo: removes the filter of cut.sh and vrrp.sh, if it is there.
nft delete table inet pgha_drill 2>/dev/null || :
