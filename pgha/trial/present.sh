# present DATA_DIR: prints the files that Patroni has written, each behind tail's heading. Nothing
# of a folder without a server.
[ -f "$1/PG_VERSION" ] || exit 0
tail -n +1 -- "$1/postgresql.conf" "$1/pg_hba.conf" "$1/pg_ident.conf"
