-- Whether the database holds a relation, function or type that is not PostgreSQL's, an extension's or the registry's.
-- Names are qualified because the search_path is the caller's.

WITH user_schema (oid) AS (
    SELECT oid
    FROM pg_catalog.pg_namespace
    WHERE pg_catalog.left(nspname, 3) <> 'pg_'
      AND nspname NOT IN ('information_schema', 'half_orm_meta', 'half_orm_meta.view')
),

candidate (class, object) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_class
    WHERE relnamespace IN (SELECT oid FROM user_schema) AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_proc
    WHERE pronamespace IN (SELECT oid FROM user_schema)
    UNION ALL
    -- Arrays, multiranges and the row types of tables come with what they are made of.
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
    FROM pg_catalog.pg_type AS t
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    LEFT JOIN pg_catalog.pg_type AS element ON element.oid = t.typelem AND element.typarray = t.oid
    WHERE t.typnamespace IN (SELECT oid FROM user_schema)
      AND t.typtype <> 'm'
      AND element.oid IS NULL
      AND (c.oid IS NULL OR c.relkind = 'c')
)

SELECT EXISTS (
    SELECT
    FROM candidate AS c
    WHERE NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = c.class
          AND d.objid = c.object
          -- Functions and multiranges that come with a range type depend on it internally.
          AND d.deptype IN ('e', 'i')
          AND (d.deptype = 'e' OR c.class = 'pg_catalog.pg_proc'::pg_catalog.regclass)
    )
)
