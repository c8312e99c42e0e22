"""The web shop, sales channels, appointments and refunds."""

from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

SET_SLUG = "update shop.product set slug = :slug where id = :id"
APPOINT = text("""
    insert into workshop.appointment (customer_id, bike_id, site, during)
    values (:customer_id, :bike_id, 'Harbour', :during)
""")


def test_a_product_without_a_slug_is_not_in_the_web_shop(scalar, product_id):
    with pytest.raises(IntegrityError, match="product_in_web_shop_has_slug"):
        scalar("update shop.product set in_web_shop = true where id = :id", id=product_id)


@pytest.mark.parametrize("slug", ["Test-bell", "test bell", "-test", "test--bell", "größe", ""])
def test_a_slug_is_fit_for_an_address(scalar, product_id, slug):
    with pytest.raises(IntegrityError, match="product_slug_is_well_formed"):
        scalar(SET_SLUG, slug=slug, id=product_id)


def test_two_products_never_share_a_slug(scalar, product_id):
    scalar(SET_SLUG, slug="test-bell-of-the-tests", id=product_id)

    with pytest.raises(IntegrityError, match="product_slug_key"):
        scalar(
            "insert into shop.product (sku, name, category_id, supplier_id, cost, price, slug)"
            " select 'ZZ-99998', name, category_id, supplier_id, cost, price, slug from shop.product where id = :id",
            id=product_id,
        )


def test_a_photo_is_described(scalar, product_id):
    with pytest.raises(IntegrityError, match="product_photo_is_described"):
        scalar("insert into shop.product_photo values (:id, 1, 'test-bell.webp', ' ')", id=product_id)


def test_the_old_till_sells_over_the_counter(scalar, sell):
    assert scalar("select channel from shop.sale where id = :id", id=sell(1)) == "counter"


def test_the_revenue_tells_the_channels_apart_and_leaves_out_returns(scalar, category_id, sell):
    sell(1)
    web_sale_id = sell(3)
    scalar("update shop.sale set channel = 'web' where id = :id", id=web_sale_id)
    scalar("insert into shop.sale_return (sold_on, sale_id, quantity) values ('2025-06-14', :id, 1)", id=web_sale_id)

    scalar("refresh materialized view shop.revenue_by_month")

    revenue = "select revenue from shop.revenue_by_month where category_id = :id and channel = :channel"
    assert scalar(revenue, id=category_id, channel="counter") == Decimal(20)
    assert scalar(revenue, id=category_id, channel="web") == Decimal(40)


def test_nobody_makes_an_appointment_for_another_ones_bicycle(connection, scalar, bike_id):
    stranger_id = scalar("insert into shop.customer_card (name) values ('Test Stranger') returning id")

    with pytest.raises(IntegrityError, match="appointment_bike_is_the_customers"):
        connection.execute(
            APPOINT,
            {"customer_id": stranger_id, "bike_id": bike_id, "during": "[2031-05-02 09:00+00, 2031-05-02 09:30+00)"},
        )


def test_a_site_sees_one_customer_at_a_time(connection, customer_id, bike_id):
    who = {"customer_id": customer_id, "bike_id": bike_id}
    connection.execute(APPOINT, {**who, "during": "[2031-05-02 09:00+00, 2031-05-02 09:30+00)"})

    with pytest.raises(IntegrityError, match="appointment_is_alone"):
        connection.execute(APPOINT, {**who, "during": "[2031-05-02 09:15+00, 2031-05-02 09:45+00)"})


def test_an_appointment_has_an_end(connection, customer_id, bike_id):
    with pytest.raises(IntegrityError, match="appointment_takes_up_to_an_hour"):
        connection.execute(
            APPOINT,
            {"customer_id": customer_id, "bike_id": bike_id, "during": "[2031-05-02 09:00+00, 2031-05-02 17:00+00)"},
        )


def test_a_returned_order_is_to_be_refunded(scalar, customer_id, product_id):
    order_id = scalar(
        """insert into shop."order" (customer_id, status) values (:id, 'returned') returning id""", id=customer_id
    )
    scalar("insert into shop.order_line values (:id, 1, :product_id, 2, 20, 0)", id=order_id, product_id=product_id)

    assert scalar("select total from shop.order_to_refund where order_id = :id", id=order_id) == Decimal(40)
