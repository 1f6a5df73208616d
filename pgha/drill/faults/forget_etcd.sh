# forget_etcd DATA_DIR: kills this host's etcd and removes what it knew.
systemctl kill --signal=KILL --kill-whom=all etcd
systemctl stop etcd
rm -rf "$1/member"
