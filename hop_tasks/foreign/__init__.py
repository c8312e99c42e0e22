"""The service `foreign`: what other tools have left in a folder, a repository or a database, read and never changed."""

from hop_tasks.foreign.half_orm import (
    CONFIG,
    ConnectionFile,
    HalfOrmProject,
    connection_path,
    find_half_orm_project,
    read_connection_file,
)
from hop_tasks.foreign.histories import History, read_histories
from hop_tasks.foreign.migrations import Migration, MigrationSet, SetAside, Tool
from hop_tasks.foreign.recognising import read_migrations

__all__ = [
    "CONFIG",
    "ConnectionFile",
    "HalfOrmProject",
    "History",
    "Migration",
    "MigrationSet",
    "SetAside",
    "Tool",
    "connection_path",
    "find_half_orm_project",
    "read_connection_file",
    "read_histories",
    "read_migrations",
]
