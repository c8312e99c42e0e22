-- Every object of the database that a release is answerable for: kind, identity, definition.
--
-- To be read with the settings of introspection.py, which decide how PostgreSQL spells names and constants. In order:
-- what is looked at; one SELECT a kind of object, each with the address (class, object, part) that pg_depend and
-- pg_description know the object by; then comments, which are found by that address.
--
-- concat_ws(E'\n', …) leaves out what is NULL, so a definition has lines only for what was said about the object.
--
-- Columns that older servers lack are read in a subquery that stands beside `older`, a row with their defaults: a name
-- without a qualifier is looked for in the subquery's own tables first and in `older` only where they do not have it.

WITH

user_schema (oid, name) AS MATERIALIZED (
    SELECT oid, nspname
    FROM pg_namespace
    WHERE left(nspname, 3) <> 'pg_'
      AND nspname NOT IN ('information_schema', 'half_orm_meta', 'half_orm_meta.view')
),

extension_member (class, object) AS MATERIALIZED (
    SELECT classid, objid
    FROM pg_depend
    WHERE deptype = 'e'
),

-- Tables, views, sequences, composite types. pg_depend knows a composite type by its row in pg_type.
relation AS MATERIALIZED (
    SELECT r.*, s.name AS schema_name, format('%I.%I', s.name, r.relname) AS name
    FROM (
        SELECT oid, relname, relnamespace, reltype, reloftype, relam, reltoastrelid, relkind, relpersistence,
               relrowsecurity, relforcerowsecurity, relispartition, relpartbound, relreplident, reloptions,
               CASE relkind WHEN 'c' THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END::oid AS class,
               CASE relkind WHEN 'c' THEN reltype ELSE oid END AS object
        FROM pg_class
        WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c')
          AND relpersistence <> 't'
    ) AS r
    JOIN user_schema AS s ON s.oid = r.relnamespace
    WHERE (r.class, r.object) NOT IN (SELECT class, object FROM extension_member)
),

-- How each sequence counts; and the column that owns it ('a') or whose identity it is ('i').
sequence_count (oid, counting) AS MATERIALIZED (
    SELECT seqrelid,
           concat_ws(
               E'\n',
               format_type(seqtypid, NULL),
               'start ' || seqstart,
               'increment ' || seqincrement,
               'from ' || seqmin || ' to ' || seqmax,
               'cache ' || seqcache,
               CASE WHEN seqcycle THEN 'cycle' END
           )
    FROM pg_sequence
),

sequence_owner (oid, relation, part, deptype) AS MATERIALIZED (
    SELECT d.objid, d.refobjid, d.refobjsubid, d.deptype
    FROM pg_depend AS d
    JOIN pg_sequence AS q ON q.seqrelid = d.objid
    WHERE d.classid = 'pg_class'::regclass
      AND d.refclassid = 'pg_class'::regclass
      AND d.refobjsubid > 0
      AND d.deptype IN ('a', 'i')
),

found (class, object, part, kind, identity, definition) AS (

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

UNION ALL

-- Enums, domains, ranges, base types and shells. Arrays, multiranges and row types come with what they are made of.
SELECT 'pg_type'::regclass, t.oid, 0, CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END,
       format('%I.%I', s.name, t.typname),
       CASE t.typtype
           WHEN 'e' THEN 'enum ' || (
               SELECT coalesce(string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder), '')
               FROM pg_enum WHERE enumtypid = t.oid
           )
           WHEN 'd' THEN concat_ws(
               E'\n',
               format_type(t.typbasetype, t.typtypmod),
               'collation ' || (
                   SELECT nullif(t.typcollation, typcollation)::regcollation FROM pg_type WHERE oid = t.typbasetype
               ),
               CASE WHEN t.typnotnull THEN 'not null' END,
               -- typdefault is how the one who created the domain would have spelt it.
               'default ' || pg_get_expr(t.typdefaultbin, 0),
               (SELECT string_agg(
                    concat_ws(
                        ' ',
                        format('constraint %I %s', conname, pg_get_constraintdef(oid)),
                        'comment ' || quote_literal(obj_description(oid, 'pg_constraint'))
                    ),
                    E'\n' ORDER BY conname
                )
                FROM pg_constraint WHERE contypid = t.oid AND contype = 'c')
           )
           WHEN 'r' THEN concat_ws(
               E'\n',
               'range of ' || format_type(r.rngsubtype, NULL),
               (SELECT format('operator class %I.%I', n.nspname, opcname)
                FROM pg_opclass JOIN pg_namespace AS n ON n.oid = opcnamespace
                WHERE pg_opclass.oid = r.rngsubopc),
               'collation ' || (
                   SELECT CASE WHEN r.rngcollation <> typcollation THEN nullif(r.rngcollation, 0)::regcollation END
                   FROM pg_type WHERE oid = r.rngsubtype
               ),
               'canonical ' || nullif(r.rngcanonical::oid, 0)::regprocedure,
               'difference ' || nullif(r.rngsubdiff::oid, 0)::regprocedure,
               -- The name that PostgreSQL gives by itself is not worth a line, which servers before 14 would lack.
               'multirange ' || (
                   SELECT nullif(typname, CASE
                       WHEN strpos(t.typname, 'range') > 0 THEN regexp_replace(t.typname, 'range', 'multirange')
                       ELSE t.typname || '_multirange'
                   END)
                   FROM pg_type WHERE oid = r.rngmultitypid
               )
           )
           WHEN 'b' THEN concat_ws(
               E'\n',
               'base type, length ' || t.typlen,
               CASE WHEN t.typbyval THEN 'passed by value' END,
               format('alignment %s', t.typalign),
               format('storage %s', t.typstorage),
               format('category %s', t.typcategory),
               CASE WHEN t.typispreferred THEN 'preferred' END,
               'default ' || quote_literal(t.typdefault),
               format('delimiter %L', t.typdelim),
               'element ' || format_type(nullif(t.typelem, 0), NULL),
               CASE WHEN t.typcollation <> 0 THEN 'collatable' END,
               'input ' || t.typinput::oid::regprocedure,
               'output ' || t.typoutput::oid::regprocedure,
               'receive ' || nullif(t.typreceive::oid, 0)::regprocedure,
               'send ' || nullif(t.typsend::oid, 0)::regprocedure,
               'modifiers in ' || nullif(t.typmodin::oid, 0)::regprocedure,
               'modifiers out ' || nullif(t.typmodout::oid, 0)::regprocedure,
               'analyze ' || nullif(t.typanalyze::oid, 0)::regprocedure,
               'subscript ' || nullif(t.typsubscript::oid, 0)::regprocedure
           )
           ELSE 'shell'
       END
