#!/bin/sh
# Written by pgha: etcdctl of this cluster, for root. What a flag or the environment says goes first.

given=" "
for word; do
	given="$given${word%%=*} "
done

# default FLAG VARIABLE VALUE: etcdctl ends where a variable stands beside its flag, so it gets one of them.
default() {
	case $given in
	*" $1 "*) unset "$2" ;;
	*) eval "export $2=\"\${$2-\$3}\"" ;;
	esac
}

default --endpoints ETCDCTL_ENDPOINTS '{{endpoints}}'
default --cacert ETCDCTL_CACERT '{{ca}}'
default --cert ETCDCTL_CERT '{{cert}}'
default --key ETCDCTL_KEY '{{key}}'
exec '{{program}}' "$@"
