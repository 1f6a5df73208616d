# wal DATA_DIR: puts the WAL on a file system in memory with 48 MB of room. The member is stopped for a moment.
set -e
wal=$1/pg_wal old=$1.drill-wal
[ ! -L "$wal" ]
[ ! -e "$old" ]
systemctl stop patroni
mv "$wal" "$old"
mkdir -m 700 "$wal"
used=$(du -sm "$old" | cut -f 1)
mount -t tmpfs -o "size=$((used + 48))m,mode=0700" pgha-drill "$wal"
cp -a "$old/." "$wal/"
chown --reference="$old" "$wal"
rm -rf "$old"
systemctl start patroni
