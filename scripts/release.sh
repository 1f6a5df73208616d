#!/bin/bash
# Builds what a release is made of, into dist/release: for each platform of $PLATFORMS an archive and a Debian package of
# pgha-cli, both with completion and documents, and SHA256SUMS. The same commit gives the same bytes, wherever and whenever
# it is built by the same Go. Needs Go, tar and dpkg-deb. $OUT is another folder; it is replaced.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-dist/release}
read -ra platforms <<<"${PLATFORMS:-linux/amd64 linux/arm64}"
version=$(sed --quiet 's/^const Version = "\(.*\)"$/\1/p' pgha/doc.go)
# Files get the commit's time; a tree that is no checkout gets the changelog's.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date --utc +%s --reference CHANGELOG.md)
export SOURCE_DATE_EPOCH CGO_ENABLED=0
work=$(mktemp --directory)
trap 'rm --recursive --force "$work"' EXIT
rm --recursive --force "$out"
mkdir --parents "$out"

# build PLATFORM FILE: the program, without this machine's paths in it.
build() {
	GOOS=${1%/*} GOARCH=${1#*/} go build -trimpath -ldflags=-buildid= -buildvcs="${BUILDVCS:-auto}" -o "$2" ./cmd/pgha-cli
}

# archive PLATFORM
archive() {
	local name=pgha-cli_${version}_${1//\//_}
	mkdir --parents "$work/$name/completion"
	echo "pgha-cli $version for $1" >&2
	build "$1" "$work/$name/pgha-cli"
	cp README.md CHANGELOG.md LICENSE "$work/$name/"
	cp --recursive docs "$work/$name/docs"
	cp cmd/pgha-cli/completion.* "$work/$name/completion/"
	tar --create --directory "$work" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --sort=name \
		--mtime="@$SOURCE_DATE_EPOCH" "$name" | gzip --best --no-name >"$out/$name.tar.gz"
}

# package PLATFORM: from what the archive is made of.
package() {
	local arch=${1#*/} from=$work/pgha-cli_${version}_${1//\//_} root=$work/deb_${1#*/}
	local documents=$root/usr/share/doc/pgha-cli
	install -D --mode=755 "$from/pgha-cli" "$root/usr/bin/pgha-cli"
	install -D --mode=644 "cmd/pgha-cli/completion.bash" "$root/usr/share/bash-completion/completions/pgha-cli"
	install -D --mode=644 "cmd/pgha-cli/completion.fish" "$root/usr/share/fish/vendor_completions.d/pgha-cli.fish"
	install -D --mode=644 "cmd/pgha-cli/completion.zsh" "$root/usr/share/zsh/vendor-completions/_pgha-cli"
	install -D --mode=644 LICENSE "$documents/copyright"
	cp --recursive README.md CHANGELOG.md docs "$documents/"
	mkdir "$root/DEBIAN"
	cat >"$root/DEBIAN/control" <<-END
		Package: pgha-cli
		Version: $version
		Architecture: $arch
		Maintainer: the pgha project <pgha@localhost>
		Installed-Size: $(du --summarize --apparent-size --block-size=1024 "$root/usr" | cut --fields=1)
		Section: database
		Priority: optional
		Suggests: postgresql-client
		Description: PostgreSQL high availability on plain Linux servers
		 Turns servers that SSH reaches into a PostgreSQL cluster of Patroni, etcd,
		 HAProxy and keepalived, with TLS on every link, and operates it.
	END
	chmod --recursive u=rwX,go=rX "$root"
	dpkg-deb --root-owner-group -Zxz --build "$root" "$out/pgha-cli_${version}_$arch.deb" >/dev/null
}

for platform in "${platforms[@]}"; do
	archive "$platform"
	package "$platform"
done
(cd "$out" && sha256sum -- *.tar.gz *.deb >SHA256SUMS)
ls -l "$out"
