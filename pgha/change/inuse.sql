SELECT 'slot ' || CASE WHEN slot_type <> 'logical' THEN 'physical ' WHEN to_jsonb(s) ->> 'synced' = 'true' THEN 'synced ' ELSE 'logical ' END || slot_name
FROM pg_catalog.pg_replication_slots s WHERE NOT temporary
UNION ALL SELECT 'slot-of ' || json_build_object('name', slot_name, 'database', coalesce(database, ''), 'plugin', coalesce(plugin, ''), 'active', active, 'failover', to_jsonb(s) ->> 'failover' = 'true')
FROM pg_catalog.pg_replication_slots s WHERE NOT temporary
UNION ALL SELECT 'database ' || datname FROM pg_catalog.pg_database WHERE datallowconn
UNION ALL SELECT 'prepared ' || count(*) FROM pg_catalog.pg_prepared_xacts
UNION ALL SELECT 'senders ' || count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walsender'
UNION ALL SELECT 'sessions ' || count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();
