-- A column's default, and what its type is beneath domains, for the types that SQLAlchemy does not know well enough.
WITH RECURSIVE unwrapped (domain, type, modifier) AS (
    SELECT oid, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'
     UNION ALL
    SELECT u.domain, t.typbasetype, t.typtypmod
      FROM unwrapped u
      JOIN pg_type t ON t.oid = u.type AND t.typtype = 'd'
), base AS (
    SELECT u.domain, u.type, u.modifier
      FROM unwrapped u
      JOIN pg_type t ON t.oid = u.type AND t.typtype <> 'd'
)
SELECT n.nspname::text AS schema,
       c.relname::text AS relation,
       a.attname::text AS name,
       format_type(a.atttypid, a.atttypmod) AS declared,
       format_type(b.oid, coalesce(base.modifier, a.atttypmod)) AS base,
       b.typname::text AS base_name,
       EXISTS (
           SELECT FROM pg_depend d
            WHERE d.classid = 'pg_type'::regclass AND d.objid = b.oid AND d.deptype = 'e') AS base_of_extension,
       item.typname::text AS item_name,
       item_schema.nspname::text AS item_schema,
       item.typtype::text AS item_kind,
       CASE WHEN a.attgenerated = '' THEN
           coalesce(pg_get_expr(f.adbin, f.adrelid), pg_get_expr(t.typdefaultbin, 'pg_type'::regclass))
       END AS "default",
       l.collname::text AS "collation",
       coalesce(
           pg_get_expr(f.adbin, f.adrelid)
               = format('nextval(%L::regclass)', format('%I.%I', n.nspname, c.relname || '_' || a.attname || '_seq')),
           false) AS serial
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN base ON base.domain = t.oid
  JOIN pg_type b ON b.oid = coalesce(base.type, t.oid)
  LEFT JOIN pg_collation l ON l.oid = a.attcollation AND l.oid <> b.typcollation
  LEFT JOIN pg_type item ON item.typarray = b.oid
  LEFT JOIN pg_namespace item_schema ON item_schema.oid = item.typnamespace
  LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
 WHERE a.attnum > 0
   AND NOT a.attisdropped
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
   AND n.nspname = ANY (CAST(:schemas AS name[]))
