"""A release that is more than one transaction: step by step, each with its row in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hop_tasks.checkpoints import checkpoint
from hop_tasks.database.clients import find_client
from hop_tasks.database.engines import Database, explain_errors, settle_session
from hop_tasks.database.interrupts import cancelled_by_signals
from hop_tasks.database.locks import require_lock
from hop_tasks.database.statements import server_version
from hop_tasks.errors import DatabaseError, HopError, LockedError, PatchError, StateError, UncertainError
from hop_tasks.registry import (
    DONE,
    PLANNED,
    RUNNING,
    TAKEN_OVER,
    StepRow,
    abandon_step,
    claiming_statement,
    finish_step,
    finish_transaction,
    finishing_statement,
    plan_steps,
    read_steps,
    start_step,
)
from hop_tasks.report import Reporter
from hop_tasks.scripts import (
    ROLLED_BACK,
    FileRun,
    Outcome,
    Probe,
    PsqlStep,
    StatementStep,
    TransactionStep,
    clean_up_failure,
    failing_with,
    failure_at,
    look_after,
    look_before,
    names_as_in,
    run_psql,
    run_statement,
    verify,
)
from hop_tasks.workflows.committing import Finish, IsThere
from hop_tasks.workflows.manner import Manner
from hop_tasks.workflows.reading import Deployable

if TYPE_CHECKING:
    from hop_tasks.database.connections import Connection


@dataclass(frozen=True)
class Stepper:
    """Brings one release into a database step by step, from where an earlier attempt came to.

    Attributes:
        database: the database.
        release: the release.
        manner: how.
        in_transaction: runs a step in a transaction of its own, with a last act in it.
        insist: does again what could not have a lock; given the server's process that may wait for one.
        reporter: told what is done.
    """

    database: Database
    release: Deployable
    manner: Manner
    in_transaction: Callable[[TransactionStep, Finish, IsThere], tuple[FileRun, ...]]
    insist: Callable[[Callable[[], FileRun], Connection], FileRun]
    reporter: Reporter

    def run(self, finish: Finish, is_registered: IsThere) -> tuple[FileRun, ...]:
        """Run the steps that are not done yet.

        `finish` notes the release in the last transaction, and `is_registered` says
        whether that has been done.
        """
        steps = self.release.scripts.steps
        files: tuple[FileRun, ...] = ()
        # It waits for nothing while a transaction runs, and has no snapshot then.
        with self.database.connect(autocommit=True) as journal, cancelled_by_signals(journal):
            settle_session(journal, pooled=True)
            rows = self._plan(journal)
            for row, step in zip(rows, steps, strict=True):
                if row.state == DONE:
                    self.reporter.note(f"step {row.number} of {len(rows)} was done before: {row.title}")
                    continue
                with failing_with(self._outcome(row, step)):
                    if isinstance(step, TransactionStep):
                        files += self._transaction(row, step, finish if row is rows[-1] else None)
                    else:
                        files += self._alone(journal, row, step)
        if not isinstance(steps[-1], TransactionStep):
            files += self.in_transaction(TransactionStep(()), finish, is_registered)
        return _by_file(files)

    def _plan(self, journal: Connection) -> tuple[StepRow, ...]:
        version = self.release.version
        planned = [(step.title, step.checksum) for step in self.release.scripts.steps]
        rows = read_steps(journal, version)
        if all(row.state == PLANNED for row in rows):
            checkpoint("journal.before_plan")
            rows = plan_steps(journal, version, planned)
            checkpoint("journal.after_plan")
            self.reporter.note(f"{version} is {len(rows)} steps, since not all of it can be in one transaction")
        if [(row.title, row.checksum) for row in rows] != planned:
            raise StateError(
                f"{version} was begun on {self.database.name} with other steps than it has now; nothing was changed",
                hint="go on with the hop that began it; or hop restore brings back the state before",
            )
        return rows

    def _outcome(self, row: StepRow, step: StatementStep | PsqlStep | TransactionStep) -> str:
        if not self.manner.kept:
            return ROLLED_BACK
        before = ("", "; the step before it is done and stays")[row.number > 1]
        if row.number > 2:
            before = f"; the {row.number - 1} steps before it are done and stay"
        if isinstance(step, StatementStep):
            partly = step.solo.probe in (Probe.UNKNOWN, Probe.REPEATABLE)
            done = "what it had committed before stays" if partly else "it was not done"
            return f"{done}{before}"
        if isinstance(step, PsqlStep) and step.declaration is not None:
            return f"psql stopped there, what it had done stays{before}"
        return f"rolled back{before}" if before else ROLLED_BACK

    def _transaction(self, row: StepRow, step: TransactionStep, finish: Finish | None) -> tuple[FileRun, ...]:
        def note(connection: Connection) -> None:
            finish_transaction(connection, self.release.version, row.number)
            if finish is not None:
                finish(connection)

        def is_done(connection: Connection) -> bool:
            return read_steps(connection, self.release.version)[row.number - 1].state == DONE

        return self.in_transaction(step, note, is_done)

    def _alone(self, journal: Connection, row: StepRow, step: StatementStep | PsqlStep) -> tuple[FileRun, ...]:
        require_lock()
        if row.state == RUNNING:
            # A psql of the run before may be on its way to the server still: from here on it is refused there.
            row = start_step(journal, self.release.version, row, row.before)
            if self._was_done(journal, row, step):
                self.reporter.note(f"step {row.number} was interrupted, and is found done: {row.title}")
                finish_step(journal, self.release.version, row)
                return ()
        if isinstance(step, StatementStep):
            return (self._statement(journal, row, step),)
        return (self._psql(journal, row, step),)

    def _was_done(self, journal: Connection, row: StepRow, step: StatementStep | PsqlStep) -> bool:
        """Whether a step during which hop died was done. Raises UncertainError where nobody can tell."""
        if isinstance(step, StatementStep):
            with names_as_in(journal, step):
                outcome = look_after(journal, step.solo, row.before, self.reporter)
        elif step.declaration is None or step.repeatable:
            outcome = Outcome.NOT_DONE  # its own transaction would have said so
        else:
            outcome = Outcome.UNKNOWN
        if outcome is not Outcome.UNKNOWN:
            return outcome is Outcome.DONE
        answer = self.manner.interrupted_step
        if answer is not None and (answer.version, answer.number) == (self.release.version, row.number):
            return answer.was_done
        name = f"{self.release.version}/{row.number}"
        raise UncertainError(
            f"step {row.number} of {self.release.version} ({row.title}) was interrupted or failed while it ran, and "
            "the server cannot tell what of it was done; nothing was changed",
            hint=f"look what it has done, then hop upgrade --interrupted-step={name}=done, "
            f"or ={name}=repeat to run it again",
        )

    def _statement(self, journal: Connection, row: StepRow, step: StatementStep) -> FileRun:
        version = self.release.version
        with names_as_in(journal, step):
            before = look_before(journal, step.solo)
        if "problem" in before:
            raise failure_at(step, f"{before['problem']}; {ROLLED_BACK}")
        row = start_step(journal, version, row, before)
        checkpoint("step.before")
        failed: list[PatchError] = []

        def cleaned_up() -> bool:
            with names_as_in(journal, step):
                return clean_up_failure(journal, step.solo, before, self.reporter)

        def attempt() -> FileRun:
            if failed and not cleaned_up():
                raise failed[-1]
            try:
                with failing_with(self._outcome(row, step)):
                    return run_statement(journal, step, lock_timeout=self.manner.lock_timeout, reporter=self.reporter)
            except PatchError as error:
                failed.append(error)
                raise

        try:
            require_lock()
            # What has committed something before it could not have a lock must not be done again.
            run = attempt() if step.solo.probe is Probe.UNKNOWN else self.insist(attempt, journal)
            checkpoint("step.after")
            with names_as_in(journal, step):
                problem = verify(journal, step.solo)
            if problem is not None:
                raise failure_at(step, f"{problem}; {ROLLED_BACK}")
        except PatchError:
            # With the connection lost nobody knows yet: the next attempt finds out.
            with suppress(DatabaseError, PatchError), explain_errors(self.database.shown):
                if cleaned_up():
                    abandon_step(journal, version, row)
            raise
        finish_step(journal, version, row)
        checkpoint("step.marked")
        return run

    def _psql(self, journal: Connection, row: StepRow, step: PsqlStep) -> FileRun:
        version = self.release.version
        in_transaction = step.declaration is None
        program = find_client("psql", server_version(journal), folder=self.manner.programs)
        row = start_step(journal, version, row, {})
        checkpoint("psql.before")

        def attempt() -> FileRun:
            with failing_with(self._outcome(row, step)):
                return run_psql(
                    step.file,
                    root=self.release.root(),
                    place=self.database.address,
                    program=program,
                    lock_timeout=self.manner.lock_timeout,
                    before=claiming_statement(journal, version, row),
                    after=finishing_statement(journal, version, row) if in_transaction else "",
                    single_transaction=in_transaction,
                    reporter=self.reporter,
                )

        try:
            require_lock()
            # What psql has committed before it failed must not be done again.
            again = in_transaction or step.repeatable
            run = self.insist(attempt, journal) if again else attempt()
        except HopError as error:
            if isinstance(error, PatchError) and error.sqlstate == TAKEN_OVER:
                raise LockedError(
                    f"step {row.number} of {version} ({row.title}) was begun or done by another hop meanwhile; "
                    "this one did nothing of it",
                    hint="hop shows how far it has come",
                ) from error
            # It may have been committed although psql has not heard of it.
            if not in_transaction or not abandon_step(journal, version, row):
                raise
            self.reporter.warn(f"psql failed, but the server says that {row.title} is committed")
            run = FileRun(step.file.path, 0.0, 0)
        checkpoint("psql.after")
        if not in_transaction:
            finish_step(journal, version, row)
        return run


def _by_file(runs: Iterable[FileRun]) -> tuple[FileRun, ...]:
    """One run for each file, also for those that were cut into several steps."""
    found: dict[str, FileRun] = {}
    for run in runs:
        before = found.get(run.path, FileRun(run.path, 0.0, 0))
        found[run.path] = FileRun(run.path, before.seconds + run.seconds, before.rows + run.rows)
    return tuple(found.values())
