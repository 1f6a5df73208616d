# wal_undo DATA_DIR: puts the WAL back where it was. The member is stopped for a moment. Does nothing where it is there.
set -e
wal=$1/pg_wal new=$1.drill-wal
mountpoint -q "$wal" || exit 0
rm -f "$wal/balloon"
systemctl stop patroni
rm -rf "$new"
mkdir -m 700 "$new"
chown --reference="$wal" "$new"
cp -a "$wal/." "$new/"
umount "$wal"
rmdir "$wal"
mv "$new" "$wal"
systemctl start patroni
