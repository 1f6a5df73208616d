package checkup

// questionSQL asks for everything at once. $1 stands for the seconds after which a transaction is
// long.
const questionSQL = `SELECT json_build_object(
'recovery', pg_is_in_recovery(),
'system_id', (SELECT system_identifier::text FROM pg_control_system()),
'timeline', coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint())),
'version', current_setting('server_version'),
'max_connections', current_setting('max_connections')::int,
'reserved', current_setting('superuser_reserved_connections')::int,
'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
'synchronous', current_setting('synchronous_standby_names'),
'sync_waiting', (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'),
'checksums', current_setting('data_checksums') = 'on',
'log_hints', current_setting('wal_log_hints') = 'on',
'receiver_state', coalesce((SELECT status FROM pg_stat_wal_receiver), ''),
'pending', (SELECT coalesce(json_agg(name), '[]') FROM pg_settings WHERE pending_restart),
'altered', (SELECT coalesce(json_agg(name), '[]') FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'),
'refused', (%REFUSED%),
'lacking', (SELECT coalesce(json_agg(what), '[]') FROM (%LACKING%) AS lacking (what)),
'hba_errors', (SELECT coalesce(json_agg(format('line %s: %s', line_number, error)), '[]') FROM pg_hba_file_rules WHERE error IS NOT NULL),
'hba_rules', (SELECT coalesce(json_agg(json_build_object('line', line_number, 'type', type, 'databases', array_to_string(database, ','), 'users', array_to_string(user_name, ','),
  'address', coalesce(address, ''), 'mask', coalesce(netmask, ''), 'method', coalesce(auth_method, '')) ORDER BY line_number), '[]') FROM pg_hba_file_rules WHERE error IS NULL),
'archive_failed', (SELECT coalesce(max(last_failed_wal), '') FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off' AND last_failed_time > coalesce(last_archived_time, '-infinity')),
'archive_failures', (SELECT failed_count FROM pg_stat_archiver),
'archive_waits', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND current_setting('archive_mode') <> 'off'),
'archive_oldest', (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(modification)), 0) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND current_setting('archive_mode') <> 'off'),
'lsn', CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn,
'wal_bytes', (SELECT sum(size) FROM pg_ls_waldir()),
'replication', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'state', state, 'sync', sync_state,
  'lag', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)::bigint)), '[]') FROM pg_stat_replication),
'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'type', slot_type, 'active', active, 'status', coalesce(wal_status, ''),
  'database', coalesce(database, ''), 'plugin', coalesce(plugin, ''), 'failover', coalesce(to_jsonb(s) ->> 'failover' = 'true', false), 'synced', coalesce(to_jsonb(s) ->> 'synced' = 'true', false),
  'kept', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint)), '[]') FROM pg_replication_slots s WHERE NOT temporary),
'long', (SELECT coalesce(json_agg(json_build_object('pid', pid, 'user', coalesce(usename, ''), 'application', coalesce(application_name, ''), 'state', coalesce(state, ''),
  'seconds', extract(epoch FROM clock_timestamp() - xact_start)) ORDER BY xact_start), '[]') FROM pg_stat_activity
  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start < clock_timestamp() - make_interval(secs => %SECONDS%)),
'prepared', (SELECT coalesce(json_agg(gid), '[]') FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - make_interval(secs => %SECONDS%)),
'leftovers', (SELECT coalesce(json_agg(relname), '[]') FROM pg_class WHERE relkind = 'r' AND relname LIKE 'pgha\_verify\_%')
)`
