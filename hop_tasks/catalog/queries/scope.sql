-- Every object of the database that a release is answerable for: kind, identity, definition.
--
-- To be read with the settings of introspection.py, which decide how PostgreSQL spells names and constants. In order:
-- what is looked at; one SELECT a kind of object, each with the address (class, object, part) that pg_depend and
-- pg_description know the object by; then comments, which are found by that address.
--
-- concat_ws(E'\n', ...) leaves out what is NULL, so a definition has lines only for what was said about the object.
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
