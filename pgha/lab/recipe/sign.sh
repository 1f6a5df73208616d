#!/bin/sh
# Signs both repositories with a new key that nobody keeps. Runs on the
# machine, in a mount and a process namespace of its own, so that neither the
# key nor gpg's agent outlives it. Arguments: ROOT SUITE CODENAME
set -eu
cd "$1/srv/repo" # first: the image may lie in /tmp
mount -t tmpfs -o mode=0700 tmpfs /tmp
export GNUPGHOME=/tmp
gpg() { command gpg --batch --quiet --no-tty --pinentry-mode loopback --passphrase '' "$@"; }

gpg --quick-generate-key 'Lab repository' rsa3072 sign never
gpg --armor --export >pgdg/ACCC4CF8.asc
for dist in "dists/$2" "pgdg/dists/$3-pgdg"; do
	gpg --clear-sign --digest-algo SHA512 --output "$dist/InRelease" "$dist/Release"
	gpg --armor --detach-sign --digest-algo SHA512 --output "$dist/Release.gpg" "$dist/Release"
done
