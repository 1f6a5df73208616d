# validate FILE: is FILE a configuration that keepalived accepts?
keepalived -t -f "$1" && exit 0
code=$?
[ $code -eq 143 ] || exit $code
# keepalived 2.2 ends its own test with SIGTERM as soon as it meets a script of a user other than root. The rest of the file
# is tested with root in that user's place.
copy=$(mktemp) || exit
trap 'rm -f "$copy"' EXIT
sed 's/^\( *script_user\) .*/\1 root/' "$1" >"$copy" && keepalived -t -f "$copy"
