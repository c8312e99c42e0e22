"""The service `foreign`: what other tools have left in a folder or a repository, read and never changed."""

from hop_tasks.foreign.half_orm import (
    CONFIG,
    ConnectionFile,
    HalfOrmProject,
    connection_path,
    find_half_orm_project,
    read_connection_file,
)

__all__ = [
    "CONFIG",
    "ConnectionFile",
    "HalfOrmProject",
    "connection_path",
    "find_half_orm_project",
    "read_connection_file",
]
