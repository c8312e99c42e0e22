"""Phone numbers are in international form."""

import pytest
from sqlalchemy.exc import IntegrityError

SET_PHONE = "update shop.customer set phone = :phone where id = :id returning phone"


@pytest.mark.parametrize("phone", ["0475123456", "+32 475 12 34 56", "0032475123456", "+0475123456", "see e-mail"])
def test_a_number_in_another_form_is_refused(scalar, customer_id, phone):
    with pytest.raises(IntegrityError, match="customer_phone_is_international"):
        scalar(SET_PHONE, phone=phone, id=customer_id)


def test_an_international_number_is_kept(scalar, customer_id):
    assert scalar(SET_PHONE, phone="+32475123456", id=customer_id) == "+32475123456"


def test_a_customer_needs_no_number(scalar, customer_id):
    assert scalar(SET_PHONE, phone=None, id=customer_id) is None


def test_a_number_to_check_goes_with_its_customer(scalar, customer_id):
    scalar("insert into shop.phone_to_check (customer_id, phone) values (:id, 'see e-mail')", id=customer_id)

    scalar("delete from shop.customer where id = :id", id=customer_id)

    assert scalar("select count(*) from shop.phone_to_check where customer_id = :id", id=customer_id) == 0
