# install VERSION ARCHIVE SHA256 [URL]: puts etcd's programs into /usr/local/bin. ARCHIVE is downloaded from URL, or lies there
# already. Nothing of it is unpacked before its checksum is right; with an empty SHA256 that is the one in the file
# SHA256SUMS beside URL. Programs are replaced by renaming, so a running etcd is not disturbed.
set -eu
version=$1 archive=$2 sum=$3 url=${4:-}
bin=/usr/local/bin
mkdir -p "${archive%/*}"
tmp=$(mktemp -d "${archive%/*}/etcd.XXXXXX")
trap 'rm -rf "$tmp" "$archive"' EXIT
fetch() { curl -fsSL --retry 3 --connect-timeout 20 --max-time 600 "$@"; }
if [ -n "$url" ]; then
	if [ -z "$sum" ]; then
		fetch -o "$tmp/sums" "${url%/*}/SHA256SUMS"
		sum=$(awk -v f="${url##*/}" '$2 == f { print $1 }' "$tmp/sums")
		[ -n "$sum" ] || { echo "${url%/*}/SHA256SUMS does not mention ${url##*/}" >&2; exit 65; }
	fi
	fetch -o "$archive" "$url"
fi
echo "$sum  $archive" | sha256sum -c --status || { echo "the SHA256 of ${url:-$archive} is not $sum" >&2; exit 65; }
tar -xzf "$archive" -C "$tmp" --no-same-owner --strip-components=1
for p in etcd etcdctl etcdutl; do
	[ ! -f "$tmp/$p" ] || install -m 0755 -o root -g root "$tmp/$p" "$bin/.$p.new"
done
# The file system of the archive may forbid to run programs, so this is asked here.
"$bin/.etcd.new" --version | grep -qx "etcd Version: $version" || {
	rm -f "$bin/.etcd.new" "$bin/.etcdctl.new" "$bin/.etcdutl.new"
	echo "${url:-$archive} holds no etcd $version that runs on this host" >&2
	exit 65
}
for p in etcdctl etcdutl etcd; do
	[ ! -f "$bin/.$p.new" ] || mv -f "$bin/.$p.new" "$bin/$p"
done
