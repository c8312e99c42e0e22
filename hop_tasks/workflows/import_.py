"""Importing the migrations of another tool: they become the patch files of the release in preparation."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.database.admin import database_exists
from hop_tasks.errors import PatchError, ProjectError, StateError, UsageError
from hop_tasks.foreign import Tool, read_histories, read_migrations
from hop_tasks.project import Project
from hop_tasks.report import DEFAULT_REPORTER, Reporter
from hop_tasks.repository import Repository
from hop_tasks.scripts import (
    PatchFile,
    ReleaseScripts,
    check_scripts,
    has_statements,
    is_patch_file,
    without_outer_transaction,
)
from hop_tasks.versions import Version
from hop_tasks.workflows.apply import release_in_preparation
from hop_tasks.workflows.workspace import reach_database

SET_ASIDE = "set_aside"
"""The folder beside the patch files for what is not run: only files directly in the folder of a release are."""

NO_TRANSACTION = "-- hop: no-transaction\n"


@dataclass(frozen=True)
class ImportedFile:
    """A file that is written: where it comes from, below the folder, and its path from the project's root."""

    source: str
    path: str


@dataclass(frozen=True)
class ImportPlan:
    """What an import writes.

    Attributes:
        tool: whose migrations they are.
        version: the release in preparation.
        files: its new patch files, in the order in which they run.
        set_aside: what is kept beside them and not run.
        notes: what a person has to know.
    """

    tool: Tool
    version: Version
    files: tuple[ImportedFile, ...]
    set_aside: tuple[ImportedFile, ...]
    notes: tuple[str, ...]


def plan_import(
    project: Project,
    folder: Path | str,
    *,
    tool: Tool | str | None = None,
    reporter: Reporter = DEFAULT_REPORTER,
) -> ImportPlan:
    """What `import_migrations` would write; writes nothing. Arguments and errors are those of that function."""
    return _read(project, folder, tool, reporter)[0]


def import_migrations(
    project: Project,
    folder: Path | str,
    *,
    tool: Tool | str | None = None,
    reporter: Reporter = DEFAULT_REPORTER,
) -> ImportPlan:
    """Make patch files of the release in preparation from the migrations of another tool, in the order of that tool.

    What goes back, or is not run for another reason, is kept in the folder `set_aside` beside them. The database is
    only asked whether it has the migrations already; the folder is only read.

    Args:
        project: the project; the branch of a release is checked out.
        folder: the folder of the migrations, absolute or from the current directory.
        tool: flyway, dbmate, sqitch, yoyo, graphile or plain; by default it is found out, where that is certain.
        reporter: told what is done.

    Raises UsageError for a folder or a file that cannot be imported, PatchError for what hop could not run, StateError
    for a database that has the migrations already. Nothing is written then.
    """
    plan, texts = _read(project, folder, tool, reporter)
    written: list[Path] = []
    try:
        for path, text in texts.items():
            target = project.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="") as file:
                written.append(target)
                file.write(text)
    except BaseException as error:
        for target in written:
            target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ProjectError(
                f"{error.filename} cannot be written: {error.strerror}; nothing was imported",
                hint="make it possible, then hop import again",
            ) from error
        raise
    return plan


