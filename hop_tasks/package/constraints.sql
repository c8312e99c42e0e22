-- Keys, foreign keys and checks as columns, not as text to be parsed. The copies that PostgreSQL keeps for partitions
-- have a parent. A foreign key WITH PERIOD (PostgreSQL 18) is left out: its ranges overlap, they are not equal.
SELECT n.nspname::text AS schema,
       c.relname::text AS relation,
       k.conname::text AS name,
       k.contype::text AS kind,
       (SELECT array_agg(a.attname::text ORDER BY u.place)
          FROM unnest(k.conkey) WITH ORDINALITY u (number, place)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number) AS columns,
       fn.nspname::text AS target_schema,
       fc.relname::text AS target_relation,
       (SELECT array_agg(a.attname::text ORDER BY u.place)
          FROM unnest(k.confkey) WITH ORDINALITY u (number, place)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number) AS target_columns,
       k.confupdtype::text AS on_update,
       k.confdeltype::text AS on_delete,
       k.confmatchtype = 'f' AS match_full,
       k.condeferrable AS is_deferrable,
       k.condeferred AS is_deferred,
       CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid, true) END AS expression,
       CASE WHEN k.contype = 'u' THEN coalesce(CAST(to_jsonb(i) ->> 'indnullsnotdistinct' AS boolean), false) END
           AS nulls_not_distinct
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_class fc ON fc.oid = k.confrelid
  LEFT JOIN pg_namespace fn ON fn.oid = fc.relnamespace
  LEFT JOIN pg_index i ON i.indexrelid = k.conindid
 WHERE k.contype IN ('p', 'u', 'f', 'c')
   AND k.conparentid = 0
   AND NOT c.relispartition
   AND n.nspname = ANY (CAST(:schemas AS name[]))
   AND CASE WHEN k.contype = 'f' THEN coalesce(to_jsonb(k) ->> 'conperiod', 'false') = 'false' ELSE true END
