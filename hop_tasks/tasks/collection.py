"""All tasks as one Invoke collection, for the `hop` script and for a tasks.py that wants them in a namespace."""

from __future__ import annotations

from importlib import import_module

from invoke.collection import Collection

VERBS = (
    "status",
    "new",
    "init",
    "prepare",
    "import_",
    "apply",
    "watch",
    "undo",
    "release",
    "upgrade",
    "restore",
    "backups",
    "snapshots",
    "sync_package",
    "server",
)
DEFAULT_VERB = "status"


def namespace(name: str | None = None) -> Collection:
    """A new collection of all tasks; `status` is its default.

    It is not exported by `import *`, since Invoke takes a module's `namespace` or `ns` for the whole of its tasks.
    """
    collection = Collection(name) if name else Collection()
    for verb in VERBS:
        task = getattr(import_module(f"hop_tasks.tasks.{verb}"), verb)
        collection.add_task(task, default=verb == DEFAULT_VERB)
    return collection
