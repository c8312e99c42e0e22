-- Everything that a generator of Python from PostgreSQL is likely to get wrong.
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE SCHEMA half_orm_meta;
CREATE SCHEMA "half_orm_meta.view";
CREATE TABLE half_orm_meta.hop_release (major int PRIMARY KEY);
CREATE VIEW "half_orm_meta.view".hop_last_release AS SELECT * FROM half_orm_meta.hop_release;

CREATE SCHEMA shop;
CREATE SCHEMA other;
CREATE SCHEMA "Odd schema.with dot";
CREATE SCHEMA extensions;
CREATE EXTENSION ltree SCHEMA extensions;

-- Types.
CREATE TYPE shop.mood AS ENUM ('sad', 'ok', 'a-b', 'a b', 'it''s "fine", {really}', 'class', 'mro', '1st', '');
CREATE TYPE other.mood AS ENUM ('one', 'two');
CREATE TYPE shop.address AS (street text, number int);
CREATE TYPE shop.span AS RANGE (subtype = float8);
CREATE DOMAIN shop.email AS citext CHECK (value LIKE '%@%') DEFAULT 'nobody@example.org';
CREATE DOMAIN shop.work_email AS shop.email CHECK (value NOT LIKE '%@gmail.com');
CREATE DOMAIN shop.document AS jsonb NOT NULL;
CREATE DOMAIN shop.numbers AS int[];
CREATE DOMAIN shop.short AS varchar(5) COLLATE "C";

CREATE TABLE shop.every_type (
    id bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5) PRIMARY KEY,
    mood shop.mood NOT NULL DEFAULT 'ok',
    moods shop.mood[],
    other_mood other.mood,
    email shop.email,
    work_email shop.work_email DEFAULT 'boss@example.org',
    document shop.document DEFAULT '{}',
    numbers shop.numbers,
    short shop.short,
    emails shop.email[],
    address shop.address,
    addresses shop.address[],
    span shop.span,
    names text[],
    matrix int[][],
    tags jsonb NOT NULL DEFAULT '{"a": "b :c", "time": "12:30"}',
    plain_json json,
    label citext,
    labels citext[],
    extras hstore,
    extras_list hstore[],
    path extensions.ltree,
    during tstzrange,
    several int4multirange,
    token uuid DEFAULT gen_random_uuid(),
    tokens uuid[],
    amount numeric(10, 2),
    money money,
    at timestamptz(3),
    local timestamp,
    day date,
    clock timetz,
    wait interval DAY TO SECOND,
    flags bit(4),
    flag_list bit(4)[],
    place point,
    content bytea,
    address_of inet,
    letters char(3),
    one "char",
    ratio float8,
    small smallint,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, 'x :y' || 'z')) STORED,
    total numeric GENERATED ALWAYS AS (amount * 2) STORED
);
CREATE TABLE IF NOT EXISTS other.person (id int PRIMARY KEY);

-- Names.
CREATE TABLE public.person (
    id serial PRIMARY KEY,
    name text NOT NULL COLLATE "C",
    nick varchar(20) DEFAULT 'a:b \:c ::d 50%' UNIQUE,
    boss_id int REFERENCES public.person ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    rank int,
    CONSTRAINT rank_is_a_bit CHECK (rank IN (0, 1)),
    CONSTRAINT nick_is_known CHECK (nick IN ('a', 'b') OR nick ~ ':x 50%' OR nick <> 'rank IN (0, 1)'),
    CONSTRAINT same_twice CHECK (rank > -1),
    CONSTRAINT same_again CHECK (rank > -1)
);
CREATE UNIQUE INDEX person_lower ON public.person (lower(name)) WHERE rank = 1;
CREATE INDEX person_sorted ON public.person (name text_pattern_ops DESC, rank) INCLUDE (nick) WITH (fillfactor = 70);
CREATE INDEX person_colon ON public.person ((name || ':x'));
CREATE INDEX every_type_tags ON shop.every_type USING gin (tags jsonb_path_ops);
COMMENT ON TABLE public.person IS E'Says "hello", ''quoted'', """triple""", back\\slash,\nand a second line # noqa';
COMMENT ON COLUMN public.person.name IS E'"""'' \\ größe \U0001F600';

