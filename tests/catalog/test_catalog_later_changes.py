"""Changes that only later servers know change the fingerprint too, and the difference names what changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

# The major version that knows a script, the script, and the summary of the difference that it makes to rich_schema.sql.
CHANGES = {
    14: [
        ("ALTER TABLE shop.customer ALTER note SET COMPRESSION pglz", "1 changed: column shop.customer.note"),
        (
            "CREATE STATISTICS shop.extra ON (room + 1), during FROM shop.booking",
            "1 unexpected: statistics shop.extra",
        ),
        (
            "DROP TYPE shop.price_range; CREATE TYPE shop.price_range AS RANGE "
            "(subtype = numeric, multirange_type_name = prices)",
            "1 changed: type shop.price_range",
        ),
        (
            "CREATE FUNCTION shop.extra(a integer) RETURNS integer BEGIN ATOMIC SELECT a; END",
            "1 unexpected: function shop.extra(integer)",
        ),
    ],
    15: [
        ("ALTER VIEW shop.cheap SET (security_invoker = true)", "1 changed: view shop.cheap"),
        ("ALTER SEQUENCE shop.ticket SET UNLOGGED", "1 changed: sequence shop.ticket"),
        (
            "ALTER TABLE shop.sale DROP CONSTRAINT once, "
            "ADD CONSTRAINT once UNIQUE NULLS NOT DISTINCT (customer, at) DEFERRABLE",
            "1 changed: constraint shop.sale.once",
        ),
        ("ALTER PUBLICATION news ADD TABLES IN SCHEMA shop", "1 changed: publication news"),
        ("ALTER PUBLICATION news SET TABLE shop.sale (id, at), shop.customer", "1 changed: publication news"),
        (
            "ALTER PUBLICATION news SET TABLE shop.sale WHERE (id > 5 AND at > '2020-01-01 00:00:00Z'), shop.customer",
            "1 changed: publication news",
        ),
    ],
    18: [
        (
            "ALTER TABLE shop.booking ADD next integer GENERATED ALWAYS AS (room + 1) VIRTUAL",
            "1 unexpected: column shop.booking.next",
        ),
        (
            "ALTER TABLE shop.sale ALTER CONSTRAINT sale_customer_fkey NOT ENFORCED",
            "1 changed: constraint shop.sale.sale_customer_fkey",
        ),
        (
            "ALTER TABLE shop.booking ADD CONSTRAINT there NOT NULL room NOT VALID",
            "1 changed: column shop.booking.room",
        ),
        ("ALTER PUBLICATION news SET (publish_generated_columns = stored)", "1 changed: publication news"),
    ],
}


@pytest.mark.parametrize(
    ("version", "script", "summary"),
    [
        pytest.param(version, *change, id=f"{version}: {change[0][:60]}")
        for version, changes in CHANGES.items()
        for change in changes
    ],
)
def test_a_change_is_named(
    server_major: int, change_made: Callable[[str], str], version: int, script: str, summary: str
) -> None:
    if server_major < version:
        pytest.skip(f"PostgreSQL {version} and later; this is {server_major}")
    assert change_made(script) == summary
