#!/bin/bash
# Runs every fuzz target of the module for $FUZZTIME each (a duration, or a count such as 1000x), one after the other: Go
# fuzzes one target at a time. $FUZZPARALLEL workers, by default one for each processor; $FUZZONLY is a part of the names to
# run. A finding does not keep the other targets from being run; Go leaves it in the package's testdata/fuzz, where every
# later `go test` tries it again.
set -euo pipefail
time=${FUZZTIME:-10s}
arguments=(-run '^$' -fuzztime "$time" -fuzzminimizetime 1s)
[ -z "${FUZZPARALLEL:-}" ] || arguments+=(-parallel "$FUZZPARALLEL")
exec 3>&1
count=0
found=()
while read -r dir target; do
	[[ $dir/$target == *${FUZZONLY:-}* ]] || continue
	echo "fuzz $target in $dir for $time"
	count=$((count + 1))
	code=0
	output=$(go test "${arguments[@]}" -fuzz "^$target\$" "$dir" 2>&1 | tee >(cat >&3)) || code=$?
	# At the end of its time Go may interrupt a slow input and call that a failure, without an input to show for it.
	if [ $code -ne 0 ] && { [[ $output != *'context deadline exceeded'* ]] || [[ $output == *'Failing input'* ]]; }; then
		found+=("$dir $target")
	fi
done < <(grep --recursive --include='*_test.go' --extended-regexp '^func Fuzz[A-Za-z0-9_]+\(' . |
	sed --regexp-extended 's|^(.*)/[^/]+:func (Fuzz[A-Za-z0-9_]+)\(.*|\1 \2|' | sort)
if [ ${#found[@]} -gt 0 ]; then
	printf 'finding: %s\n' "${found[@]}" >&2
	exit 1
fi
echo "$count fuzz targets, nothing found"