def _read(
    project: Project, folder: Path | str, tool: Tool | str | None, reporter: Reporter
) -> tuple[ImportPlan, dict[str, str]]:
    """The plan, and path -> text of all files."""
    project.require_development("import")
    version = release_in_preparation(Repository.open(project.root), "import")
    known = Tool.parse(tool) if isinstance(tool, str) else tool
    found = read_migrations(Path(folder).expanduser().resolve(), known)
    _require_not_there(project, found.tool, reporter)
    wanted = [one for one in found.migrations if has_statements(one.text)]
    notes = [*found.notes, *(f"{one.source} has no statement" for one in found.migrations if one not in wanted)]
    taken = _taken_names(project, version)
    width = max(2, len(str(_first_number(taken) + len(wanted) - 1)))
    texts, files, enclosed = {}, [], []
    for number, migration in enumerate(wanted, _first_number(taken)):
        suffix = "psql" if migration.by_psql else "sql"
        path = f"Patches/{version.folder}/{number:0{width}}_{_slug(migration.name)}.{suffix}"
        text = without_outer_transaction(migration.text)
        if text != migration.text:
            enclosed.append(migration.source)
        texts[path] = text if migration.in_transaction else f"{NO_TRANSACTION}{text}"
        files.append(ImportedFile(migration.source, path))
    if enclosed:
        notes.append(f"BEGIN and COMMIT around {_listed(enclosed)} were left out: each release is one transaction")
    _require_new(project, taken, files, texts)
    _require_after(taken, files)
    _require_runnable(version, files, texts)
    aside = [(one, f"Patches/{version.folder}/{SET_ASIDE}/{one.source}") for one in found.set_aside]
    texts.update({path: one.text for one, path in aside})
    _require_free(project, texts)
    kept = tuple(ImportedFile(f"{one.source} ({one.why})", path) for one, path in aside)
    return ImportPlan(found.tool, version, tuple(files), kept, tuple(notes)), texts


def _require_not_there(project: Project, tool: Tool, reporter: Reporter) -> None:
    """Raises StateError if the database has migrations of the tool: they are part of its first release."""
    database = reach_database(project, reporter)
    with database.administer() as admin:
        if not database_exists(admin, database.name):
            return
    with database.connect() as connection:
        histories = [history for history in read_histories(connection) if tool in history.tools]
    for history in histories:
        count = f"{history.migrations} migration{'s' if history.migrations != 1 else ''}"
        raise StateError(
            f"{history.table} says that database {database.name} has {count} of "
            f"{history.name} already: part of the release that it is at; nothing was imported",
            hint="nothing is to be imported: hop init --baseline takes a database over with what it has",
        )


def _listed(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:60] or "migration"


def _taken_names(project: Project, version: Version) -> tuple[str, ...]:
    folder = project.patch_folder(version)
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return tuple(sorted(name for name in names if is_patch_file(name)))


def _first_number(taken: tuple[str, ...]) -> int:
    numbers = [int(found[0]) for name in taken if (found := re.match(r"\d+", name))]
    return max(numbers, default=0) + 1


def _require_new(project: Project, taken: tuple[str, ...], files: list[ImportedFile], texts: dict[str, str]) -> None:
    """Raises UsageError for a migration that has become a patch file of the release already, with the same text."""
    numbered = re.compile(r"^\d+_")
    for file in files:
        path = Path(file.path)
        for name in taken:
            there = path.with_name(name)
            same = numbered.sub("", name) == numbered.sub("", path.name)
            if same and (project.root / there).read_bytes() == texts[file.path].encode():
                raise UsageError(
                    f"{file.source} is there already, as {there}; nothing was imported",
                    hint="hop apply; or import a folder that has only what is new",
                )


def _require_after(taken: tuple[str, ...], files: list[ImportedFile]) -> None:
    """Raises UsageError if a patch file that is there would run after an imported one, or among them."""
    first = Path(files[0].path).name if files else ""
    later = [name for name in taken if name.encode() > first.encode()]
    if files and later:
        raise UsageError(
            f"{', '.join(later)} would run after {first}, though it was there before; nothing was imported",
            hint="import into a release without patch files, or rename those",
        )


def _require_free(project: Project, texts: dict[str, str]) -> None:
    there = [path for path in texts if (project.root / path).exists()]
    if there:
        raise UsageError(f"{', '.join(there)} would be overwritten; nothing was imported", hint="move what is there")


def _require_runnable(version: Version, files: list[ImportedFile], texts: dict[str, str]) -> None:
    """Raises PatchError, with the place in the tool's own file, for what hop could not run."""
    scripts = [PatchFile(file.path, texts[file.path].encode()) for file in files]
    try:
        check_scripts(ReleaseScripts(version, tuple(scripts)))
    except PatchError as error:
        for file in files:
            error.message = error.message.replace(file.path, file.source)
        raise PatchError(f"{error.message}; nothing was imported", hint=error.hint, details=error.details) from error
