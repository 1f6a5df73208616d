SELECT 'slot ' || CASE WHEN slot_type <> 'logical' THEN 'physical ' WHEN to_jsonb(s) ->> 'synced' = 'true' THEN 'synced ' ELSE 'logical ' END || slot_name
FROM pg_catalog.pg_replication_slots s WHERE NOT temporary
UNION ALL SELECT 'prepared ' || count(*) FROM pg_catalog.pg_prepared_xacts
UNION ALL SELECT 'senders ' || count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walsender'
UNION ALL SELECT 'sessions ' || count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();
