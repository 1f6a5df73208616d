-- What a server says of roles ($1), databases ($2) and roles that are to go ($3): one JSON object.
SELECT json_build_object(
	'roles', (SELECT coalesce(json_object_agg(r.rolname, json_build_object(
		'login', r.rolcanlogin,
		'replication', r.rolreplication,
		'connection_limit', r.rolconnlimit,
		'valid_until', CASE
			WHEN r.rolvaliduntil IS NULL OR r.rolvaliduntil = 'infinity' THEN ''
			WHEN NOT isfinite(r.rolvaliduntil) THEN '-infinity'
			ELSE to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
		'settings', (SELECT coalesce(json_agg(s), '[]')
			FROM pg_db_role_setting c, unnest(c.setconfig) AS s
			WHERE c.setrole = r.oid AND c.setdatabase = 0),
		'sessions', (SELECT count(*) FROM pg_stat_activity a WHERE a.usesysid = r.oid))), '{}')
		FROM pg_roles r WHERE r.rolname = ANY ($1)),
	'member_of', (SELECT coalesce(json_object_agg(m.rolname, m.groups), '{}') FROM (
		SELECT r.rolname, json_agg(DISTINCT g.rolname) AS groups
		FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
		GROUP BY r.rolname) AS m),
	'databases', (SELECT coalesce(json_object_agg(d.datname, json_build_object(
		'owner', pg_get_userbyid(d.datdba),
		'encoding', pg_encoding_to_char(d.encoding),
		'locale', d.datcollate,
		'connection_limit', d.datconnlimit,
		'template', d.datistemplate,
		'closed', NOT d.datallowconn,
		'size', pg_database_size(d.oid),
		'users', (SELECT coalesce(json_agg(who), '[]') FROM (
			SELECT format('%s from %s', coalesce(usename, backend_type),
				coalesce(host(client_addr), 'the socket')) AS who
			FROM pg_stat_activity a WHERE a.datid = d.oid AND a.pid <> pg_backend_pid()
			UNION ALL SELECT 'the replication slot ' || slot_name FROM pg_replication_slots s
			WHERE s.database = d.datname
			UNION ALL SELECT 'the subscription ' || subname FROM pg_subscription s
			WHERE s.subdbid = d.oid ORDER BY 1 LIMIT 20) AS a))), '{}')
		FROM pg_database d WHERE d.datname = ANY ($2)),
	'uses', (SELECT coalesce(json_agg(json_build_object('role', r.rolname,
			'database', coalesce(d.datname, ''),
			'what', CASE u.deptype WHEN 'o' THEN 'owns ' ELSE 'has rights on ' END || CASE
				WHEN u.dbid = 0 THEN pg_describe_object(u.classid, u.objid, u.objsubid)
				ELSE 'objects in database ' || d.datname END)), '[]')
		FROM (SELECT DISTINCT dbid, refobjid, deptype,
				CASE dbid WHEN 0 THEN classid ELSE 0 END AS classid,
				CASE dbid WHEN 0 THEN objid ELSE 0 END AS objid,
				CASE dbid WHEN 0 THEN objsubid ELSE 0 END AS objsubid
			FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass) AS u
		JOIN pg_roles r ON r.oid = u.refobjid LEFT JOIN pg_database d ON d.oid = u.dbid
		WHERE r.rolname = ANY ($3))
)
