"""What the database promised before hop took it over, and has to keep promising."""

from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

ON_HAND = "select on_hand from shop.stock where product_id = :id"


def test_stock_follows_its_movements(scalar, product_id):
    scalar("insert into shop.stock_movement (product_id, quantity, reason) values (:id, -3, 'repair')", id=product_id)

    assert scalar(ON_HAND, id=product_id) == 7


def test_stock_cannot_become_negative(scalar, product_id):
    with pytest.raises(IntegrityError, match="stock_is_not_negative"):
        scalar(
            "insert into shop.stock_movement (product_id, quantity, reason) values (:id, -11, 'sale')", id=product_id
        )


def test_a_delivery_cannot_take_stock_away(scalar, product_id):
    with pytest.raises(IntegrityError, match="stock_movement_goes_the_right_way"):
        scalar("call shop.take_delivery(:id, -1)", id=product_id)


@pytest.mark.parametrize("change", ["update shop.stock_movement set quantity = 1", "delete from shop.stock_movement"])
def test_movements_are_never_changed(scalar, product_id, change):
    with pytest.raises(IntegrityError, match="is a journal"):
        scalar(f"{change} where product_id = :id", id=product_id)


def test_a_receipt_with_the_same_product_twice_takes_both_from_stock(connection, scalar, product_id, mechanic_id):
    connection.execute(
        text("""
            insert into shop.sale (sold_on, receipt_no, product_id, sold_by, quantity, unit_price, payment)
            values ('2025-06-14', 1, :product_id, :sold_by, 2, 20, 'cash'),
                   ('2025-06-14', 1, :product_id, :sold_by, 3, 18, 'cash')
        """),
        {"product_id": product_id, "sold_by": mechanic_id},
    )

    assert scalar(ON_HAND, id=product_id) == 5


def test_a_sale_is_kept_with_its_month(scalar, sell):
    sale_id = sell(1, sold_on="2025-06-30")

    partition = scalar("select tableoid::regclass::text from shop.sale where id = :id", id=sale_id)
    assert partition == "shop.sale_2025_06"


def test_making_a_partition_twice_changes_nothing(scalar):
    first = scalar("select shop.ensure_sale_partition('2031-05-17')::text")

    assert scalar("select shop.ensure_sale_partition('2031-05-01')::text") == first == "shop.sale_2031_05"


def test_no_more_is_returned_than_was_sold(connection, sell):
    give_back = text("insert into shop.sale_return (sold_on, sale_id, quantity) values ('2025-06-14', :id, :quantity)")
    sale_id = sell(2)
    connection.execute(give_back, {"id": sale_id, "quantity": 1})

    with pytest.raises(IntegrityError, match="3 returned, but only 2 sold"):
        connection.execute(give_back, {"id": sale_id, "quantity": 2})


def test_a_malformed_sku_is_refused(scalar, product_id):
    with pytest.raises(IntegrityError, match="sku_is_well_formed"):
        scalar("update shop.product set sku = 'zz-1' where id = :id", id=product_id)


def test_a_product_knows_its_margin(scalar, product_id):
    assert scalar("select margin from shop.product where id = :id", id=product_id) == Decimal(8)


def test_a_category_shows_its_path(scalar, category_id):
    assert scalar("select label from shop.category_path where id = :id", id=category_id) == "Test > Test bells"


def test_a_product_is_to_be_ordered_when_few_are_left(scalar, product_id, sell):
    suggested = "select suggested from shop.stock_to_order where product_id = :id"
    assert scalar(suggested, id=product_id) is None

    sell(7)

    assert scalar(suggested, id=product_id) == 5


def test_an_order_sums_its_lines_less_the_discounts(connection, scalar, customer_id, product_id):
    order_id = scalar('insert into shop."order" (customer_id) values (:id) returning id', id=customer_id)
    connection.execute(
        text("""
            insert into shop.order_line (order_id, line_no, product_id, quantity, unit_price, discount_percent)
            values (:order_id, 1, :product_id, 2, 20, 0), (:order_id, 2, :product_id, 1, 9.99, 5)
        """),
        {"order_id": order_id, "product_id": product_id},
    )

    assert scalar("select shop.order_total(:id)", id=order_id) == Decimal("49.49")


