-- Valid indexes that no constraint stands for. An element is a column's name, or SQL where there is more to say.
SELECT n.nspname::text AS schema,
       c.relname::text AS relation,
       ic.relname::text AS name,
       i.indisunique AS is_unique,
       am.amname::text AS method,
       pg_get_expr(i.indpred, i.indrelid) AS predicate,
       ic.reloptions AS storage,
       coalesce(CAST(to_jsonb(i) ->> 'indnullsnotdistinct' AS boolean), false) AS nulls_not_distinct,
       (SELECT array_agg(a.attname::text ORDER BY number)
          FROM generate_series(i.indnkeyatts, i.indnatts - 1) number
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[number]) AS included,
       element.columns,
       element.texts
  FROM pg_index i
  JOIN pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_am am ON am.oid = ic.relam
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT array_agg(CASE WHEN suffix = '' THEN a.attname::text END ORDER BY number) AS columns,
              array_agg(pg_get_indexdef(i.indexrelid, number + 1, true) || suffix ORDER BY number) AS texts
         FROM generate_series(0, i.indnkeyatts - 1) number
         JOIN pg_opclass o ON o.oid = i.indclass[number]
         JOIN pg_namespace os ON os.oid = o.opcnamespace
         LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[number] AND a.attnum <> 0
         LEFT JOIN pg_collation l ON l.oid = i.indcollation[number] AND l.oid <> a.attcollation
         LEFT JOIN pg_namespace ls ON ls.oid = l.collnamespace
        CROSS JOIN LATERAL (
              SELECT coalesce(' COLLATE ' || quote_ident(ls.nspname) || '.' || quote_ident(l.collname), '')
                     || CASE WHEN o.opcdefault THEN ''
                             WHEN os.nspname = 'pg_catalog' THEN format(' %I', o.opcname)
                             ELSE format(' %I.%I', os.nspname, o.opcname) END
                     || CASE i.indoption[number] & 3
                             WHEN 1 THEN ' DESC NULLS LAST'
                             WHEN 2 THEN ' NULLS FIRST'
                             WHEN 3 THEN ' DESC'
                             ELSE '' END AS suffix) more
       ) element
 WHERE i.indisvalid
   AND NOT c.relispartition
   AND n.nspname = ANY (CAST(:schemas AS name[]))
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
