-- More names and foreign keys that a generator is likely to get wrong; runs after awkward.sql.
CREATE SCHEMA t_person;
CREATE SCHEMA "check";
CREATE SCHEMA metadata;
CREATE SCHEMA "class";
CREATE SCHEMA "1st";
CREATE SCHEMA "Shop";
CREATE SCHEMA "SHOP";
CREATE SCHEMA _base;
CREATE SCHEMA __init__;
CREATE SCHEMA "a ""quoted"" schema";
CREATE SCHEMA blog;
CREATE SCHEMA "blog.view";
CREATE SCHEMA base_test;
CREATE SCHEMA nothing_here;

CREATE TABLE t_person.t (id int PRIMARY KEY);
CREATE TABLE "check".t (id int PRIMARY KEY);
CREATE TABLE metadata.t (id int PRIMARY KEY);
CREATE TABLE "class".t (id int PRIMARY KEY);
CREATE TABLE "1st".t (id int PRIMARY KEY);
CREATE TABLE "Shop".t (id int PRIMARY KEY);
CREATE TABLE "SHOP".t (id int PRIMARY KEY);
CREATE TABLE _base.t (id int PRIMARY KEY);
CREATE TABLE __init__.t (id int PRIMARY KEY);
CREATE TABLE base_test.t (id int PRIMARY KEY);
CREATE TABLE "a ""quoted"" schema"."a ""quoted"" table" ("a ""quoted"" key" int PRIMARY KEY, """""" text);
COMMENT ON TABLE "a ""quoted"" schema"."a ""quoted"" table" IS '"""';

-- Tables that are called as what their modules import, and columns too.
CREATE TABLE public.text (id int PRIMARY KEY, "Text" text, text text DEFAULT 'a', "Integer" int, uuid uuid, "UUID" uuid);
CREATE TABLE public.date (id int PRIMARY KEY, date date, datetime timestamp, "Optional" text, "list" text[], "str" text);
CREATE TABLE public.base (id int PRIMARY KEY, "Base" text, base text, mapped_column text, relationship text, "Mapped" text);
CREATE TABLE public.column (id int PRIMARY KEY, "Column" text, "Field" text, "int" int, "Any" jsonb, decimal numeric);
CREATE TABLE public."None" (id int PRIMARY KEY, "True" text, "None" text, "def" text);
CREATE TABLE public."Table" (id int PRIMARY KEY, registry text, metadata text, __tablename__ text, __table__ text, _sa text);
CREATE TABLE public.pydantic (
    id int PRIMARY KEY, copy text, json text, schema text, dict text, model_config text, model_fields text,
    construct text, validate text, _private text
);
CREATE TABLE public.half (
    id int PRIMARY KEY, self text, kwargs text, "class" text, __hidden text, fkeys text, half_fk text, "naïve" text,
    super text, typing text, given text, "MODEL" text, name text, value text
);
CREATE TABLE public.model_kind (id int PRIMARY KEY, model_x text);
CREATE TABLE public.uses_models (
    id int PRIMARY KEY, kind int REFERENCES public.model_kind, class int REFERENCES "class".t, copy_id int REFERENCES public.half
);
CREATE TABLE public."release_check" (id int PRIMARY KEY);
CREATE TABLE public."_" (id int PRIMARY KEY);
CREATE TABLE public." " (id int PRIMARY KEY, " " text);
CREATE TABLE public."日本" (id int PRIMARY KEY, "列" text);
CREATE TABLE public."a\b" (id int PRIMARY KEY, "c\n" text DEFAULT 'x\ny');
CREATE TABLE public."new
line" (id int PRIMARY KEY, "x
y" text);
CREATE TABLE blog.post (id serial PRIMARY KEY, title text NOT NULL, author_id int REFERENCES public.person);
CREATE TABLE blog.post_test (id int PRIMARY KEY);
CREATE TABLE blog."Post" (id int PRIMARY KEY);
CREATE TABLE blog.view (id int PRIMARY KEY);
CREATE VIEW "blog.view".post_title AS SELECT id, title FROM blog.post;

-- Foreign keys: links, one row for one row, shared columns, two of the same columns, to columns that are no key.
CREATE TABLE blog.tag (name text PRIMARY KEY, UNIQUE (name));
CREATE TABLE blog.post_tag (post_id int REFERENCES blog.post, tag text REFERENCES blog.tag, PRIMARY KEY (post_id, tag));
CREATE TABLE blog.related (
    one int REFERENCES blog.post, other int REFERENCES blog.post, PRIMARY KEY (one, other)
);
CREATE TABLE "Shop"."reader of" (
    "post.id" int REFERENCES blog.post, "person.id" int REFERENCES public.person, PRIMARY KEY ("post.id", "person.id")
);
CREATE TABLE blog.post_text (id int PRIMARY KEY REFERENCES blog.post, body text NOT NULL);
CREATE TABLE blog.post_extra (id int PRIMARY KEY, post_id int NOT NULL UNIQUE REFERENCES blog.post);
CREATE TABLE blog.tenant (id int PRIMARY KEY, code text UNIQUE NOT NULL, twin text REFERENCES blog.tenant (code));
CREATE TABLE blog.account (tenant_id int REFERENCES blog.tenant, id int, PRIMARY KEY (tenant_id, id));
CREATE TABLE blog.invoice (
    tenant_id int NOT NULL REFERENCES blog.tenant,
    id int,
    payer int NOT NULL,
    owner int,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, payer) REFERENCES blog.account,
    FOREIGN KEY (tenant_id, owner) REFERENCES blog.account
);
CREATE TABLE blog.twice (
    id int PRIMARY KEY,
    tenant int REFERENCES blog.tenant REFERENCES blog.tenant (id),
    CONSTRAINT again FOREIGN KEY (tenant) REFERENCES blog.tenant (id)
);
CREATE TABLE blog.circle_one (id int PRIMARY KEY, two int);
CREATE TABLE blog.circle_two (id int PRIMARY KEY REFERENCES blog.circle_one, one int REFERENCES blog.circle_one);
ALTER TABLE blog.circle_one ADD FOREIGN KEY (id) REFERENCES blog.circle_two DEFERRABLE INITIALLY DEFERRED;
