"""The Invoke tasks: `from hop_tasks.tasks import *` in a project's tasks.py."""

from hop_tasks.tasks.apply import apply
from hop_tasks.tasks.backups import backups
from hop_tasks.tasks.import_ import import_
from hop_tasks.tasks.init import init
from hop_tasks.tasks.new import new
from hop_tasks.tasks.prepare import prepare
from hop_tasks.tasks.release import release
from hop_tasks.tasks.restore import restore
from hop_tasks.tasks.server import server
from hop_tasks.tasks.snapshots import snapshots
from hop_tasks.tasks.status import status
from hop_tasks.tasks.sync_package import sync_package
from hop_tasks.tasks.undo import undo
from hop_tasks.tasks.upgrade import upgrade
from hop_tasks.tasks.watch import watch

__all__ = [
    "apply",
    "backups",
    "import_",
    "init",
    "new",
    "prepare",
    "release",
    "restore",
    "server",
    "snapshots",
    "status",
    "sync_package",
    "undo",
    "upgrade",
    "watch",
]
