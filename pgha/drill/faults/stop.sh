# stop UNIT: a unit that is stopped takes leave, and one that is lost does not, so it is killed first.
systemctl kill --signal=KILL --kill-whom=all "$1"
systemctl stop "$1"
