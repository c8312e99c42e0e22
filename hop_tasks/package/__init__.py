"""The service `package`: the Python modules of a project that mirror its database, released together with it."""

from hop_tasks.package.earlier import EARLIER_MODULE
from hop_tasks.package.generators import COMMAND, GENERATORS, HALF_ORM, Generator, find_generator
from hop_tasks.package.half_orm_connection import half_orm_connection
from hop_tasks.package.memory import Memory
from hop_tasks.package.merging import merge_versions
from hop_tasks.package.seals import (
    BEGIN_KEPT,
    END_KEPT,
    GENERATED_MARK,
    KEPT_MARK,
    ONCE_MARK,
    is_generated,
    kept_parts,
)
from hop_tasks.package.synchronising import Synchronised, differences, generated_files, synchronise

__all__ = [
    "BEGIN_KEPT",
    "COMMAND",
    "EARLIER_MODULE",
    "END_KEPT",
    "GENERATED_MARK",
    "GENERATORS",
    "HALF_ORM",
    "KEPT_MARK",
    "ONCE_MARK",
    "Generator",
    "Memory",
    "Synchronised",
    "differences",
    "find_generator",
    "generated_files",
    "half_orm_connection",
    "is_generated",
    "kept_parts",
    "merge_versions",
    "synchronise",
]
