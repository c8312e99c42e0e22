"""Which commands are interrupted, where, and how."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import hop_tasks
from tests.faults import places
from tests.playground import Playground
from tests.workflows.shelf import Shelf, database_of, maintain
from tests.workflows.sparing import settled


class Fault(Enum):
    """What goes wrong while a command is at a checkpoint."""

    KILL = "hop is killed with SIGKILL"
    TERMINATE = "the server ends the sessions of hop"
    CRASH = "the server stops at once, and is started again"


@dataclass(frozen=True)
class Scenario:
    """A command that is interrupted.

    Attributes:
        name: for a person.
        command: what hop is given.
        place: where.
        checkpoints: those that it comes to.
        before: what is done there before it; the place as it goes on.
        once: whether it is refused where its work is done already.
        background: whether it is the process that it leaves in the background that comes to the checkpoints.
    """

    name: str
    command: tuple[str, ...]
    place: Callable[[Shelf, Playground], Playground]
    checkpoints: tuple[str, ...]
    before: Callable[[Playground], Playground] = lambda place: place
    once: bool = False
    background: bool = False


DEPLOYING = (
    "deploy.before_begin",
    "file.before",
    "file.after",
    "deploy.before_registry",
    "deploy.before_commit",
    "deploy.after_commit",
)
STEPPING = (
    "journal.before_plan",
    "journal.after_plan",
    "step.before",
    "step.after",
    "step.marked",
    "psql.before",
    "psql.after",
)
BACKING_UP = (
    "backup.before_dump",
    "backup.after_dump",
    "backup.before_rename",
    "backup.between_renames",
    "backup.after_rename",
)
WRITING = ("package.staged", "package.between_files")
SWAPPING = ("swap.before_begin", "swap.between_renames", "swap.before_commit", "swap.after_commit")
RESTORING = (
    "restore.before_create",
    "restore.after_create",
    "restore.after_load",
    "restore.before_swap",
    "restore.after_swap",
)

PREPARING = (
    "prepare.before_push",
    "prepare.after_push",
    "prepare.before_refs",
    "prepare.after_refs",
    "prepare.after_switch",
)
PUBLISHING = (
    "release.before_tag_object",
    "publish.before_push",
    "publish.after_push",
    "publish.before_refs",
    "publish.after_refs",
    "publish.after_switch",
    "publish.before_branch",
    "publish.after_branch",
)
ADOPTING = (
    "adopt.before_tag",
    "adopt.after_tag",
    "adopt.after_commit",
    "adopt.before_registry",
    "adopt.after_registry",
)

TAKING = ("spare.before_take", "spare.after_take")
MAKING = (
    "spare.after_drop",
    "spare.before_create",
    "spare.after_create",
    "spare.before_mark",
    "spare.after_mark",
)


DUMPING = ("dump.begun", "dump.before_rename", "dump.between_renames")
LOADING = ("load.kept", "load.wiped", "load.before_commit", "load.after_commit")


def upgrade(place: Playground) -> Playground:
    """With the backup that comes of it."""
    place.hop("upgrade").succeeds()
    return place


def upgrade_and_drop(place: Playground) -> Playground:
    """With nothing left but the backup."""
    upgrade(place)
    maintain(place, f"DROP DATABASE {database_of(place)}")
    return place


def apply_and_settle(place: Playground) -> Playground:
    """With a spare."""
    place.hop("apply").succeeds()
    settled(place)
    return place


def type_in(place: Playground) -> Playground:
    """By a role that cannot create databases, after the last `before_apply`."""
    place = places.of_its_role(place)
    place.sql("INSERT INTO customer (name) VALUES ('typed in twice')")
    return place


def index_concurrently(place: Playground) -> Playground:
    """The same, with a release that is more than one transaction."""
    place = type_in(place)
    place.write("Patches/0/0/1/02_index.sql", "CREATE INDEX CONCURRENTLY customer_name ON customer (name);\n")
    place.commit("index")
    return place


def forget(place: Playground) -> Playground:
    """The same role at the base, of which there is no dump."""
    place = places.of_its_role(place)
    place.hop("undo").succeeds()
    shutil.rmtree(place.folder / ".hop/snapshots")
    return place


SCENARIOS = (
    Scenario("upgrade", ("upgrade",), places.behind, ("lock.held", "audit.begun", *BACKING_UP, *DEPLOYING, *STEPPING)),
    Scenario("begin", ("upgrade",), places.empty, ("found.before_commit", "found.after_commit")),
    Scenario("restore", ("restore", "0.0.1"), places.behind, (*RESTORING, *SWAPPING), before=upgrade),
    Scenario("return", ("restore", "0.0.1"), places.behind, ("restore.between_renames",), before=upgrade_and_drop),
    Scenario("apply", ("apply",), places.changed, ("deploy.before_commit", "deploy.after_commit", *WRITING, *SWAPPING)),
    Scenario("again", ("apply",), places.spared, TAKING, before=apply_and_settle),
    Scenario("spare", ("apply",), places.spared, MAKING, background=True),
    Scenario("in place", ("apply",), places.dumped, (*DUMPING, *LOADING), before=type_in),
    Scenario("base dump", ("apply",), places.dumped, ("dump.begun", "dump.before_rename"), before=forget),
    Scenario("steps in place", ("apply",), places.dumped, ("step.before", "step.after"), before=index_concurrently),
    Scenario("undo in place", ("undo",), places.dumped, ("load.wiped",), before=type_in, once=True),
    Scenario("undo", ("undo",), places.ready, SWAPPING, once=True),
    Scenario("prepare", ("prepare", "-l", "patch", "-m", "next", "--push"), places.idle, PREPARING, once=True),
    Scenario("release", ("release", "--push"), places.ready, PUBLISHING, once=True),
    Scenario("adopt", ("init", "--devel"), places.half_orms, ADOPTING, once=True),
)


def checkpoints_of(package: Path) -> set[str]:
    """The names of all checkpoints in a package's source."""
    names = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "checkpoint":
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: a name that cannot be read here"
                names.add(str(node.args[0].value))
    return names


SOURCE = Path(hop_tasks.__file__).parent
