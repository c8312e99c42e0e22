-- What goes by a name: its kind, whether an extension answers for it, and the tables that it is a partition of.

SELECT c.oid,
       c.relkind::text,
       EXISTS (
           SELECT FROM pg_depend AS d
           WHERE d.classid = 'pg_class'::regclass
             AND d.objid = c.oid
             AND d.deptype = 'e'
       ),
       ARRAY(SELECT a.relid::oid FROM pg_partition_ancestors(c.oid) AS a WHERE a.relid <> c.oid)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = :schema
  AND c.relname = :name
