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

-- What ALTER ... DEPENDS ON EXTENSION says
SELECT 'extension dependency', format('of %s %s on %I', o.kind, o.identity, e.extname), ''
FROM object AS o
JOIN pg_depend AS d ON d.classid = o.class AND d.objid = o.object AND o.part = 0 AND d.deptype = 'x'
JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
