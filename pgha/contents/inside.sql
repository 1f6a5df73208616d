-- What a database says of itself, and of what roles that are to go ($1) have in it: one JSON object.
SELECT json_build_object(
	'schemas', (SELECT coalesce(json_object_agg(nspname, pg_get_userbyid(nspowner)), '{}')
		FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)'),
	'extensions', (SELECT coalesce(json_object_agg(extname, json_build_object(
		'schema', nspname, 'movable', extrelocatable)), '{}')
		FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace),
	'available', (SELECT coalesce(json_object_agg(e.name, coalesce(v.requires, '{}')), '{}')
		FROM pg_available_extensions e LEFT JOIN pg_available_extension_versions v
			ON v.name = e.name AND v.version = e.default_version),
	'tables', (SELECT coalesce(json_agg(format('%I.%I', nspname, relname) ORDER BY 1), '[]')
		FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE relkind IN ('r', 'p', 'm', 'f') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
			AND d.objid = c.oid AND d.deptype = 'e')),
	'uses', (SELECT coalesce(json_agg(json_build_object('role', rolname,
			'database', current_database(),
			'what', CASE deptype WHEN 'o' THEN 'owns ' ELSE 'has rights on ' END
				|| pg_describe_object(classid, objid, objsubid))), '[]')
		FROM (SELECT r.rolname, u.* FROM pg_shdepend u JOIN pg_roles r ON r.oid = u.refobjid
			WHERE u.refclassid = 'pg_authid'::regclass AND r.rolname = ANY ($1)
			AND u.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
			ORDER BY u.deptype DESC, u.objid LIMIT 50) AS u)
)
