"""The tools that are measured: psql's floor, hop, and its peers, each brought to do the same work."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.alembic import Alembic
from tests.benchmarks.subjects.base import Subject
from tests.benchmarks.subjects.dbmate import Dbmate
from tests.benchmarks.subjects.django import Django
from tests.benchmarks.subjects.floor import Floor
from tests.benchmarks.subjects.half_orm import HalfOrm
from tests.benchmarks.subjects.hop import Hop
from tests.benchmarks.subjects.pgmigrate import Pgmigrate
from tests.benchmarks.subjects.yoyo import Yoyo

PEERS: dict[str, Callable[[Server, Environment], Subject]] = {
    "dbmate": Dbmate,
    "alembic": Alembic,
    "django": Django,
    "pgmigrate": Pgmigrate,
    "yoyo": Yoyo,
    "half-orm": HalfOrm,
}
"""In the order in which they are shown."""

__all__ = ["PEERS", "Floor", "Hop", "Subject"]
