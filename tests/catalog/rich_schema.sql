-- A schema with objects of every kind and names of every sort, for PostgreSQL 13 and later.

CREATE SCHEMA shop;
CREATE SCHEMA "Odd ""Schema""";
CREATE EXTENSION citext SCHEMA shop;

CREATE TYPE shop.mood AS ENUM ('sad', 'so so', 'it''s fine', 'größer');
CREATE TYPE shop.address AS (street text COLLATE "C", "House No" integer, "order" numeric(6, 2));
CREATE TYPE shop.price_range AS RANGE (subtype = numeric);
CREATE TYPE shop.text_range AS RANGE (subtype = text, collation = "C");
CREATE DOMAIN shop.email AS varchar(80) DEFAULT 'nobody@nowhere' NOT NULL
    CONSTRAINT has_at CHECK (VALUE LIKE '%@%') CONSTRAINT not_banned CHECK (VALUE NOT IN ('a@b', 'c@d'));
CREATE DOMAIN shop.code AS text COLLATE "C";
CREATE COLLATION shop.by_byte (provider = libc, locale = 'C');

CREATE FUNCTION shop.total(price numeric, amount integer DEFAULT 1, OUT sum numeric)
    LANGUAGE sql IMMUTABLE STRICT AS 'SELECT price * amount';
