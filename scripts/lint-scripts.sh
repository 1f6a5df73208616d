#!/bin/sh
# Checks the repository's scripts: shell by shellcheck, perl by perl itself, python by pyflakes. Says which of these is not
# installed and leaves its scripts unchecked.
set -eu

has() {
	command -v "$1" >/dev/null || {
		echo "$1 is not installed: $2 is left unchecked"
		return 1
	}
}

# Scripts that a shell reads from standard input have no first line (SC2148).
if has shellcheck shell; then
	git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --severity=warning --exclude=SC2148
fi
# Some load no module, warnings neither, because perl begins sooner then: -w warns in all of them.
if has perl perl; then
	git ls-files '*.pl' | while IFS= read -r script; do
		grep -q '^use strict;' "$script" || {
			echo "$script: does not use strict"
			exit 1
		}
		said=$(perl -wc "$script" 2>&1) && [ "$said" = "$script syntax OK" ] || {
			echo "$said"
			exit 1
		}
	done
fi
if has pyflakes3 python; then
	git ls-files -z '*.py' | xargs -0 pyflakes3
fi
