"""Fingerprints of a database's schema, and the text of its dump.

A catalog has an object for all that a schema dump would have, told in PostgreSQL's words and free of OIDs, of the order
in which things were made, and of names that one server has and another has not. What is left out, and why:

- owners, privileges, default privileges, security labels, roles, tablespaces, and the settings, encoding and comment of
  the database: they belong to a server and to those who run it, not to a release;
- rows, sequence values, statistics, whether a materialized view is populated: they are data;
- what belongs to an extension, and the extension's version: the extension itself answers for them. An index or a
  trigger on an extension's table is left out with the table;
- ``pg_catalog``, ``information_schema``, TOAST tables, temporary objects, and the registry's schemas;
- the schema ``public`` and the extension ``plpgsql``: every database is born with them, and no dump says whether they
  were dropped. What ``public`` holds counts, and so does a comment of one's own on it;
- options of foreign servers that say where they stand or hold secrets, and all options of user mappings;
- subscriptions: they hold secrets, only a superuser can read them, and each says where another server stands;
- conversions, procedural languages, transforms, access methods, parsers and templates of text search: they need
  functions in C, which come with an extension;
- the names of ``NOT NULL`` constraints, which servers before PostgreSQL 18 do not keep, and whether the triggers behind
  a foreign key are disabled, which no dump says.

On one major version the same schema has the same fingerprint, however it came about: by patches or from a dump. Between
major versions it differs where PostgreSQL itself tells of it differently: servers before 16 write ``sale.price`` where
later ones write ``price`` in views and materialized views of one table, those before 15 have no unlogged sequences, and
those before 14 leave out the ``IN`` of a procedure's parameters and count more functions as an operator class's own.
"""

from hop_tasks.catalog.dumping import dump_schema, dump_with_rows
from hop_tasks.catalog.introspection import has_user_objects, read_catalog
from hop_tasks.catalog.objects import Catalog, CatalogDifference, CatalogObject
from hop_tasks.catalog.schema_dump import normalise_dump

__all__ = [
    "Catalog",
    "CatalogDifference",
    "CatalogObject",
    "dump_schema",
    "dump_with_rows",
    "has_user_objects",
    "normalise_dump",
    "read_catalog",
]
