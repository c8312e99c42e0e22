"""The service `package`: the Python modules of a project that mirror its database, released together with it."""

from hop_tasks.package.generated import generated_files
from hop_tasks.package.generators import GENERATED_MARK, GENERATORS, Generator, find_generator
from hop_tasks.package.synchronising import Synchronised, differences, has_mark, synchronise
from hop_tasks.package.tables import imported_on_use

__all__ = [
    "GENERATED_MARK",
    "GENERATORS",
    "Generator",
    "Synchronised",
    "differences",
    "find_generator",
    "generated_files",
    "has_mark",
    "imported_on_use",
    "synchronise",
]
