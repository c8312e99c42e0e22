"""Every change to a type, a function or whatever is no table changes the fingerprint, and the difference names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# A script, and the summary of the difference that it makes to rich_schema.sql.
CHANGES = {
    "types": [
        ("ALTER TYPE shop.mood ADD VALUE 'odd' BEFORE 'sad'", "1 changed: type shop.mood"),
        (
            "ALTER TYPE shop.mood RENAME VALUE 'so so' TO 'soso'",
            "2 changed: type shop.mood, column shop.customer.mood",
        ),
        ("CREATE TYPE shop.extra AS ENUM ()", "1 unexpected: type shop.extra"),
        ("DROP TYPE shop.price_range", "1 missing: type shop.price_range"),
        (
            "DROP TYPE shop.price_range; CREATE TYPE shop.price_range AS RANGE "
            "(subtype = numeric, subtype_diff = numrange_subdiff)",
            "1 changed: type shop.price_range",
        ),
        (
            "DROP TYPE shop.text_range; CREATE TYPE shop.text_range AS RANGE (subtype = text)",
            "1 changed: type shop.text_range",
        ),
        ("ALTER DOMAIN shop.email SET DEFAULT 'x'", "1 changed: domain shop.email"),
        ("ALTER DOMAIN shop.email DROP NOT NULL", "1 changed: domain shop.email"),
        ("ALTER DOMAIN shop.email DROP CONSTRAINT not_banned", "1 changed: domain shop.email"),
        ("ALTER DOMAIN shop.code ADD CHECK (VALUE <> '') NOT VALID", "1 changed: domain shop.code"),
        ("COMMENT ON CONSTRAINT has_at ON DOMAIN shop.email IS 'x'", "1 changed: domain shop.email"),
        ("DROP DOMAIN shop.code; CREATE DOMAIN shop.code AS text", "1 changed: domain shop.code"),
        ("COMMENT ON DOMAIN shop.email IS NULL", "1 missing: comment on domain shop.email"),
        ("COMMENT ON TYPE shop.mood IS 'x'", "1 changed: comment on type shop.mood"),
        ("CREATE TYPE shop.shell", "1 unexpected: type shop.shell"),
        ("COMMENT ON COLLATION shop.by_byte IS 'x'", "1 changed: comment on collation shop.by_byte"),
        (
            "CREATE COLLATION shop.extra (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX')",
            "1 unexpected: collation shop.extra",
        ),
    ],
    "sequences": [
        ("CREATE SEQUENCE shop.extra", "1 unexpected: sequence shop.extra"),
        *(
            (f"ALTER SEQUENCE shop.ticket {change}", "1 changed: sequence shop.ticket")
            for change in (
                "AS bigint",
                "START 10",
                "INCREMENT -5",
                "MINVALUE 1",
                "MAXVALUE 4000",
                "CACHE 1",
                "NO CYCLE",
                "OWNED BY shop.booking.room",
            )
        ),
        ("ALTER SEQUENCE shop.sale_id_seq OWNED BY NONE", "1 changed: sequence shop.sale_id_seq"),
        ("COMMENT ON SEQUENCE shop.ticket IS NULL", "1 missing: comment on sequence shop.ticket"),
    ],
    "functions": [
        (
            "CREATE OR REPLACE FUNCTION shop.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN old; END $$",
            "1 changed: function shop.watch()",
        ),
        *(
            (f"ALTER FUNCTION shop.total(numeric) {change}", "1 changed: function shop.total(numeric)")
            for change in (
                "VOLATILE",
                "SECURITY DEFINER",
                "STRICT",
                "LEAKPROOF",
                "PARALLEL SAFE",
                "COST 7",
                "SET work_mem TO '1MB'",
            )
        ),
        (
            "CREATE OR REPLACE FUNCTION shop.total(price numeric, amount integer DEFAULT 2, OUT sum numeric) "
            "LANGUAGE sql IMMUTABLE STRICT AS 'SELECT price * amount'",
            "1 changed: function shop.total(numeric, integer)",
        ),
        (
            "CREATE FUNCTION shop.total(text) RETURNS text LANGUAGE sql AS 'SELECT 1'",
            "1 unexpected: function shop.total(text)",
        ),
        ("ALTER PROCEDURE shop.close_day(date) RESET search_path", "1 changed: procedure shop.close_day(date)"),
        (
            "CREATE OR REPLACE AGGREGATE shop.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '2')",
            "1 changed: aggregate shop.product(numeric)",
        ),
        (
            "COMMENT ON AGGREGATE shop.product(numeric) IS NULL",
            "1 missing: comment on aggregate shop.product(numeric)",
        ),
        ("COMMENT ON FUNCTION shop.watch() IS 'x'", "1 unexpected: comment on function shop.watch()"),
        ("COMMENT ON PROCEDURE shop.close_day IS 'x'", "1 changed: comment on procedure shop.close_day(date)"),
    ],
    "operators and casts": [
        (
            "DROP OPERATOR shop.!! (NONE, numeric)",
            "2 missing: operator shop.!!(NONE, numeric), comment on operator shop.!!(NONE, numeric)",
        ),
        (
            "ALTER OPERATOR shop.=~= (integer, integer) SET (RESTRICT = eqsel)",
            "1 changed: operator shop.=~=(integer, integer)",
        ),
        (
            "ALTER OPERATOR FAMILY shop.near USING btree ADD FUNCTION 1 (integer, bigint) btint48cmp(integer, bigint)",
            "1 changed: operator family shop.near using btree",
        ),
        (
            "DROP OPERATOR CLASS shop.near_integers USING btree; CREATE OPERATOR CLASS shop.near_integers "
            "FOR TYPE integer USING btree FAMILY shop.near AS OPERATOR 1 <, "
            "FUNCTION 1 shop.int_cmp(integer, integer)",
            "1 changed: operator class shop.near_integers using btree; "
            "1 missing: comment on operator class shop.near_integers using btree",
        ),
        (
            "COMMENT ON OPERATOR FAMILY shop.near USING btree IS NULL",
            "1 missing: comment on operator family shop.near using btree",
        ),
        (
            "DROP CAST (integer AS shop.mood)",
            "2 missing: cast integer as shop.mood, comment on cast integer as shop.mood",
        ),
        (
            "DROP CAST (integer AS shop.mood); CREATE CAST (integer AS shop.mood) "
            "WITH FUNCTION shop.mood_of(integer) AS IMPLICIT; COMMENT ON CAST (integer AS shop.mood) IS 'casts'",
            "1 changed: cast integer as shop.mood",
        ),
    ],
    "text search": [
        (
            "ALTER TEXT SEARCH DICTIONARY shop.stems (language = german)",
            "1 changed: text search dictionary shop.stems",
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION shop.words ALTER MAPPING FOR word WITH simple, shop.stems",
            "1 changed: text search configuration shop.words",
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION shop.words DROP MAPPING FOR word",
            "1 changed: text search configuration shop.words",
        ),
        (
            "COMMENT ON TEXT SEARCH DICTIONARY shop.stems IS NULL",
            "1 missing: comment on text search dictionary shop.stems",
        ),
        (
            "COMMENT ON TEXT SEARCH CONFIGURATION shop.words IS NULL",
            "1 missing: comment on text search configuration shop.words",
        ),
    ],
    "triggers and policies": [
        (
            "CREATE TRIGGER extra AFTER INSERT ON shop.booking FOR EACH ROW EXECUTE FUNCTION shop.watch()",
            "1 unexpected: trigger shop.booking.extra",
        ),
        ("ALTER TABLE shop.sale DISABLE TRIGGER watch", "1 changed: trigger shop.sale.watch"),
        ("ALTER TABLE shop.sale ENABLE REPLICA TRIGGER watch", "1 changed: trigger shop.sale.watch"),
        ("ALTER TABLE shop.event_2021 ENABLE TRIGGER watch", "1 missing: trigger shop.event_2021.watch"),
        (
            "DROP TRIGGER watch ON shop.event",
            "2 missing: trigger shop.event.watch, trigger shop.event_2021.watch",
        ),
        ("COMMENT ON TRIGGER watch ON shop.sale IS 'x'", "1 changed: comment on trigger shop.sale.watch"),
        ("ALTER POLICY own ON shop.customer USING (id > 1)", "1 changed: policy shop.customer.own"),
        ("ALTER POLICY own ON shop.customer WITH CHECK (true)", "1 changed: policy shop.customer.own"),
        ("ALTER POLICY own ON shop.customer TO CURRENT_USER", "1 changed: policy shop.customer.own"),
        ("CREATE POLICY extra ON shop.booking", "1 unexpected: policy shop.booking.extra"),
        ("COMMENT ON POLICY own ON shop.customer IS NULL", "1 missing: comment on policy shop.customer.own"),
        ("ALTER EVENT TRIGGER watch_ddl ENABLE", "1 changed: event trigger watch_ddl"),
        (
            "DROP EVENT TRIGGER watch_ddl; CREATE EVENT TRIGGER watch_ddl ON ddl_command_end "
            "EXECUTE FUNCTION shop.watch_ddl(); ALTER EVENT TRIGGER watch_ddl DISABLE",
            "1 changed: event trigger watch_ddl; 1 missing: comment on event trigger watch_ddl",
        ),
    ],
    "statistics": [
        ("ALTER STATISTICS shop.customer_dependent SET STATISTICS 78", "1 changed: statistics shop.customer_dependent"),
        (
            "CREATE STATISTICS shop.extra ON room, during FROM shop.booking",
            "1 unexpected: statistics shop.extra",
        ),
        (
            "COMMENT ON STATISTICS shop.customer_dependent IS NULL",
            "1 missing: comment on statistics shop.customer_dependent",
        ),
    ],
    "foreign data": [
        (
            "ALTER FOREIGN DATA WRAPPER elsewhere OPTIONS (SET debug 'false')",
            "1 changed: foreign data wrapper elsewhere",
        ),
        ("ALTER SERVER far OPTIONS (SET fetch_size '7')", "1 changed: server far"),
        ("CREATE SERVER extra FOREIGN DATA WRAPPER elsewhere", "1 unexpected: server extra"),
        ("DROP USER MAPPING FOR PUBLIC SERVER far", "1 missing: user mapping for public on server far"),
        ("ALTER FOREIGN TABLE shop.remote OPTIONS (SET table_name 'x')", "1 changed: foreign table shop.remote"),
        (
            "ALTER FOREIGN TABLE shop.remote ALTER id OPTIONS (SET column_name 'x')",
            "1 changed: column shop.remote.id",
        ),
        ("COMMENT ON SERVER far IS NULL", "1 missing: comment on server far"),
        ("COMMENT ON FOREIGN DATA WRAPPER elsewhere IS NULL", "1 missing: comment on foreign data wrapper elsewhere"),
        ("COMMENT ON FOREIGN TABLE shop.remote IS 'x'", "1 changed: comment on foreign table shop.remote"),
    ],
    "publications": [
        ("CREATE PUBLICATION extra FOR ALL TABLES", "1 unexpected: publication extra"),
        ("ALTER PUBLICATION news SET (publish = 'insert')", "1 changed: publication news"),
        ("ALTER PUBLICATION news SET (publish_via_partition_root = true)", "1 changed: publication news"),
        ("ALTER PUBLICATION news DROP TABLE shop.sale", "1 changed: publication news"),
        ("COMMENT ON PUBLICATION news IS 'x'", "1 changed: comment on publication news"),
    ],
}


@pytest.mark.parametrize(
    ("script", "summary"),
    [pytest.param(*change, id=f"{kind}: {change[0][:60]}") for kind, changes in CHANGES.items() for change in changes],
)
def test_a_change_is_named(change_made: Callable[[str], str], script: str, summary: str) -> None:
    assert change_made(script) == summary
