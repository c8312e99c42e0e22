-- Schemas. Every database is born with `public`, and no dump says that it was dropped.
SELECT 'pg_namespace'::regclass::oid, oid, 0, 'schema', format('%I', name), ''
FROM user_schema

UNION ALL

-- Extensions. Every database is born with `plpgsql`.
SELECT 'pg_extension'::regclass, e.oid, 0, 'extension', format('%I', e.extname), format('schema %I', n.nspname)
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'

UNION ALL

-- Tables, foreign tables, views, materialized views, composite types; their columns follow on their own.
SELECT r.class, r.object, 0,
       CASE r.relkind
           WHEN 'f' THEN 'foreign table'
           WHEN 'v' THEN 'view'
           WHEN 'm' THEN 'materialized view'
           WHEN 'c' THEN 'type'
           ELSE 'table'
       END,
       r.name,
       concat_ws(
           E'\n',
           CASE r.relkind WHEN 'c' THEN 'composite' END,
           CASE r.relpersistence WHEN 'u' THEN 'unlogged' END,
           'of type ' || format_type(nullif(r.reloftype, 0), NULL),
           'access method ' || (SELECT nullif(amname, 'heap') FROM pg_am WHERE oid = r.relam),
           CASE r.relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(r.oid) END,
           (SELECT CASE WHEN r.relispartition THEN 'partition of ' ELSE 'inherits ' END
                   || string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
            FROM pg_inherits WHERE inhrelid = r.oid),
           pg_get_expr(r.relpartbound, r.oid),
           CASE WHEN r.relrowsecurity THEN 'row level security' END,
           CASE WHEN r.relforcerowsecurity THEN 'row level security forced on the owner' END,
           CASE WHEN r.relkind IN ('r', 'p', 'm') THEN
               CASE r.relreplident
                   WHEN 'n' THEN 'replica identity nothing'
                   WHEN 'f' THEN 'replica identity full'
                   WHEN 'i' THEN 'replica identity index '
                       || (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = r.oid AND indisreplident)
               END
           END,
           'options ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(r.reloptions) AS o),
           'toast options ' || (
               SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
               FROM pg_class AS toast, unnest(toast.reloptions) AS o
               WHERE toast.oid = r.reltoastrelid
           ),
           (SELECT format('server %I', srvname) FROM pg_foreign_server WHERE oid = f.ftserver),
           'server options ' || (
               SELECT string_agg(o, ', ' ORDER BY o COLLATE "C")
               FROM unnest(f.ftoptions) AS o
               WHERE split_part(o, '=', 1) !~* 'pass|secret|token|credential|private|api_?key|access_?key'
           ),
           CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END
       )
FROM relation AS r
LEFT JOIN pg_foreign_table AS f ON f.ftrelid = r.oid
WHERE r.relkind <> 'S'

UNION ALL

-- Columns, and the attributes of composite types. A position counts the columns that are left, and, where there are
-- parents to inherit from, only the table's own: a dump writes those after all others, whenever they were added.
SELECT 'pg_class'::regclass, a.attrelid, a.attnum, 'column', format('%s.%I', a.name, a.attname),
       concat_ws(
           E'\n',
           format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.positioned THEN
               'position ' || row_number() OVER (PARTITION BY a.attrelid, a.positioned ORDER BY a.attnum)
           ELSE
               CASE WHEN a.attislocal THEN 'declared and inherited' ELSE 'inherited' END
           END,
           'collation ' || CASE WHEN a.attcollation <> t.typcollation THEN nullif(a.attcollation, 0)::regcollation END,
           CASE WHEN a.attnotnull THEN
               (SELECT concat_ws(
                    ', ',
                    'not null',
                    CASE WHEN NOT bool_and(convalidated) THEN 'not valid' END,
                    CASE WHEN bool_or(connoinherit) THEN 'not inherited' END
                )
                FROM pg_constraint
                WHERE conrelid = a.attrelid AND contype = 'n' AND conkey[1] = a.attnum)
           END,
           CASE a.attgenerated
               WHEN '' THEN 'default '
               WHEN 's' THEN 'generated, stored '
               WHEN 'v' THEN 'generated, virtual '
           END || pg_get_expr(d.adbin, d.adrelid),
           -- From PostgreSQL 17 on partitions repeat the identity of their parent, without a sequence of their own.
           CASE WHEN i.oid IS NOT NULL THEN
               CASE a.attidentity WHEN 'a' THEN 'identity, always' ELSE 'identity, by default' END
               || ', by sequence ' || i.oid::regclass || E'\n' || c.counting
           END,
           'storage ' || CASE WHEN a.attstorage <> t.typstorage THEN
               CASE a.attstorage
                   WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' WHEN 'm' THEN 'main'
               END
           END,
           'compression ' || CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
           'statistics ' || nullif(a.attstattarget, -1),
           'options ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(a.attoptions) AS o),
           'server options ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(a.attfdwoptions) AS o)
       )
FROM (SELECT ''::"char" AS attcompression) AS older
CROSS JOIN LATERAL (
    SELECT r.name, r.relispartition OR x.attinhcount = 0 AS positioned,
           x.attrelid, x.attnum, x.attname, x.atttypid, x.atttypmod, x.attcollation, x.attnotnull, x.attgenerated,
           x.attidentity, x.attislocal, x.attstorage, x.attstattarget, x.attoptions, x.attfdwoptions, attcompression
    FROM relation AS r
    JOIN pg_attribute AS x ON x.attrelid = r.oid
    WHERE r.relkind <> 'S' AND x.attnum > 0 AND NOT x.attisdropped
) AS a
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN sequence_owner AS i ON i.relation = a.attrelid AND i.part = a.attnum AND i.deptype = 'i'
LEFT JOIN sequence_count AS c ON c.oid = i.oid

