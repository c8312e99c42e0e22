-- The statements that load the rows of a table and that read them, in the form that COPY has for them.
--
-- The rows are sorted by the primary key, or by all that is in them where there is none; texts by their bytes.

WITH

loadable (list) AS (
    SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum)
    FROM pg_attribute
    WHERE attrelid = :oid
      AND attnum > 0
      AND NOT attisdropped
      AND attgenerated = ''
),

key (list) AS (
    SELECT string_agg(
               format('%I', a.attname) || CASE WHEN a.attcollation <> 0 THEN ' COLLATE "C"' ELSE '' END,
               ', ' ORDER BY k.place
           )
    FROM pg_index AS i
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE i.indrelid = :oid
      AND i.indisprimary
      AND k.place <= i.indnkeyatts
)

SELECT format('COPY %I.%I%s FROM stdin;', n.nspname, c.relname, ' (' || loadable.list || ')'),
       format(
           'COPY (SELECT %s FROM %s%I.%I%s) TO STDOUT',
           loadable.list,
           CASE c.relkind WHEN 'r' THEN 'ONLY ' END,
           n.nspname,
           c.relname,
           ' ORDER BY ' || coalesce(key.list, 'ROW(' || loadable.list || ')::text COLLATE "C"')
       )
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN loadable
CROSS JOIN key
WHERE c.oid = :oid
