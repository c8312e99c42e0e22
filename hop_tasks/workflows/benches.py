"""Where databases for tests are made: beside the development database, which is not copied, locked or changed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.database.admin import mark_of
from hop_tasks.database.leases import Leases, leasing
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.snapshots import WORK
from hop_tasks.templates import is_unknown, remove_test_leftovers
from hop_tasks.workflows.bases import require_known_state
from hop_tasks.workflows.roles import require_databases
from hop_tasks.workflows.workspace import Workspace

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection

VERB = "test"
"""What the sessions that make databases for tests are called by."""


@dataclass(frozen=True)
class Bench:
    """What makes databases for tests, in one process that runs tests.

    Attributes:
        workspace: of the project.
        admin, leases: on the server, as long as the tests run.
        of: the development database, beside which they are made.
        scratch: the copy that `hop release` has made to be tested, if that runs the tests.
        run: which run of the tests this is; the same in all processes of one run.
        fresh: make each template anew, once a run.
        keep: leave the databases there, to be looked at.
    """

    workspace: Workspace
    admin: Connection
    leases: Leases
    of: str
    scratch: str | None
    run: str
    fresh: bool
    keep: bool


@contextmanager
def open_bench(
    project: Project,
    *,
    run: str | None = None,
    fresh: bool = False,
    keep: bool = False,
    reporter: Reporter = DEFAULT_REPORTER,
) -> Iterator[Bench]:
    """A Bench for as long as the body runs. What tests that were killed have left behind is dropped.

    Args:
        project: the project.
        run: which run of the tests it is; those of one run in several processes say the same.
        fresh: make each template anew.
        keep: leave the databases there; those that an earlier run has left so are dropped.
        reporter: told what is done.

    Raises ModeError in production, and for a database that is stamped as production or may be; StateError for one of
    another project, or one that hop does not know; DatabaseError for a role that may not create databases.
    """
    project.require_development("pytest")
    workspace = Workspace.open(project, reporter)
    database, run = workspace.database, run or secrets.token_hex(8)
    with leasing(database, VERB) as (admin, leases):
        require_databases(admin, "pytest")
        state = workspace.read_state(admin)
        if state is not None and (state.exists or is_unknown(database)):
            require_known_state(workspace, state, "pytest")
        mark = mark_of(admin, database.name)
        of = database.name if mark is None else mark.of
        scratch = database.name if mark is not None and mark.kind == WORK else None
        remove_test_leftovers(admin, leases, database, of, run=run, kept=keep or fresh)
        yield Bench(workspace, admin, leases, of, scratch, run, fresh, keep)
