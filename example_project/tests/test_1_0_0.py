"""The work log, warranties and the new name of a customer's name."""

import pytest
from sqlalchemy.exc import IntegrityError


@pytest.fixture
def log_work(scalar, repair_id, mechanic_id):
    """Log minutes of the mechanic on the first task of the repair."""

    def log(minutes):
        scalar(
            "insert into workshop.work_log (repair_id, position, person_id, minutes)"
            " values (:repair, 1, :person, :minutes)",
            repair=repair_id,
            person=mechanic_id,
            minutes=minutes,
        )

    return log


def test_the_till_and_the_table_name_the_same_customer(scalar, customer_id):
    scalar("update shop.customer_card set name = 'Test Renamed' where id = :id", id=customer_id)

    assert scalar("select full_name from shop.customer where id = :id", id=customer_id) == "Test Renamed"


def test_the_card_shows_the_loyalty_tier(scalar, customer_id):
    tier = "select loyalty_tier from shop.customer_card where id = :id"
    assert scalar(tier, id=customer_id) is None

    scalar(
        "insert into shop.loyalty_card (customer_id, number, tier) values (:id, 'L99999999', 'gold')", id=customer_id
    )

    assert scalar(tier, id=customer_id) == "gold"


def test_logged_work_adds_up_and_is_planned_once(scalar, mechanic_id, log_work):
    log_work(10)
    log_work(25)

    workload = "select (open_tasks, minutes_ahead, minutes_spent)::text from staff.workload where person_id = :id"
    assert scalar(workload, id=mechanic_id) == "(2,65,35)"


def test_work_takes_time(log_work):
    with pytest.raises(IntegrityError, match="work_log_minutes_are_positive"):
        log_work(0)


def test_a_task_is_not_planned_for_less_than_no_time(scalar, repair_id):
    with pytest.raises(IntegrityError, match="repair_task_minutes_planned_are_not_negative"):
        scalar("update workshop.repair_task set minutes_planned = -1 where repair_id = :id", id=repair_id)


@pytest.mark.parametrize(("day", "covered"), [("2026-01-01", True), ("2026-03-31", True), ("2026-04-01", False)])
def test_a_warranty_ends_on_its_last_day(scalar, repair_id, day, covered):
    scalar(
        "insert into workshop.warranty (repair_id, position, covers) values (:id, 1, '[2026-01-01, 2026-04-01)')",
        id=repair_id,
    )

    assert scalar("select workshop.is_under_warranty(:id, :day)", id=repair_id, day=day) is covered
