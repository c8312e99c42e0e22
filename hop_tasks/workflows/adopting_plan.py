"""What taking over a project of half_orm's own tool would do; everything is looked at before anything is changed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hop_tasks.database.engines import Database
from hop_tasks.database.urls import URL_VARIABLES, meant_address, without_password
from hop_tasks.errors import DatabaseError, ProjectError, RepositoryError, StateError
from hop_tasks.foreign import (
    CONFIG,
    ConnectionFile,
    HalfOrmProject,
    connection_path,
    find_half_orm_project,
    read_connection_file,
)
from hop_tasks.names import MAIN_BRANCH, baseline_tag, release_branch
from hop_tasks.package import HALF_ORM, kept_parts
from hop_tasks.project import SETTINGS_FILE, Project, read_settings_file
from hop_tasks.repository import Origin, Repository, adopted_release, object_reader
from hop_tasks.scripts import is_patch_file
from hop_tasks.settings import Settings, environment_layer
from hop_tasks.versions import Version
from hop_tasks.workflows.adopting_refusals import (
    begun_commit,
    last_release,
    require_development,
    require_registry_at,
    require_up_to_date,
)
from hop_tasks.workflows.project_files import TASKS, HopTable, patch_folder_files, read_settings_text, with_table
from hop_tasks.workflows.workspace import registry_of

DATACLASSES = "ho_dataclasses.py"
"""A module of half_orm's tool, from which its other modules, and those of hop no more, take base classes."""

KEY_LEADING_BACK = re.compile(rb"""["']_reverse_fkey_""")
"""Half_orm's name of a foreign key of another relation; the database's name is the next word of it."""


