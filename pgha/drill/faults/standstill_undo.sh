# standstill_undo: the host goes on as if no time had passed. What was sent to it meanwhile may come before its programs run.
nft delete table inet pgha_drill 2>/dev/null || :
for unit in etcd pgha-failover pgha-watch patroni; do
	systemctl kill --signal=CONT --kill-whom=all "$unit" 2>/dev/null || :
done
