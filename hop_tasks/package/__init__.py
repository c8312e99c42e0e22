"""The service `package`: the Python modules of a project that mirror its database, released together with it."""

from hop_tasks.package.generated import generated_files
from hop_tasks.package.generators import GENERATED_MARK, GENERATORS, Generator, find_generator
from hop_tasks.package.memory import Memory
from hop_tasks.package.synchronising import Synchronised, differences, has_mark, synchronise

__all__ = [
    "GENERATED_MARK",
    "GENERATORS",
    "Generator",
    "Memory",
    "Synchronised",
    "differences",
    "find_generator",
    "generated_files",
    "has_mark",
    "synchronise",
]
