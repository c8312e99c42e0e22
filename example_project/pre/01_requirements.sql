-- What every release may count on. Changes nothing, so it can run before each of them.
do $$
begin
    if not exists (select from pg_extension where extname = 'btree_gist') then
        raise exception 'the extension btree_gist is missing, and bookings need it'
            using hint = 'Run "create extension btree_gist with schema public" as a user who may.';
    end if;
    if current_setting('server_encoding') <> 'UTF8' then
        raise exception 'the database is encoded in %, but names and slugs need UTF8', current_setting('server_encoding');
    end if;
end
$$;