FROM user_schema AS s
CROSS JOIN (SELECT 0::regproc AS typsubscript, 0::oid AS rngmultitypid) AS older
CROSS JOIN LATERAL (
    SELECT oid, typname, typtype, typlen, typbyval, typalign, typstorage, typcategory, typispreferred, typdefault,
           typdefaultbin, typdelim, typelem, typcollation, typnotnull, typbasetype, typtypmod, typinput, typoutput,
           typreceive, typsend, typmodin, typmodout, typanalyze, typsubscript
    FROM pg_type
    WHERE typnamespace = s.oid AND (typtype IN ('b', 'd', 'e', 'r') OR typtype = 'p' AND NOT typisdefined)
) AS t
LEFT JOIN LATERAL (
    SELECT rngsubtype, rngsubopc, rngcollation, rngcanonical, rngsubdiff, rngmultitypid
    FROM pg_range
    WHERE rngtypid = t.oid
) AS r ON true
WHERE NOT EXISTS (SELECT FROM pg_type AS element WHERE element.oid = t.typelem AND element.typarray = t.oid)

UNION ALL

-- Functions and procedures, but those that come with a range type.
SELECT 'pg_proc'::regclass, p.oid, 0,
       CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
       format('%I.%I(%s)', s.name, p.proname, oidvectortypes(p.proargtypes)),
       pg_get_functiondef(p.oid)
FROM user_schema AS s
JOIN pg_proc AS p ON p.pronamespace = s.oid
WHERE p.prokind <> 'a'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'i')

UNION ALL

-- Aggregates
SELECT 'pg_proc'::regclass, p.oid, 0, 'aggregate',
       format('%I.%I(%s)', s.name, p.proname, oidvectortypes(p.proargtypes)),
       concat_ws(
           E'\n',
           pg_get_function_arguments(p.oid),
           format('parallel %s', p.proparallel),
           'state ' || format_type(a.aggtranstype, NULL),
           'moving state ' || format_type(nullif(a.aggmtranstype, 0), NULL),
           'sort operator ' || nullif(a.aggsortop, 0)::regoperator,
           -- The rest are names of functions, numbers and letters.
           to_jsonb(a) - ARRAY['aggfnoid', 'aggtranstype', 'aggmtranstype', 'aggsortop']
       )
FROM user_schema AS s
JOIN pg_proc AS p ON p.pronamespace = s.oid
JOIN pg_aggregate AS a ON a.aggfnoid = p.oid

UNION ALL

-- Operators, but those that exist only because another one names them as its commutator or negator.
SELECT 'pg_operator'::regclass, o.oid, 0, 'operator',
       format(
           '%I.%s(%s, %s)', s.name, o.oprname,
           coalesce(format_type(nullif(o.oprleft, 0), NULL), 'NONE'),
           coalesce(format_type(nullif(o.oprright, 0), NULL), 'NONE')
       ),
       concat_ws(
           E'\n',
           'function ' || o.oprcode::oid::regprocedure,
           'commutator ' || nullif(o.oprcom, 0)::regoperator,
           'negator ' || nullif(o.oprnegate, 0)::regoperator,
           'restrict ' || nullif(o.oprrest::oid, 0)::regprocedure,
           'join ' || nullif(o.oprjoin::oid, 0)::regprocedure,
           CASE WHEN o.oprcanhash THEN 'hashes' END,
           CASE WHEN o.oprcanmerge THEN 'merges' END
       )
