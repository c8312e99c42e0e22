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
