"""URLs that are read without SQLAlchemy: as SQLAlchemy reads them, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects.postgresql.psycopg2 import dialect

from hop_tasks.database.addresses import Address
from hop_tasks.database.urls import parse_url

PLAIN = [
    "postgresql://localhost/shop",
    "postgres://ann@db.example.com:5433/shop",
    "postgresql+psycopg2://ann:s3cret@10.0.0.7:5433/shop",
    "postgresql://ann:it=s~a!$+*-Secret@db/shop",
    "postgresql://db",
    "postgresql://db/",
    "postgresql://db:5432",
    "postgresql:///shop",
    "postgresql:///?host=/run/postgresql",
    "postgresql://ann@/shop?host=/run/postgresql&port=5433",
    "postgresql://ann@/shop?host=%2Ftmp%2Fa+b&port=5433",
    "postgresql://db/shop?sslmode=require&connect_timeout=3&application_name=till",
    "postgresql://db/shop?options=-c%20lock_timeout%3D1s",
    "postgresql://db/shop?",
]

OTHERS = [
    "postgresql://ann:p%40ss@db/shop",
    "postgresql://ann:p@ss@db/shop",
    "postgresql://ann:@db/shop",
    "postgresql://db/caf%C3%A9",
    "postgresql://db/café",
    "postgresql://[::1]:5432/shop",
    "postgresql://one,two/shop",
    "postgresql://db:port/shop",
    "postgresql:///shop?host=one:5432&host=two:5433",
    "postgresql:///shop?host=one:5432",
    "postgresql:///shop?host=one,two",
    "postgresql://db/shop?port=1,2",
    "postgresql://db/shop?user=ann",
    "postgresql://db/shop?password=secret",
    "postgresql://db/shop?dbname=other",
    "mysql://db/shop",
    "postgresql+asyncpg://db/shop",
    " postgresql://db/shop",
    "postgresql://db/shop\n",
    "postgresql://db/shop#here",
    "db/shop",
    "",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_url_leads_where_sqlalchemy_goes(text: str) -> None:
    address = Address.find(text, default_database="till")
    url = parse_url(text, "HOP_DATABASE_URL", default_database="till")
    assert address is not None
    assert address.url == url
    assert address.arguments == dialect().create_connect_args(url)[1]
    assert address.shown == Address.of(url).shown
    assert parse_url(address.text, "HOP_DATABASE_URL", default_database="till") == url


@pytest.mark.parametrize("text", OTHERS)
def test_any_other_is_left_to_sqlalchemy(text: str) -> None:
    assert Address.find(text, default_database="till") is None


def test_a_password_is_not_shown() -> None:
    address = Address.find("postgresql://ann:s3cret@db/shop", default_database="till")
    assert address is not None
    assert "s3cret" not in f"{address.shown} {address!r} {address}"
