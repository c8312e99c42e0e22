"""The public functions and values, all of them: what `hop_tasks` gives away one by one, when it is asked for them."""

from hop_tasks.errors import HopError
from hop_tasks.foreign import Tool
from hop_tasks.project import Project
from hop_tasks.report import LoggingReporter, Reporter
from hop_tasks.settings import Settings
from hop_tasks.versions import Level, Version
from hop_tasks.workflows.adopting import Adopted, adopt_project, plan_adoption
from hop_tasks.workflows.adopting_plan import AdoptionPlan
from hop_tasks.workflows.apply import AppliedRelease, apply_release
from hop_tasks.workflows.backups import BackupList, Pruned, drop_replaced_databases, list_backups, prune_backups
from hop_tasks.workflows.benches import Bench, open_bench
from hop_tasks.workflows.founding import Founded
from hop_tasks.workflows.import_ import ImportedFile, ImportPlan, import_migrations, plan_import
from hop_tasks.workflows.init import initialise_project
from hop_tasks.workflows.new import create_project
from hop_tasks.workflows.planning import UpgradePlan, plan_upgrade
from hop_tasks.workflows.prepare import NextRelease, PreparedRelease, next_releases, prepare_release
from hop_tasks.workflows.release import PublishedRelease, release_prepared
from hop_tasks.workflows.restore import restore_database
from hop_tasks.workflows.restored import Restored
from hop_tasks.workflows.server import start_server, stop_server
from hop_tasks.workflows.snapshots import SnapshotList, list_snapshots, prune_snapshots
from hop_tasks.workflows.status import Status, read_status
from hop_tasks.workflows.sync_package import synchronise_package
from hop_tasks.workflows.testing import (
    HopDatabase,
    ReleaseDatabase,
    prepare_release_database,
    prepare_test_database,
)
from hop_tasks.workflows.undo import UndoneRelease, undo_release
from hop_tasks.workflows.upgrade import Upgraded, upgrade_database
from hop_tasks.workflows.watch import CommandRun, WatchRound, watch_release

__all__ = [
    "Adopted",
    "AdoptionPlan",
    "AppliedRelease",
    "BackupList",
    "Bench",
    "CommandRun",
    "Founded",
    "HopDatabase",
    "HopError",
    "ImportPlan",
    "ImportedFile",
    "Level",
    "LoggingReporter",
    "NextRelease",
    "PreparedRelease",
    "Project",
    "Pruned",
    "PublishedRelease",
    "ReleaseDatabase",
    "Reporter",
    "Restored",
    "Settings",
    "SnapshotList",
    "Status",
    "Tool",
    "UndoneRelease",
    "UpgradePlan",
    "Upgraded",
    "Version",
    "WatchRound",
    "adopt_project",
    "apply_release",
    "create_project",
    "drop_replaced_databases",
    "import_migrations",
    "initialise_project",
    "list_backups",
    "list_snapshots",
    "next_releases",
    "open_bench",
    "plan_adoption",
    "plan_import",
    "plan_upgrade",
    "prepare_release",
    "prepare_release_database",
    "prepare_test_database",
    "prune_backups",
    "prune_snapshots",
    "read_status",
    "release_prepared",
    "restore_database",
    "start_server",
    "stop_server",
    "synchronise_package",
    "undo_release",
    "upgrade_database",
    "watch_release",
]