FROM user_schema AS s
JOIN pg_operator AS o ON o.oprnamespace = s.oid
WHERE o.oprcode <> 0

UNION ALL

-- Operator classes and operator families, each with the operators and functions that pg_depend gives to it.
SELECT g.class, g.object, 0, g.kind, format('%I.%I using %I', s.name, g.name, m.amname),
       concat_ws(
           E'\n',
           g.definition,
           (SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C")
            FROM (
                SELECT format('operator %s %s for ', o.amopstrategy, o.amopopr::regoperator)
                       || CASE o.amoppurpose
                           WHEN 's' THEN 'search'
                           ELSE (SELECT format('order by %I.%I', n.nspname, f.opfname)
                                 FROM pg_opfamily AS f JOIN pg_namespace AS n ON n.oid = f.opfnamespace
                                 WHERE f.oid = o.amopsortfamily)
                       END
                FROM pg_depend AS d
                JOIN pg_amop AS o ON d.classid = 'pg_amop'::regclass AND o.oid = d.objid
                WHERE d.refclassid = g.class AND d.refobjid = g.object
                UNION
                SELECT format(
                    'function %s (%s, %s) %s', p.amprocnum, format_type(p.amproclefttype, NULL),
                    format_type(p.amprocrighttype, NULL), p.amproc::oid::regprocedure
                )
                FROM pg_depend AS d
                JOIN pg_amproc AS p ON d.classid = 'pg_amproc'::regclass AND p.oid = d.objid
                WHERE d.refclassid = g.class AND d.refobjid = g.object
            ) AS part (line))
       )
FROM user_schema AS s
JOIN (
    SELECT 'pg_opclass'::regclass::oid, c.oid, 'operator class', c.opcnamespace, c.opcmethod, c.opcname,
           concat_ws(
               E'\n',
               'for ' || format_type(c.opcintype, NULL),
               CASE WHEN c.opcdefault THEN 'default' END,
               format('family %I.%I', n.nspname, f.opfname),
               'storage ' || format_type(nullif(c.opckeytype, 0), NULL)
           )
    FROM pg_opclass AS c
    JOIN pg_opfamily AS f ON f.oid = c.opcfamily
    JOIN pg_namespace AS n ON n.oid = f.opfnamespace
    UNION ALL
    SELECT 'pg_opfamily'::regclass, oid, 'operator family', opfnamespace, opfmethod, opfname, NULL
    FROM pg_opfamily
) AS g (class, object, kind, namespace, method, name, definition) ON g.namespace = s.oid
JOIN pg_am AS m ON m.oid = g.method

UNION ALL

-- Casts of users: those that PostgreSQL brings have OIDs below 16384, those of multiranges come with the type.
SELECT 'pg_cast'::regclass, c.oid, 0, 'cast',
       format('%s as %s', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)),
       concat_ws(
           E'\n',
           CASE c.castmethod WHEN 'b' THEN 'without function' WHEN 'i' THEN 'with inout' ELSE 'with function' END,
           nullif(c.castfunc, 0)::regprocedure,
           CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'in assignments' ELSE 'explicit' END
       )
FROM pg_cast AS c
JOIN pg_type AS source ON source.oid = c.castsource
JOIN pg_type AS target ON target.oid = c.casttarget
WHERE c.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_cast'::regclass AND objid = c.oid AND deptype = 'i')
  AND NOT EXISTS (
      SELECT FROM pg_namespace
      WHERE oid IN (source.typnamespace, target.typnamespace)
        AND nspname IN ('half_orm_meta', 'half_orm_meta.view')
  )

UNION ALL

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

),

object AS MATERIALIZED (
    SELECT f.*
    FROM found AS f
    WHERE NOT EXISTS (SELECT FROM extension_member AS m WHERE m.class = f.class AND m.object = f.object)
)

SELECT kind, identity, definition
FROM object
WHERE NOT (kind = 'schema' AND identity = 'public')

UNION ALL

SELECT 'comment', format('on %s %s', o.kind, o.identity), d.description
FROM object AS o
JOIN pg_description AS d ON d.classoid = o.class AND d.objoid = o.object AND d.objsubid = o.part
WHERE NOT (o.kind = 'schema' AND o.identity = 'public' AND d.description = 'standard public schema')

UNION ALL

-- What ALTER … DEPENDS ON EXTENSION says
SELECT 'extension dependency', format('of %s %s on %I', o.kind, o.identity, e.extname), ''
FROM object AS o
JOIN pg_depend AS d ON d.classid = o.class AND d.objid = o.object AND o.part = 0 AND d.deptype = 'x'
JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