CREATE FUNCTION shop.total(price numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT price';
CREATE FUNCTION shop.ends_oddly() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
    -- Dumped from database version 1
    RETURN '
\restrict x

-- Dumped by pg_dump version 1
SET transaction_timeout = 0;
\unrestrict x
';
END
$body$;
CREATE FUNCTION shop.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE FUNCTION shop.watch_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE FUNCTION shop.is_near(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 10';
CREATE FUNCTION shop.int_cmp(integer, integer) RETURNS integer
    LANGUAGE sql IMMUTABLE AS 'SELECT sign($1 - $2)::integer';
CREATE FUNCTION shop.mood_of(integer) RETURNS shop.mood LANGUAGE sql IMMUTABLE AS 'SELECT ''sad''::shop.mood';
CREATE PROCEDURE shop.close_day(INOUT day date) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN END $$;
CREATE AGGREGATE shop.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
CREATE AGGREGATE shop.last_of(ORDER BY anyelement)
    (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = mode_final, FINALFUNC_EXTRA);

CREATE OPERATOR shop.=~=
    (FUNCTION = shop.is_near, LEFTARG = integer, RIGHTARG = integer, COMMUTATOR = OPERATOR(shop.=~=));
CREATE OPERATOR shop.!! (FUNCTION = shop.total, RIGHTARG = numeric);
CREATE OPERATOR FAMILY shop.near USING btree;
CREATE OPERATOR CLASS shop.near_integers FOR TYPE integer USING btree FAMILY shop.near AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 shop.int_cmp(integer, integer);
CREATE CAST (integer AS shop.mood) WITH FUNCTION shop.mood_of(integer) AS ASSIGNMENT;

CREATE TEXT SEARCH DICTIONARY shop.stems (TEMPLATE = snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION shop.words (PARSER = "default");
ALTER TEXT SEARCH CONFIGURATION shop.words ADD MAPPING FOR asciiword, word WITH shop.stems, simple;

CREATE SEQUENCE shop.ticket AS integer START 5 INCREMENT 5 MINVALUE 5 MAXVALUE 5000 CACHE 3 CYCLE;

CREATE TABLE shop.customer (
    id integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 10) PRIMARY KEY,
    gone integer,
    name text NOT NULL,
    status varchar(10) DEFAULT 'new' CHECK (status IN ('new', 'old', 'it''s, ] complicated')),
    mood shop.mood DEFAULT 'so so',
    home shop.address,
    mail shop.email,
    nick shop.citext,
    short_name text GENERATED ALWAYS AS (upper(left(name, 3))) STORED,
    born timestamptz DEFAULT '2020-01-01 00:00:00+02' CHECK (born > '1900-01-01 00:00:00+00'),
    pause interval DEFAULT '1 day 02:00:00',
    parent integer REFERENCES shop.customer ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    note text COLLATE shop.by_byte
);
ALTER TABLE shop.customer DROP COLUMN gone;
ALTER TABLE shop.customer ALTER COLUMN note SET STORAGE EXTERNAL;
ALTER TABLE shop.customer ALTER COLUMN note SET STATISTICS 500;
ALTER TABLE shop.customer ALTER COLUMN name SET (n_distinct = -0.5);
ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.customer FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.customer AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (id > 0) WITH CHECK (name <> '');
CREATE UNIQUE INDEX customer_name ON shop.customer (lower(name) DESC NULLS LAST, born) INCLUDE (note)
    WITH (fillfactor = 80) WHERE status IN ('new', 'old');
ALTER INDEX shop.customer_name ALTER COLUMN 1 SET STATISTICS 300;
CREATE INDEX customer_parent ON shop.customer USING hash (parent);
CREATE STATISTICS shop.customer_dependent (dependencies, ndistinct) ON name, status FROM shop.customer;
ALTER STATISTICS shop.customer_dependent SET STATISTICS 77;

CREATE TABLE shop.sale (
    id bigserial,
    customer integer NOT NULL REFERENCES shop.customer (id) ON UPDATE CASCADE,
    at timestamptz NOT NULL DEFAULT now(),
    price numeric(10, 2) DEFAULT -1.5 CONSTRAINT positive CHECK (price >= 0) NO INHERIT,
    amounts integer[] DEFAULT '{1,2}',
    payload jsonb,
    PRIMARY KEY (id, at),
    CONSTRAINT once UNIQUE (customer, at) DEFERRABLE
) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
ALTER TABLE shop.sale ADD CONSTRAINT later CHECK (at > '2000-01-01 00:00:00+00') NOT VALID;
ALTER TABLE shop.sale CLUSTER ON sale_pkey;
ALTER TABLE shop.sale REPLICA IDENTITY USING INDEX sale_pkey;
CREATE TRIGGER watch BEFORE INSERT OR UPDATE OF price, at ON shop.sale
    FOR EACH ROW WHEN (new.price > 10) EXECUTE FUNCTION shop.watch('it''s', 'two');
CREATE CONSTRAINT TRIGGER watch_later AFTER UPDATE ON shop.sale DEFERRABLE
    FOR EACH ROW EXECUTE FUNCTION shop.watch();
ALTER TABLE shop.sale DISABLE TRIGGER watch_later;
CREATE RULE keep AS ON DELETE TO shop.sale WHERE old.price > 100 DO INSTEAD NOTHING;
ALTER TABLE shop.sale ENABLE ALWAYS RULE keep;
CREATE UNLOGGED TABLE shop.cache (key text PRIMARY KEY WITH (fillfactor = 60), value bytea DEFAULT '\x00ff');
CREATE TABLE shop.booking (room integer, during int4range, EXCLUDE USING gist (during WITH &&));
CREATE TABLE shop.typed OF shop.address (PRIMARY KEY (street));

CREATE TABLE shop.event (id integer NOT NULL, at date NOT NULL, what text DEFAULT 'x', PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
CREATE TABLE shop.event_2020 PARTITION OF shop.event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE shop.event_2021 (what text DEFAULT 'y', gone integer, at date NOT NULL, id integer NOT NULL);
ALTER TABLE shop.event_2021 DROP COLUMN gone;
ALTER TABLE shop.event ATTACH PARTITION shop.event_2021 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE shop.event_rest PARTITION OF shop.event DEFAULT PARTITION BY LIST (id);
CREATE TABLE shop.event_rest_a PARTITION OF shop.event_rest FOR VALUES IN (1, 2);
CREATE INDEX event_what ON shop.event (what);
CREATE TABLE shop.event_log (event integer, at date, FOREIGN KEY (event, at) REFERENCES shop.event);
ALTER TABLE shop.event ADD COLUMN customer integer REFERENCES shop.customer;
CREATE TRIGGER watch AFTER INSERT ON shop.event FOR EACH ROW EXECUTE FUNCTION shop.watch();
ALTER TABLE shop.event_2021 DISABLE TRIGGER watch;

CREATE TABLE shop.letter (body text COLLATE "C", at timestamptz) PARTITION BY RANGE (lower(body) COLLATE "C", at);
CREATE TABLE shop.letter_a PARTITION OF shop.letter
    FOR VALUES FROM ('a', '2020-01-01 00:00:00+00') TO ('it''s', MAXVALUE);

CREATE TABLE shop.animal (id integer PRIMARY KEY, name text NOT NULL DEFAULT 'x' CHECK (name <> ''));
CREATE TABLE shop.dog (bark text) INHERITS (shop.animal);
ALTER TABLE shop.animal ADD COLUMN legs integer DEFAULT 4;
ALTER TABLE shop.dog ADD COLUMN tail boolean;
ALTER TABLE shop.dog ALTER COLUMN legs SET DEFAULT 3;

CREATE TABLE "Odd ""Schema"""."select" (
    "a b" integer PRIMARY KEY,
    "Column" text DEFAULT 'percent % colon :name' CHECK ("Column" <> '"'),
    "quo""te" text,
    "naïve 表" "char",
    "from" integer REFERENCES "Odd ""Schema"""."select"
);
CREATE INDEX "an index, with: punctuation" ON "Odd ""Schema"""."select" ("naïve 表", "quo""te" DESC);
CREATE VIEW "Odd ""Schema"""."It's a view" AS SELECT "a b" AS "A B", "Column" FROM "Odd ""Schema"""."select";
COMMENT ON COLUMN "Odd ""Schema"""."select"."naïve 表" IS E'two\nlines';

CREATE VIEW shop.recent WITH (security_barrier) AS
    SELECT s.id, s.price, c.name, c.status IN ('new', 'old') AS known
    FROM shop.sale AS s JOIN shop.customer AS c ON c.id = s.customer
    WHERE s.at > now() - interval '1 day';
CREATE VIEW shop.cheap AS SELECT id, price, at FROM shop.sale WHERE price < 10 WITH LOCAL CHECK OPTION;
ALTER VIEW shop.recent ALTER COLUMN price SET DEFAULT 7;
CREATE MATERIALIZED VIEW shop.totals WITH (fillfactor = 90) AS
    SELECT customer, shop.product(price) AS product, count(*) FROM shop.sale GROUP BY customer WITH NO DATA;
CREATE UNIQUE INDEX totals_customer ON shop.totals (customer);
CREATE FUNCTION shop.best() RETURNS SETOF shop.recent LANGUAGE sql STABLE AS 'SELECT * FROM shop.recent LIMIT 1';

CREATE FOREIGN DATA WRAPPER elsewhere OPTIONS (debug 'true', api_key 'secret');
CREATE SERVER far TYPE 'old' FOREIGN DATA WRAPPER elsewhere OPTIONS (host 'example.org', fetch_size '100');
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (password 'secret');
CREATE FOREIGN TABLE shop.remote (id integer OPTIONS (column_name 'ID') NOT NULL, name text)
    SERVER far OPTIONS (table_name 'remote');

CREATE EVENT TRIGGER watch_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
    EXECUTE FUNCTION shop.watch_ddl();
ALTER EVENT TRIGGER watch_ddl DISABLE;
CREATE PUBLICATION news FOR TABLE shop.sale, shop.customer WITH (publish = 'insert, update');

ALTER FUNCTION shop.best() DEPENDS ON EXTENSION citext;

COMMENT ON SCHEMA shop IS 'the shop';
COMMENT ON EXTENSION citext IS 'our words';
COMMENT ON TYPE shop.mood IS 'moods';
COMMENT ON TYPE shop.address IS 'addresses';
COMMENT ON COLUMN shop.address.street IS 'streets';
COMMENT ON DOMAIN shop.email IS 'mails';
COMMENT ON CONSTRAINT has_at ON DOMAIN shop.email IS 'signs';
COMMENT ON COLLATION shop.by_byte IS 'bytes';
COMMENT ON FUNCTION shop.total(numeric) IS 'sums';
COMMENT ON PROCEDURE shop.close_day(date) IS 'days';
COMMENT ON AGGREGATE shop.product(numeric) IS 'products';
COMMENT ON OPERATOR shop.!! (NONE, numeric) IS 'bangs';
COMMENT ON OPERATOR CLASS shop.near_integers USING btree IS 'classes';
COMMENT ON OPERATOR FAMILY shop.near USING btree IS 'families';
COMMENT ON CAST (integer AS shop.mood) IS 'casts';
COMMENT ON TEXT SEARCH DICTIONARY shop.stems IS 'stems';
COMMENT ON TEXT SEARCH CONFIGURATION shop.words IS 'words';
COMMENT ON SEQUENCE shop.ticket IS 'tickets';
COMMENT ON TABLE shop.customer IS 'customers';
COMMENT ON COLUMN shop.customer.name IS 'names';
COMMENT ON POLICY own ON shop.customer IS 'policies';
COMMENT ON INDEX shop.customer_name IS 'indexes';
COMMENT ON STATISTICS shop.customer_dependent IS 'statistics';
COMMENT ON CONSTRAINT positive ON shop.sale IS 'constraints';
COMMENT ON TRIGGER watch ON shop.sale IS 'triggers';
COMMENT ON RULE keep ON shop.sale IS 'rules';
COMMENT ON VIEW shop.recent IS 'views';
COMMENT ON COLUMN shop.recent.price IS 'prices';
COMMENT ON MATERIALIZED VIEW shop.totals IS 'materialized';
COMMENT ON FOREIGN DATA WRAPPER elsewhere IS 'wrappers';
COMMENT ON SERVER far IS 'servers';
COMMENT ON FOREIGN TABLE shop.remote IS 'remotes';
COMMENT ON EVENT TRIGGER watch_ddl IS 'events';
COMMENT ON PUBLICATION news IS 'news';
