"""Fixtures for the project's own tests.

The tests write every row they need and leave none behind, so they pass on an empty database as well
as on a copy of the real one. They say nothing about columns that a later release renames or drops:
all of them run again for each release.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text

Scalar = Callable[..., Any]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine for the database that HOP_DATABASE_URL names."""
    url = os.environ.get("HOP_DATABASE_URL")
    if not url:
        pytest.fail("set HOP_DATABASE_URL to the URL of a database that these tests may use", pytrace=False)
    # The driver is named because which one "postgresql://" means depends on SQLAlchemy's version.
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back after the test."""
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture
def scalar(connection: Connection) -> Scalar:
    """Run a statement with its parameters; returns the first column of the first row, if there is one."""

    def run(statement: str, **parameters: object) -> Any:
        result = connection.execute(text(statement), parameters)
        return result.scalar() if result.returns_rows else None

    return run


@pytest.fixture
def mechanic_id(scalar: Scalar) -> int:
    """A mechanic."""
    return scalar(
        "insert into staff.person (full_name, role, hired_on) values ('Test Mechanic', 'mechanic', '2020-01-01')"
        " returning id"
    )


@pytest.fixture
def customer_id(scalar: Scalar) -> int:
    """A customer called Test Rider, entered the way the till does it."""
    return scalar("insert into shop.customer_card (name) values ('Test Rider') returning id")


@pytest.fixture
def category_id(scalar: Scalar) -> int:
    """A category below one called Test."""
    parent_id = scalar("insert into shop.category (name) values ('Test') returning id")
    return scalar("insert into shop.category (parent_id, name) values (:id, 'Test bells') returning id", id=parent_id)


@pytest.fixture
def product_id(scalar: Scalar, category_id: int) -> int:
    """A product for 20 euros, ten of them on the shelf."""
    supplier_id = scalar("insert into shop.supplier (name) values ('Test supplier') returning id")
    product_id = scalar(
        "insert into shop.product (sku, name, category_id, supplier_id, cost, price)"
        " values ('ZZ-99999', 'Test bell', :category_id, :supplier_id, 12, 20) returning id",
        category_id=category_id,
        supplier_id=supplier_id,
    )
    scalar("insert into shop.stock (product_id, reorder_level) values (:id, 4)", id=product_id)
    scalar("call shop.take_delivery(:id, 10)", id=product_id)
    return product_id


@pytest.fixture
def bike_id(scalar: Scalar, customer_id: int) -> int:
    """A bicycle of the customer."""
    return scalar(
        "insert into workshop.bike (owner_id, kind, brand, model)"
        " values (:id, 'e-bike', 'Polder', 'Tour') returning id",
        id=customer_id,
    )


@pytest.fixture
def repair_id(scalar: Scalar, bike_id: int, mechanic_id: int, product_id: int) -> int:
    """An open repair with two tasks: one for 30 euros with two parts for 20 each, one for 50 euros."""
    service_id = scalar(
        "insert into workshop.service (code, name, minutes, price) values ('TEST', 'Test service', 25, 30) returning id"
    )
    repair_id = scalar(
        "insert into workshop.repair (bike_id, mechanic_id, status) values (:bike_id, :mechanic_id, 'in_progress')"
        " returning id",
        bike_id=bike_id,
        mechanic_id=mechanic_id,
    )
    scalar(
        "insert into workshop.repair_task (repair_id, position, service_id, mechanic_id, minutes_planned, price)"
        " values (:repair_id, 1, :service_id, :mechanic_id, 25, 30),"
        "        (:repair_id, 2, :service_id, :mechanic_id, 40, 50)",
        repair_id=repair_id,
        service_id=service_id,
        mechanic_id=mechanic_id,
    )
    scalar(
        "insert into workshop.repair_part (repair_id, position, product_id, quantity, unit_price)"
        " values (:repair_id, 1, :product_id, 2, 20)",
        repair_id=repair_id,
        product_id=product_id,
    )
    return repair_id


@pytest.fixture
def sell(scalar: Scalar, mechanic_id: int, product_id: int) -> Callable[..., int]:
    """Sell the product for 20 euros each; returns the id of the sale."""

    def sell_product(quantity: int, sold_on: str = "2025-06-14") -> int:
        return scalar(
            "insert into shop.sale (sold_on, receipt_no, product_id, sold_by, quantity, unit_price, payment)"
            " values (:sold_on, 1, :product_id, :sold_by, :quantity, 20, 'card') returning id",
            sold_on=sold_on,
            product_id=product_id,
            sold_by=mechanic_id,
            quantity=quantity,
        )

    return sell_product