UNION ALL

-- Sequences, but those of identity columns.
SELECT r.class, r.object, 0, 'sequence', r.name,
       concat_ws(
           E'\n',
           CASE r.relpersistence WHEN 'u' THEN 'unlogged' END,
           c.counting,
           (SELECT format('owned by %s.%I', o.relation::regclass, a.attname)
            FROM pg_attribute AS a WHERE a.attrelid = o.relation AND a.attnum = o.part)
       )
FROM relation AS r
JOIN sequence_count AS c ON c.oid = r.oid
LEFT JOIN sequence_owner AS o ON o.oid = r.oid
WHERE o.deptype IS DISTINCT FROM 'i'

UNION ALL

-- Constraints of tables. Those that are not null are told with the columns, constraint triggers with the triggers,
-- and foreign keys that a partition has from its parent, or by its parent being referred to, with the parent's.
SELECT 'pg_constraint'::regclass, c.oid, 0, 'constraint', format('%s.%I', r.name, c.conname),
       concat_ws(
           E'\n',
           pg_get_constraintdef(c.oid),
           CASE WHEN c.contype = 'c' AND c.coninhcount > 0 AND NOT r.relispartition THEN
               CASE WHEN c.conislocal THEN 'declared and inherited' ELSE 'inherited' END
           END,
           'options ' || (SELECT string_agg(o, ', ' ORDER BY o COLLATE "C") FROM unnest(x.reloptions) AS o),
           'attached to ' || (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = i.indexrelid),
           CASE WHEN i.indisclustered THEN 'clustered' END,
           CASE WHEN NOT i.indisvalid THEN 'invalid' END
       )
FROM relation AS r
JOIN pg_constraint AS c ON c.conrelid = r.oid
LEFT JOIN pg_index AS i ON i.indexrelid = c.conindid AND c.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class AS x ON x.oid = i.indexrelid
WHERE c.contype IN ('c', 'f', 'p', 'u', 'x')
  AND NOT (c.contype = 'f' AND c.conparentid <> 0)

UNION ALL

-- Indexes, but those of constraints.
SELECT 'pg_class'::regclass, i.indexrelid, 0, 'index', format('%I.%I', r.schema_name, x.relname),
       concat_ws(
           E'\n',
           pg_get_indexdef(i.indexrelid),
           'attached to ' || (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = i.indexrelid),
           'statistics ' || (
               SELECT string_agg(format('column %s: %s', attnum, attstattarget), ', ' ORDER BY attnum)
               FROM pg_attribute
               WHERE attrelid = i.indexrelid AND attstattarget >= 0 AND i.indexprs IS NOT NULL
           ),
           CASE WHEN i.indisclustered THEN 'clustered' END,
           CASE WHEN NOT i.indisvalid THEN 'invalid' END
       )
FROM relation AS r
JOIN pg_index AS i ON i.indrelid = r.oid
JOIN pg_class AS x ON x.oid = i.indexrelid
WHERE NOT EXISTS (
    SELECT FROM pg_constraint AS c
    WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x')
)

UNION ALL

-- Rules, but those that make a view a view.
SELECT 'pg_rewrite'::regclass, w.oid, 0, 'rule', format('%s.%I', r.name, w.rulename),
       concat_ws(E'\n', pg_get_ruledef(w.oid), CASE w.ev_enabled
           WHEN 'D' THEN 'disabled' WHEN 'A' THEN 'enabled always' WHEN 'R' THEN 'enabled on a replica'
       END)
FROM relation AS r
JOIN pg_rewrite AS w ON w.ev_class = r.oid
WHERE w.rulename <> '_RETURN'

UNION ALL

-- Triggers. Those that a partition has from its parent count only where they are switched on or off differently.
SELECT 'pg_trigger'::regclass, t.oid, 0, 'trigger', format('%s.%I', r.name, t.tgname),
       concat_ws(E'\n', pg_get_triggerdef(t.oid), CASE t.tgenabled
           WHEN 'D' THEN 'disabled' WHEN 'A' THEN 'enabled always' WHEN 'R' THEN 'enabled on a replica'
       END)
FROM relation AS r
JOIN pg_trigger AS t ON t.tgrelid = r.oid
LEFT JOIN pg_trigger AS parent ON parent.oid = t.tgparentid
LEFT JOIN pg_constraint AS c ON c.oid = t.tgconstraint
WHERE (parent.oid IS NULL AND NOT t.tgisinternal OR parent.tgenabled <> t.tgenabled)
  -- The triggers behind a foreign key or a deferrable unique constraint are named by their OIDs.
  AND (c.oid IS NULL OR c.contype = 't')

UNION ALL

-- Policies
SELECT 'pg_policy'::regclass, p.oid, 0, 'policy', format('%s.%I', r.name, p.polname),
       concat_ws(
           E'\n',
           CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
           'for ' || CASE p.polcmd
               WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete' ELSE 'all'
           END,
           'to ' || (
               SELECT string_agg(coalesce(quote_ident(a.rolname), 'public'), ', ' ORDER BY a.rolname)
               FROM unnest(p.polroles) AS role (oid)
               LEFT JOIN pg_roles AS a ON a.oid = role.oid
           ),
           'using ' || pg_get_expr(p.polqual, p.polrelid),
           'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
       )
FROM relation AS r
JOIN pg_policy AS p ON p.polrelid = r.oid

UNION ALL

-- Extended statistics
SELECT 'pg_statistic_ext'::regclass, x.oid, 0, 'statistics', format('%I.%I', s.name, x.stxname),
       concat_ws(E'\n', pg_get_statisticsobjdef(x.oid), 'target ' || nullif(x.stxstattarget, -1))
FROM user_schema AS s
JOIN pg_statistic_ext AS x ON x.stxnamespace = s.oid
