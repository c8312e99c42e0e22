-- The sequences that number the rows of a table: the name of each as a literal, and the query for the last number that
-- it gave. A number that the sequence cannot have given does not count.

SELECT format('%L', format('%I.%I', sn.nspname, s.relname)),
       format(
           'SELECT %s(%I) FROM %s%I.%I WHERE %I BETWEEN %s AND %s',
           CASE WHEN q.seqincrement > 0 THEN 'max' ELSE 'min' END,
           a.attname,
           CASE c.relkind WHEN 'r' THEN 'ONLY ' END,
           n.nspname,
           c.relname,
           a.attname,
           q.seqmin,
           q.seqmax
       )
FROM pg_depend AS d
JOIN pg_sequence AS q ON q.seqrelid = d.objid
JOIN pg_class AS s ON s.oid = q.seqrelid
JOIN pg_namespace AS sn ON sn.oid = s.relnamespace
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE d.classid = 'pg_class'::regclass
  AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = :oid
  AND d.deptype IN ('a', 'i')
  AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
ORDER BY a.attnum, sn.nspname, s.relname
