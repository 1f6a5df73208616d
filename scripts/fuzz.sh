#!/bin/bash
# Runs every fuzz target of the module for $FUZZTIME each, one after the other: Go fuzzes one target at a time.
set -euo pipefail
time=${FUZZTIME:-10s}
count=0
while read -r dir target; do
	echo "fuzz $target in $dir for $time"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir"
	count=$((count + 1))
done < <(grep --recursive --include='*_test.go' --extended-regexp '^func Fuzz[A-Za-z0-9_]+\(' . |
	sed --regexp-extended 's|^(.*)/[^/]+:func (Fuzz[A-Za-z0-9_]+)\(.*|\1 \2|' | sort)
echo "$count fuzz targets, nothing found"
