-- Collations. Where an ICU locale is kept depends on the version of the server.
SELECT 'pg_collation'::regclass, c.oid, 0, 'collation', format('%I.%I', s.name, c.collname),
       concat_ws(
           E'\n',
           CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' THEN 'builtin' ELSE 'default' END,
           CASE WHEN NOT c.collisdeterministic THEN 'not deterministic' END,
           'locale ' || coalesce(c.colllocale, c.colliculocale, c.collcollate),
           CASE c.collprovider WHEN 'c' THEN 'character types ' || c.collctype END,
           'rules ' || c.collicurules
       )
FROM user_schema AS s
CROSS JOIN (SELECT NULL::text AS colllocale, NULL::text AS colliculocale, NULL::text AS collicurules) AS older
CROSS JOIN LATERAL (
    SELECT oid, collname, collprovider, collisdeterministic, collcollate::text AS collcollate,
           collctype::text AS collctype, colllocale, colliculocale, collicurules
    FROM pg_collation
    WHERE collnamespace = s.oid
) AS c

UNION ALL

-- Text search dictionaries and configurations
SELECT 'pg_ts_dict'::regclass, d.oid, 0, 'text search dictionary', format('%I.%I', s.name, d.dictname),
       concat_ws(E'\n', format('template %I.%I', n.nspname, t.tmplname), d.dictinitoption)
FROM user_schema AS s
JOIN pg_ts_dict AS d ON d.dictnamespace = s.oid
JOIN pg_ts_template AS t ON t.oid = d.dicttemplate
JOIN pg_namespace AS n ON n.oid = t.tmplnamespace

UNION ALL

SELECT 'pg_ts_config'::regclass, c.oid, 0, 'text search configuration', format('%I.%I', s.name, c.cfgname),
       concat_ws(
           E'\n',
           (SELECT format('parser %I.%I', n.nspname, prsname)
            FROM pg_ts_parser AS p JOIN pg_namespace AS n ON n.oid = prsnamespace
            WHERE p.oid = c.cfgparser),
           (SELECT string_agg(
                format('%s: %s', token.alias, m.mapdict::regdictionary), E'\n' ORDER BY m.maptokentype, m.mapseqno
            )
            FROM pg_ts_config_map AS m
            JOIN ts_token_type(c.cfgparser) AS token ON token.tokid = m.maptokentype
            WHERE m.mapcfg = c.oid)
       )
FROM user_schema AS s
JOIN pg_ts_config AS c ON c.cfgnamespace = s.oid

UNION ALL

-- Event triggers
SELECT 'pg_event_trigger'::regclass, e.oid, 0, 'event trigger', format('%I', e.evtname),
       concat_ws(
           E'\n',
           'on ' || e.evtevent,
           'when tag in ' || (SELECT string_agg(tag, ', ' ORDER BY tag COLLATE "C") FROM unnest(e.evttags) AS tag),
           'execute ' || e.evtfoid::regprocedure,
           CASE e.evtenabled
               WHEN 'D' THEN 'disabled' WHEN 'A' THEN 'enabled always' WHEN 'R' THEN 'enabled on a replica'
           END
       )
FROM pg_event_trigger AS e

UNION ALL

-- Foreign data wrappers, servers, user mappings. Secrets are left out, and so is where a server stands.
SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, 0, 'foreign data wrapper', format('%I', w.fdwname),
       concat_ws(
           E'\n',
           'handler ' || nullif(w.fdwhandler, 0)::regprocedure,
           'validator ' || nullif(w.fdwvalidator, 0)::regprocedure,
           'options ' || (
               SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
               FROM unnest(w.fdwoptions) AS o
               WHERE split_part(o, '=', 1) !~* 'pass|secret|token|credential|private|api_?key|access_?key'
           )
       )
FROM pg_foreign_data_wrapper AS w

UNION ALL

SELECT 'pg_foreign_server'::regclass, v.oid, 0, 'server', format('%I', v.srvname),
       concat_ws(
           E'\n',
           format('foreign data wrapper %I', w.fdwname),
           'type ' || quote_literal(v.srvtype),
           'options ' || (
               SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
               FROM unnest(v.srvoptions) AS o
               WHERE split_part(o, '=', 1) !~* 'pass|secret|token|credential|private|api_?key|access_?key'
                 AND split_part(o, '=', 1) !~* '^(host|hostaddr|port|dbname|service|user|ssl.*|krb.*|gss.*)$'
           )
       )
FROM pg_foreign_server AS v
JOIN pg_foreign_data_wrapper AS w ON w.oid = v.srvfdw

UNION ALL

SELECT 'pg_user_mapping'::regclass, umid, 0, 'user mapping', format('for %I on server %I', usename, srvname), ''
FROM pg_user_mappings

UNION ALL

-- Publications
SELECT 'pg_publication'::regclass, p.oid, 0, 'publication', format('%I', p.pubname),
       concat_ws(
           E'\n',
           CASE WHEN p.puballtables THEN 'all tables' END,
           CASE WHEN p.pubinsert THEN 'insert' END,
           CASE WHEN p.pubupdate THEN 'update' END,
           CASE WHEN p.pubdelete THEN 'delete' END,
           CASE WHEN p.pubtruncate THEN 'truncate' END,
           CASE WHEN p.pubviaroot THEN 'partitions as their root' END,
           CASE p.pubgencols WHEN 's' THEN 'stored generated columns' END,
           (SELECT string_agg(
                concat_ws(
                    ' ',
                    'table ' || r.name,
                    (SELECT '(' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')'
                     FROM pg_attribute WHERE attrelid = r.oid AND attnum = ANY (t.prattrs)),
                    'where ' || pg_get_expr(t.prqual, r.oid)
                ),
                E'\n' ORDER BY r.name COLLATE "C"
            )
            FROM (SELECT NULL::int2vector AS prattrs, NULL::pg_node_tree AS prqual) AS older
            CROSS JOIN LATERAL (
                SELECT prrelid, prattrs, prqual FROM pg_publication_rel WHERE prpubid = p.oid
            ) AS t
            JOIN relation AS r ON r.oid = t.prrelid),
           -- pg_publication_namespace is unknown before PostgreSQL 15; pg_depend has what it says.
           (SELECT string_agg(format('tables in schema %I', s.name), E'\n' ORDER BY s.name)
            FROM pg_depend AS d
            JOIN pg_depend AS e ON e.classid = d.classid AND e.objid = d.objid
            JOIN user_schema AS s ON e.refclassid = 'pg_namespace'::regclass AND s.oid = e.refobjid
            WHERE d.classid = to_regclass('pg_publication_namespace')
              AND d.refclassid = 'pg_publication'::regclass
              AND d.refobjid = p.oid)
       )
FROM (SELECT 'n'::"char" AS pubgencols) AS older
CROSS JOIN LATERAL (
    SELECT oid, pubname, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, pubgencols
    FROM pg_publication
) AS p
