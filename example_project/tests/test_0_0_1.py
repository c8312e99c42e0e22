"""Cancelled work is free, and every e-mail address looks like one."""

from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError


def test_a_cancelled_task_is_not_charged(scalar, repair_id):
    scalar("update workshop.repair_task set cancelled = true where repair_id = :id and position = 2", id=repair_id)

    assert scalar("select workshop.repair_total(:id)", id=repair_id) == Decimal(70)


def test_the_parts_of_a_cancelled_task_are_not_charged(scalar, repair_id):
    scalar("update workshop.repair_task set cancelled = true where repair_id = :id and position = 1", id=repair_id)

    assert scalar("select workshop.repair_total(:id)", id=repair_id) == Decimal(50)


def test_a_repair_without_tasks_costs_nothing(scalar, repair_id):
    scalar("delete from workshop.repair_task where repair_id = :id", id=repair_id)

    assert scalar("select workshop.repair_total(:id)", id=repair_id) == 0


@pytest.mark.parametrize("email", ["none", "a@@b.example", " a@b.example", "a@b"])
def test_an_email_address_that_cannot_be_one_is_refused(scalar, customer_id, email):
    with pytest.raises(IntegrityError, match="customer_email_looks_right"):
        scalar("update shop.customer set email = :email where id = :id", email=email, id=customer_id)


def test_the_rule_for_email_addresses_holds_for_old_rows_too(scalar):
    assert scalar("select convalidated from pg_constraint where conname = 'customer_email_looks_right'")
