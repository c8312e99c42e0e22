-- What SQLAlchemy reads of columns and their types by its own queries, in one value.
WITH shape (what) AS (
    SELECT jsonb_build_array(
               n.nspname, c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               a.attidentity, a.attgenerated, pg_get_expr(f.adbin, f.adrelid), col_description(c.oid, a.attnum),
               l.collname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
      LEFT JOIN pg_depend d
        ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype = 'i'
      LEFT JOIN pg_sequence s ON s.seqrelid = d.objid
     WHERE a.attnum > 0
       AND NOT a.attisdropped
       AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND NOT c.relispartition
       AND n.nspname = ANY (CAST(:schemas AS name[]))
     UNION ALL
    SELECT jsonb_build_array(
               n.nspname, t.typname, t.typtype, t.typcategory, format_type(t.typbasetype, t.typtypmod), t.typnotnull,
               t.typdefault, l.collname,
               (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
               (SELECT array_agg(pg_get_constraintdef(k.oid) ORDER BY k.conname)
                  FROM pg_constraint k WHERE k.contypid = t.oid))
      FROM pg_type t
      JOIN pg_namespace n ON n.oid = t.typnamespace
      LEFT JOIN pg_collation l ON l.oid = t.typcollation
     WHERE t.typtype IN ('d', 'e')
     UNION ALL
    SELECT jsonb_build_array(extname, extversion) FROM pg_extension
)
SELECT current_setting('server_version_num') AS server,
       encode(sha256(convert_to(string_agg(what::text, E'\n' ORDER BY what::text), 'UTF8')), 'hex') AS digest
  FROM shape
