"""Catalogs as values: fingerprint, comparison, summary."""

from __future__ import annotations

import hashlib
from itertools import permutations

import pytest

from hop_tasks.catalog import Catalog, CatalogDifference, CatalogObject

SALE = CatalogObject("table", "shop.sale", "unlogged")
PRICE = CatalogObject("column", "shop.sale.price", "numeric")
BY_PRICE = CatalogObject("index", "shop.by_price", "CREATE INDEX by_price ON shop.sale USING btree (price)")


def test_a_digest_is_of_the_definition_alone() -> None:
    assert SALE.digest == hashlib.sha256(b"unlogged").hexdigest()
    assert CatalogObject("view", "other", "unlogged").digest == SALE.digest


def test_objects_are_sorted_and_their_order_does_not_change_the_fingerprint() -> None:
    catalogs = [Catalog(order) for order in permutations((SALE, PRICE, BY_PRICE))]
    assert {catalog.objects for catalog in catalogs} == {(PRICE, BY_PRICE, SALE)}
    assert len({catalog.fingerprint for catalog in catalogs}) == 1


def test_a_fingerprint_names_its_algorithm() -> None:
    name, digest = Catalog((SALE,)).fingerprint.split(":")
    assert name == "sha256"
    assert len(digest) == 64
    assert Catalog(()).fingerprint != Catalog((SALE,)).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        CatalogObject("view", "shop.sale", "unlogged"),
        CatalogObject("table", "shop.sales", "unlogged"),
        CatalogObject("table", "shop.sale", ""),
        CatalogObject("table", "shop", ".saleunlogged"),
        CatalogObject("table", 'shop.sale", "unlogged', ""),
    ],
)
def test_kind_identity_and_definition_each_count_and_do_not_run_together(other: CatalogObject) -> None:
    assert Catalog((SALE,)).fingerprint != Catalog((other,)).fingerprint


def test_a_difference_tells_missing_unexpected_and_changed_objects_apart() -> None:
    expected = Catalog((SALE, PRICE, BY_PRICE))
    found = Catalog((SALE, CatalogObject("column", "shop.sale.price", "money"), CatalogObject("view", "shop.v", "")))
    assert expected.compare(found) == CatalogDifference(
        missing=("index shop.by_price",), unexpected=("view shop.v",), changed=("column shop.sale.price",)
    )
    assert expected.compare(found)


def test_equal_catalogs_have_no_difference() -> None:
    difference = Catalog((SALE, PRICE)).compare(Catalog((PRICE, SALE)))
    assert not difference
    assert difference.summary() == "no difference"


def test_a_difference_names_the_parts_of_objects_last() -> None:
    difference = Catalog((PRICE, BY_PRICE, SALE, CatalogObject("view", "shop.v", ""))).compare(Catalog(()))
    assert difference.missing == ("table shop.sale", "view shop.v", "column shop.sale.price", "index shop.by_price")


def test_a_summary_is_one_line() -> None:
    difference = CatalogDifference(changed=("table shop.sale", "view shop.v"), missing=("index shop.i",))
    assert difference.summary() == "2 changed: table shop.sale, view shop.v; 1 missing: index shop.i"
    assert CatalogDifference(unexpected=('table "two\nlines"',)).summary() == '1 unexpected: table "two\\nlines"'
    assert CatalogDifference(unexpected=('table "naïve 表"',)).summary() == '1 unexpected: table "naïve 表"'


def test_a_summary_names_no_more_than_its_limit_of_each_sort() -> None:
    difference = CatalogDifference(changed=("table a", "table b", "table c"), missing=("view d", "view e"))
    assert difference.summary(limit=2) == "3 changed: table a, table b and 1 more; 2 missing: view d, view e"
