SELECT coalesce((SELECT rolpassword FROM pg_authid WHERE rolname = $1), ''),
       (SELECT count(*) FROM pg_authid WHERE rolname = $1) > 0,
       coalesce((SELECT rolcanlogin AND NOT rolinherit AND NOT rolsuper AND NOT rolcreaterole AND NOT rolcreatedb
                        AND NOT rolreplication AND NOT rolbypassrls AND rolconnlimit = $2 AND coalesce(rolvaliduntil, 'infinity') = 'infinity'
                        AND NOT EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = a.oid)
                   FROM pg_authid a WHERE rolname = $1), false),
       coalesce((SELECT n.nspacl::text = format('{%1$I=UC/%1$I,%2$I=U/%1$I}', $3::text, $1::text)
                        AND p.prosecdef AND p.prosrc = $4 AND p.proconfig::text = '{search_path=pg_catalog}'
                        AND p.proacl::text = format('{%1$I=X/%1$I,%2$I=X/%1$I}', $3::text, $1::text)
                        AND o.rolname = $3
                   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_authid o ON o.oid = p.proowner
                  WHERE n.nspname = 'pgha_pooler' AND p.proname = 'lookup' AND p.pronargs = 1), false)
