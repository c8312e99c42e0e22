-- The foreign keys from some tables and their partitions to others: the name of the table, of the key and of the other
-- table, and the query for whether a row makes use of it. A key that nobody checks is not one.

WITH inside (oid) AS (
    SELECT given.oid
    FROM unnest(CAST(:oids AS oid[])) AS given (oid)
    UNION
    SELECT p.relid::oid
    FROM unnest(CAST(:oids AS oid[])) AS given (oid)
    CROSS JOIN LATERAL pg_partition_tree(given.oid) AS p
)

SELECT format('%I.%I', n.nspname, c.relname),
       f.conname,
       format('%I.%I', rn.nspname, r.relname),
       format(
           'SELECT EXISTS (SELECT FROM %s%I.%I WHERE %s)',
           CASE c.relkind WHEN 'r' THEN 'ONLY ' END,
           n.nspname,
           c.relname,
           (
               SELECT string_agg(format('%I IS NOT NULL', a.attname), ' AND ')
               FROM pg_attribute AS a
               WHERE a.attrelid = f.conrelid
                 AND a.attnum = ANY (f.conkey)
           )
       )
FROM pg_constraint AS f
JOIN pg_class AS c ON c.oid = f.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS r ON r.oid = f.confrelid
JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE f.contype = 'f'
  AND f.convalidated
  AND f.conrelid IN (SELECT oid FROM inside)
  AND f.confrelid NOT IN (SELECT oid FROM inside)
ORDER BY f.conparentid <> 0, n.nspname, c.relname, f.conname