@dataclass(frozen=True)
class AdoptionPlan:
    """What taking a project over would do.

    Attributes:
        project: the project as it is to be.
        version: its last release, which hop starts from.
        tool: the version of half_orm's tool; None in a clone where the commit is there and a database is to follow.
        database: the URL with the password masked; `source` says where it was found.
        files: the files that are written, from the project's root.
        removed: the file without which half_orm's tool leaves the project alone.
        tag: the tag of the commit; None if there is none to make.
        history: the releases before, which hop shows and does not deploy.
        in_preparation: the releases that go on.
        notes: what a person has to know or to do then.
    """

    project: Project
    version: Version
    tool: str | None
    database: str
    source: str
    files: tuple[str, ...] = ()
    removed: str | None = None
    tag: str | None = None
    history: tuple[Version, ...] = ()
    in_preparation: tuple[Version, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """A plan, and what is needed to carry it out: the repository, the database, the small files that are written.

    `begun` is the commit, if an interrupted command has made and tagged it.
    """

    plan: AdoptionPlan
    repository: Repository
    database: Database
    texts: dict[str, str]
    begun: str | None = None


def is_adoptable(folder: Path | str | None = None) -> bool:
    """Whether a folder holds a project of half_orm's tool, or one whose commit hop has taken over already."""
    root = Path(folder or Path.cwd()).resolve()
    if find_half_orm_project(root) is not None:
        return True
    if read_settings_file(root / SETTINGS_FILE) is None or not (root / ".git").exists():
        return False
    return adopted_release(Repository.open(root)) is not None


def examine(folder: Path | str | None, *, url: str | None, devel: bool, flags: dict[str, Any]) -> Findings:
    """Look at everything that can be looked at without a lock. Raises what `adopt_project` raises."""
    root = Path(folder or Path.cwd()).resolve()
    repository = Repository.open(root)
    found = find_half_orm_project(root)
    if found is None:
        return _examine_clone(repository, url=url, devel=devel, flags=flags)
    branch = repository.require_branch("init")
    repository.require_clean("init")
    if not found.devel:
        raise ProjectError(
            f"half_orm's tool does not manage releases of {found.package} (devel in {CONFIG}); nothing was changed",
            hint=f"git rm {CONFIG}, git commit, then hop init --devel --generator={HALF_ORM}",
        )
    repository.require_identity()
    if branch != MAIN_BRANCH:
        raise RepositoryError(
            f"{branch} is checked out, and half_orm's tool releases on {MAIN_BRANCH}; nothing was changed",
            hint=f"git switch {MAIN_BRANCH}",
        )
    begun = begun_commit(repository)
    version = last_release(repository, found, begun=begun is not None)
    require_up_to_date(repository)
    file = read_connection_file(connection_path(found.package))
    project = _project_of(root, found, file, url, flags)
    project.require_not_production("init")
    database = _database(project, file, url)
    require_development(database, file, explicit=url is not None, devel=devel)
    require_registry_at(database, registry_of(database), version, found.in_preparation)
    released = repository.refs().released
    # A URL from the environment is of this place only.
    stored = None
    if url is None and file is not None and not _is_given_by_variable():
        stored = without_password(file.url())
    table = HopTable(found.package, found.package, True, stored, generator=project.settings.generator)
    texts = {SETTINGS_FILE: with_table(read_settings_text(root), table)}
    more = {"tasks.py": TASKS, **patch_folder_files()}
    texts.update({path: text for path, text in more.items() if not (root / path).exists()})
    plan = AdoptionPlan(
        project=project,
        version=version,
        tool=found.tool_version,
        database=database.shown,
        source=str(file.path) if stored and file else "the command line" if url else "the environment",
        files=(*texts, project.schema_path(version), f"Patches/{version.folder}/MANIFEST.json"),
        removed=CONFIG,
        tag=baseline_tag(version),
        history=tuple(one for one in released if one < version),
        in_preparation=found.in_preparation,
        notes=tuple(_notes(repository, found, file if stored else None, version)),
    )
    return Findings(plan, repository, database, texts, begun)


def _examine_clone(repository: Repository, *, url: str | None, devel: bool, flags: dict[str, Any]) -> Findings:
    """The commit is here, made in another clone or before an interruption; a development database is to follow."""
    adopted = adopted_release(repository)
    if read_settings_file(repository.root / SETTINGS_FILE) is None or adopted is None:
        raise ProjectError(
            f"{repository.root} is no project of half_orm's tool ({CONFIG}); nothing was changed",
            hint="hop init --devel",
        )
    project = Project.find(repository.root, **flags)
    project.require_not_production("init")
    file = read_connection_file(connection_path(project.name))
    database = _database(project, file, url)
    state = registry_of(database)
    if state is not None and state.production is False:
        raise StateError(
            f"hop has taken the project over already, and database {database.name} is one of development; nothing was "
            "changed",
            hint="hop",
        )
    require_development(database, file, explicit=url is not None, devel=devel)
    require_registry_at(database, state, adopted)
    source = "the command line" if url else "the settings, or the environment"
    return Findings(AdoptionPlan(project, adopted, None, database.shown, source), repository, database, {})


def _project_of(
    root: Path, found: HalfOrmProject, file: ConnectionFile | None, url: str | None, flags: dict[str, Any]
) -> Project:
    """The project as its settings are going to be, with the password in the URL as long as this command runs."""
    raw: dict[str, Any] = {"name": found.package, "package": found.package, "devel": True, "generator": HALF_ORM}
    if file is not None and url is None:
        raw["url"] = file.url().render_as_string(hide_password=False)
    given = {key: value for key, value in flags.items() if value is not None}
    return Project(root, Settings.from_layers([(CONFIG, raw), environment_layer(os.environ), ("flags", given)]))


def _database(project: Project, file: ConnectionFile | None, url: str | None) -> Database:
    """The database: of the command line, of the environment, of the connection file, or of the settings."""
    if url is None and file is not None and not _is_given_by_variable():
        url = file.url().render_as_string(hide_password=False)
    target = meant_address(project, url)
    if target is None:
        raise DatabaseError(
            f"there is no connection file {connection_path(project.name)}, and no URL is set; nothing was changed",
            hint="set HALFORM_CONF_DIR, or HOP_DATABASE_URL",
        )
    return Database(target, project.settings.maintenance_database)


def _is_given_by_variable() -> bool:
    return any(os.environ.get(variable) for variable in URL_VARIABLES)


def _notes(repository: Repository, found: HalfOrmProject, file: ConnectionFile | None, version: Version) -> list[str]:
    notes = []
    if file is not None and file.password:
        notes.append(
            f"the password stays in {file.path}, which hop does not read from now on: put it into ~/.pgpass, or set "
            "HOP_DATABASE_URL"
        )
    notes += _notes_on_code(repository.root, found.package)
    with object_reader(repository.git) as objects:
        for prepared in found.in_preparation:
            branch, folder = release_branch(prepared), f"Patches/{prepared.folder}"
            files = objects.files(branch, folder) or {}
            scripts = [path for path in files if path.endswith(".py") and is_patch_file(path)]
            notes.append(f"{prepared} goes on: git switch {branch} && git rebase {MAIN_BRANCH}, then hop apply")
            if scripts:
                notes.append(f"hop calls apply(connection) of a Python patch file: rewrite {', '.join(scripts)}")
    push = f"git push --follow-tags origin {MAIN_BRANCH}, " if Origin.find(repository) else ""
    notes.append(
        f"in production: {push}git pull there, name its database in HOP_DATABASE_URL, and HOP_PRODUCTION=1 hop upgrade "
        f"--baseline {version}"
    )
    return notes


def _notes_on_code(root: Path, package: str) -> list[str]:
    """What in the package is not as hop's modules need it."""
    notes, folder = [], root / package
    naming = [
        path.relative_to(root).as_posix()
        for path in sorted(folder.rglob("*.py"))
        if any(map(KEY_LEADING_BACK.search, kept_parts(path.read_bytes())))
    ]
    if naming:
        notes.append(
            f"your code in {', '.join(naming)} has the name of the database in those of foreign keys, and databases "
            "for tests have others: after hop apply, write _reverse('sales_order_product') in the place of "
            "'_reverse_fkey_NAME_sales_order_product'"
        )
    if (folder / DATACLASSES).exists():
        notes.append(
            f"{package}/{DATACLASSES} stays as it is, and hop's modules do not use it: git rm it after hop apply, "
            "unless your own code does"
        )
    return notes
