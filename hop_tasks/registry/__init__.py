"""The registry: the meta tables in the database that say which releases it has had."""

from hop_tasks.registry.rows import (
    RegistryState,
    ReleaseRow,
    create_registry,
    insert_release,
    read_releases,
    read_state,
    update_commit,
)

__all__ = [
    "RegistryState",
    "ReleaseRow",
    "create_registry",
    "insert_release",
    "read_releases",
    "read_state",
    "update_commit",
]