def test_the_revenue_sums_the_sales_of_a_month(scalar, category_id, sell):
    sell(2, sold_on="2025-06-01")
    sell(1, sold_on="2025-06-30")
    sell(1, sold_on="2025-07-01")

    scalar("refresh materialized view shop.revenue_by_month")

    revenue = "select sum(revenue) from shop.revenue_by_month where category_id = :id and month = '2025-06-01'"
    assert scalar(revenue, id=category_id) == Decimal(60)


def test_a_stand_holds_one_bicycle_at_a_time(connection, scalar, repair_id):
    stand_id = scalar("insert into workshop.stand (site, name) values ('Centre', 'Test stand') returning id")
    book = text("insert into workshop.stand_booking (stand_id, repair_id, during) values (:stand, :repair, :during)")
    where = {"stand": stand_id, "repair": repair_id}
    connection.execute(book, {**where, "during": "[2025-06-14 08:00+00, 2025-06-14 10:00+00)"})
    connection.execute(book, {**where, "during": "[2025-06-14 10:00+00, 2025-06-14 11:00+00)"})

    with pytest.raises(IntegrityError, match="stand_booking_is_alone"), connection.begin_nested():
        connection.execute(book, {**where, "during": "[2025-06-14 09:00+00, 2025-06-14 09:30+00)"})

    scalar("update workshop.stand_booking set cancelled_at = now() where stand_id = :id", id=stand_id)
    connection.execute(book, {**where, "during": "[2025-06-14 09:00+00, 2025-06-14 09:30+00)"})


def test_a_closed_repair_has_a_closing_date(scalar, repair_id):
    with pytest.raises(IntegrityError, match="repair_closed_on_follows_status"):
        scalar("update workshop.repair set status = 'done' where id = :id", id=repair_id)


def test_advancing_a_repair_closes_it(scalar, repair_id):
    assert scalar("select closed_on is not null from workshop.advance_repair(:id, 'done')", id=repair_id)
    assert scalar("select count(*) from workshop.open_repair where id = :id", id=repair_id) == 0


def test_a_closed_repair_is_not_opened_again(scalar, repair_id):
    scalar("select workshop.advance_repair(:id, 'done')", id=repair_id)

    with pytest.raises(IntegrityError, match="is done; it cannot become in_progress"):
        scalar("select workshop.advance_repair(:id, 'in_progress')", id=repair_id)


def test_advancing_a_repair_that_is_not_there_says_so(scalar):
    with pytest.raises(DBAPIError, match="there is no repair -1"):
        scalar("select workshop.advance_repair(-1, 'done')")


def test_an_open_repair_shows_its_total(scalar, repair_id):
    assert scalar("select total from workshop.open_repair where id = :id", id=repair_id) == Decimal(120)


def test_the_tag_names_the_rider_and_the_bicycle(scalar, repair_id):
    label = scalar("select workshop.repair_label(:id)", id=repair_id)

    assert label == f"R{repair_id} | Test Rider | Polder Tour"


def test_only_bicycles_with_a_motor_have_a_battery(scalar, bike_id):
    with pytest.raises(IntegrityError, match="bike_battery_belongs_to_e_bike"):
        scalar("""update workshop.bike set kind = 'road', battery = '{"wh": 500}' where id = :id""", id=bike_id)


def test_nobody_is_their_own_mentor(scalar, mechanic_id):
    with pytest.raises(IntegrityError, match="person_is_not_own_mentor"):
        scalar("update staff.person set mentor_id = id where id = :id", id=mechanic_id)


@pytest.mark.usefixtures("repair_id")
def test_the_planned_work_of_open_repairs_is_ahead(scalar, mechanic_id):
    assert scalar("select minutes_ahead from staff.workload where person_id = :id", id=mechanic_id) == 65
