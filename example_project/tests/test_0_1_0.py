"""Loyalty cards, absences, promised dates and the sales of 2026."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError


@pytest.fixture
def card_id(scalar, customer_id):
    """A new loyalty card."""
    return scalar(
        "insert into shop.loyalty_card (customer_id, number) values (:id, 'L99999999') returning id", id=customer_id
    )


def earn(scalar, card_id, points):
    scalar("insert into shop.loyalty_entry (card_id, points) values (:id, :points)", id=card_id, points=points)


def test_a_person_is_absent_once_at_a_time(connection, mechanic_id):
    note = text("insert into staff.absence (person_id, kind, during) values (:id, :kind, :during)")
    connection.execute(note, {"id": mechanic_id, "kind": "holiday", "during": "[2026-07-06, 2026-07-13)"})
    connection.execute(note, {"id": mechanic_id, "kind": "training", "during": "[2026-07-13, 2026-07-14)"})

    with pytest.raises(IntegrityError, match="absence_does_not_overlap"):
        connection.execute(note, {"id": mechanic_id, "kind": "illness", "during": "[2026-07-12, 2026-07-15)"})


def test_an_absence_counts_its_days(scalar, mechanic_id):
    days = scalar(
        "insert into staff.absence (person_id, kind, during) values (:id, 'holiday', '[2026-07-06, 2026-07-12]')"
        " returning days",
        id=mechanic_id,
    )

    assert days == 7


@pytest.mark.parametrize(("points", "tier"), [(99, "bronze"), (100, "silver"), (250, "gold")])
def test_points_raise_the_tier_of_a_card(scalar, card_id, points, tier):
    earn(scalar, card_id, points)

    assert scalar("select tier from shop.loyalty_card where id = :id", id=card_id) == tier


def test_spending_points_leaves_the_tier(scalar, card_id):
    earn(scalar, card_id, 120)
    earn(scalar, card_id, -110)

    assert scalar("select (points, tier)::text from shop.loyalty_card where id = :id", id=card_id) == "(10,silver)"


def test_points_that_are_not_there_cannot_be_spent(scalar, card_id):
    earn(scalar, card_id, 5)

    with pytest.raises(IntegrityError, match="loyalty_card_points_are_not_negative"):
        earn(scalar, card_id, -6)


def test_a_sale_earns_points_once(connection, card_id, sell):
    give = text(
        "insert into shop.loyalty_entry (card_id, points, sold_on, sale_id) values (:card, 2, '2025-06-14', :sale)"
    )
    sale_id = sell(1)
    connection.execute(give, {"card": card_id, "sale": sale_id})

    with pytest.raises(IntegrityError, match="loyalty_entry_sale_key"):
        connection.execute(give, {"card": card_id, "sale": sale_id})


def test_the_new_year_has_its_partitions(scalar, sell):
    sale_id = sell(1, sold_on="2026-01-02")

    partition = scalar("select tableoid::regclass::text from shop.sale where id = :id", id=sale_id)
    assert partition == "shop.sale_2026_01"


def test_an_order_of_the_old_till_is_promised_in_two_weeks(scalar, customer_id):
    days = scalar(
        'insert into shop."order" (customer_id) values (:id) returning promised_on - placed_on', id=customer_id
    )

    assert days == 14


def test_an_order_is_not_promised_for_the_past(scalar, customer_id):
    with pytest.raises(IntegrityError, match="order_is_promised_after_placing"):
        scalar('insert into shop."order" (customer_id, promised_on) values (:id, current_date - 1)', id=customer_id)