CREATE TABLE "select" (
    "from" int PRIMARY KEY,
    "class" text,
    "Mixed Case" text,
    "1st" text,
    "metadata" text,
    "a%b" text,
    "a(b)" text,
    "a.b" text UNIQUE,
    "quote""d" text,
    "it's" text,
    "x:y" text,
    "c" text,
    "größe" text,
    "back\slash" text
);
CREATE TABLE "1 Big-Table" (id int PRIMARY KEY, x int);
CREATE TABLE "1_Big_Table" (id int PRIMARY KEY, x int);
CREATE TABLE "m²" (id int PRIMARY KEY, x int);
CREATE TABLE "größe" (id int PRIMARY KEY, x int);
CREATE TABLE alembic_version (id int PRIMARY KEY, x int);
CREATE TABLE shop_item (id int PRIMARY KEY, x int);
CREATE TABLE shop.item (id int PRIMARY KEY, x int);
CREATE TABLE shop.person (id int PRIMARY KEY, x int, friend int REFERENCES public.person, other int REFERENCES other.person);
CREATE TABLE "Odd schema.with dot"."Odd.table" (
    "Odd.id" int PRIMARY KEY,
    "Odd.parent" int REFERENCES "Odd schema.with dot"."Odd.table",
    "text" text REFERENCES "select" ("a.b")
);

-- Keys.
CREATE TABLE shop.line (
    b int,
    a serial,
    note text,
    x int UNIQUE,
    y int,
    PRIMARY KEY (a, b),
    UNIQUE (y, x) DEFERRABLE,
    EXCLUDE (y WITH =)
);
CREATE TABLE shop.line_detail (
    id int PRIMARY KEY DEFAULT 7,
    line_a int,
    line_b int,
    FOREIGN KEY (line_a, line_b) REFERENCES shop.line (a, b) MATCH FULL ON UPDATE CASCADE ON DELETE RESTRICT
);
CREATE TABLE shop.left_side (id int PRIMARY KEY, "right" int);
CREATE TABLE shop.right_side (id int PRIMARY KEY, "left" int REFERENCES shop.left_side);
ALTER TABLE shop.left_side ADD FOREIGN KEY ("right") REFERENCES shop.right_side;
CREATE TABLE shop.two_targets (
    id int PRIMARY KEY,
    side int REFERENCES shop.left_side REFERENCES shop.right_side,
    release int REFERENCES half_orm_meta.hop_release
);
CREATE SEQUENCE shop.ticket_numbers;
CREATE TABLE shop.ticket (
    id bigint PRIMARY KEY DEFAULT nextval('shop.ticket_numbers') * 10,
    code text DEFAULT 'T' || nextval('shop.ticket_numbers')
);
CREATE TABLE shop.no_columns ();
CREATE TABLE shop.no_key (x int, y text);

-- Relations that are not plain tables.
CREATE TABLE shop.event (id int, at date, ticket bigint REFERENCES shop.ticket, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE shop.event_2024 PARTITION OF shop.event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.event_2025 PARTITION OF shop.event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
    PARTITION BY LIST (id);
CREATE TABLE shop.event_2025_1 PARTITION OF shop.event_2025 FOR VALUES IN (1);
CREATE TABLE shop.guest (
    id int PRIMARY KEY,
    event_id int,
    event_at date,
    FOREIGN KEY (event_id, event_at) REFERENCES shop.event
);
CREATE TABLE shop.vip (level int) INHERITS (shop.no_key);
CREATE VIEW shop.person_view AS SELECT id, name, upper(name) AS "UPPER" FROM public.person;
CREATE MATERIALIZED VIEW shop.person_count AS SELECT count(*) AS number FROM public.person;
CREATE UNIQUE INDEX person_count_number ON shop.person_count (number);
CREATE TYPE shop.no_label AS ENUM ();
CREATE VIEW shop.catalog_view AS
    SELECT t.table_name, t.is_typed, c.relacl, c.relfrozenxid, c.reltype,
           p, i.indkey, i.indclass, NULL::shop.no_label AS none, NULL::shop.no_label[] AS nones
      FROM information_schema.tables t, pg_class c, pg_index i, shop.person p;
COMMENT ON VIEW shop.person_view IS 'A view.';
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE shop.far_away (id int, name text) SERVER nowhere;
