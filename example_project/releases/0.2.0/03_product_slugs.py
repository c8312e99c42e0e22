"""Give every product that is still sold a slug: its name in the letters that an address may have.

SQL would need the extension unaccent and a loop for equal names; the standard library has both.
"""

import re
import unicodedata
from collections.abc import Iterator

from sqlalchemy import Connection, text

BATCH_SIZE = 500
# Letters that Unicode does not take apart into a plain one and an accent, and signs that are read aloud.
SPELLED_OUT = str.maketrans(
    {"ł": "l", "ø": "o", "ß": "ss", "æ": "ae", "œ": "oe", "\N{LATIN SMALL LETTER DOTLESS I}": "i"}
    | {"&": " and ", "+": " plus"}
)

TAKEN = text("select slug from shop.product where slug is not null")
NEXT_BATCH = text("""
    select id, name
      from shop.product
     where id > :after and slug is null and discontinued_on is null
     order by id
     limit :size
""")
STORE = text("""
    update shop.product as p
       set slug = new.slug
      from unnest(cast(:ids as integer[]), cast(:slugs as text[])) as new (id, slug)
     where p.id = new.id
""")


def slugify(name: str) -> str:
    """The name in lower-case ASCII letters, digits and single hyphens; empty if nothing is left of it."""
    spelled = name.lower().translate(SPELLED_OUT).replace("'", "")
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def candidates(name: str) -> Iterator[str]:
    """The slug of a name, then the same with -2, -3 and so on."""
    slug = slugify(name) or "product"
    yield slug
    number = 2
    while True:
        yield f"{slug}-{number}"
        number += 1


def apply(connection: Connection) -> None:
    """Fill shop.product.slug, a batch at a time; of equal names the oldest product has the plain slug."""
    taken = set(connection.execute(TAKEN).scalars())
    after = 0
    while rows := connection.execute(NEXT_BATCH, {"after": after, "size": BATCH_SIZE}).all():
        slugs: dict[int, str] = {}
        for row in rows:
            slugs[row.id] = next(slug for slug in candidates(row.name) if slug not in taken)
            taken.add(slugs[row.id])
        connection.execute(STORE, {"ids": list(slugs), "slugs": list(slugs.values())})
        after = rows[-1].id
