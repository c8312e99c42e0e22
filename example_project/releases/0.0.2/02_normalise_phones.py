"""Rewrite the phone numbers of customers as +<country code><number>.

The country of a number without a country code is the one of the customer's address. What cannot be
read as a number moves to shop.phone_to_check.
"""

import re

from sqlalchemy import Connection, text

BATCH_SIZE = 2000
COUNTRY_CODES = {"BE": "32", "NL": "31", "FR": "33", "DE": "49"}

NEXT_BATCH = text("""
    select id, phone, address ->> 'country' as country
      from shop.customer
     where id > :after and phone is not null
     order by id
     limit :size
""")
KEEP_UNREADABLE = text("""
    insert into shop.phone_to_check (customer_id, phone)
    select customer_id, phone
      from unnest(cast(:ids as integer[]), cast(:phones as text[])) as unreadable (customer_id, phone)
        on conflict (customer_id) do update set phone = excluded.phone
""")
REWRITE = text("""
    update shop.customer as c
       set phone = new.phone
      from unnest(cast(:ids as integer[]), cast(:phones as text[])) as new (id, phone)
     where c.id = new.id
       and c.phone is distinct from new.phone
""")


def international(written: str, country: str | None) -> str | None:
    """The number as +<digits> (E.164), or None where it cannot be told."""
    digits = re.sub(r"\D", "", written.replace("(0)", ""))
    if written.lstrip().startswith("+"):
        number = digits
    elif digits.startswith("00"):
        number = digits[2:]
    elif digits.startswith("0") and country in COUNTRY_CODES:
        number = COUNTRY_CODES[country] + digits[1:]
    else:
        return None
    # E.164 allows 15 digits; shorter than 7 is an extension or a slip of the pen.
    return f"+{number}" if re.fullmatch(r"[1-9][0-9]{6,14}", number) else None


def apply(connection: Connection) -> None:
    """Normalise every customer's phone number, a batch at a time in the order of the ids."""
    after = 0
    while rows := connection.execute(NEXT_BATCH, {"after": after, "size": BATCH_SIZE}).all():
        numbers = {row.id: international(row.phone, row.country) for row in rows}
        unreadable = {row.id: row.phone for row in rows if numbers[row.id] is None}
        if unreadable:
            connection.execute(KEEP_UNREADABLE, {"ids": list(unreadable), "phones": list(unreadable.values())})
        connection.execute(REWRITE, {"ids": list(numbers), "phones": list(numbers.values())})
        after = rows[-1].id
