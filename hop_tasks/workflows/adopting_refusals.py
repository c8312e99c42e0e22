"""Why a project of half_orm's own tool is not taken over as it is."""

from __future__ import annotations

from hop_tasks.database.engines import Database
from hop_tasks.database.urls import without_password
from hop_tasks.errors import DatabaseError, ModeError, RepositoryError, StateError
from hop_tasks.foreign import ConnectionFile, HalfOrmProject, connection_path
from hop_tasks.names import MAIN_BRANCH, baseline_tag, release_branch
from hop_tasks.registry import RegistryState
from hop_tasks.repository import Origin, Repository, adopted_release
from hop_tasks.versions import ORIGIN_VERSION, Version


def begun_commit(repository: Repository) -> str | None:
    """The commit on top of this one that an interrupted command has made and tagged; None if there is none."""
    refs = repository.refs()
    adopted = adopted_release(repository, refs)
    commit = refs.tags[baseline_tag(adopted)] if adopted is not None else None
    return commit if commit and repository.resolve(f"{commit}^") == repository.head().commit else None


def last_release(repository: Repository, found: HalfOrmProject, *, begun: bool) -> Version:
    """The last release of a project. Raises StateError if its CHANGELOG and the tags do not agree about that."""
    refs = repository.refs()
    adopted = adopted_release(repository, refs)
    if adopted is not None and not begun:
        raise StateError(
            f"hop has taken the project over already, as tag {baseline_tag(adopted)} says; nothing was changed",
            hint=f"git pull --ff-only origin {MAIN_BRANCH}",
        )
    last, tagged = max(found.released, default=None), refs.last_released
    # That tool makes no tag for 0.0.0.
    if last is None or last != tagged or (refs.released and last == ORIGIN_VERSION and not begun):
        raise StateError(
            f"the last release is {last or 'none'} by .hop/CHANGELOG and {tagged} by the tags; nothing was changed",
            hint=f"git fetch --tags origin; git pull --ff-only origin {MAIN_BRANCH}",
        )
    if last in refs.baselines and not begun:
        raise StateError(
            f"there is a tag {baseline_tag(last)}, as hop is to call the commit at which it takes over; "
            "nothing was changed",
            hint=f"give it another name: git tag NAME {baseline_tag(last)} && git tag -d {baseline_tag(last)}; at "
            "origin too, if it is there",
        )
    return last


def require_up_to_date(repository: Repository) -> None:
    """Raises RepositoryError if origin has anything on the main branch that is not here."""
    origin = Origin.find(repository)
    if origin is None:
        return
    there, here = origin.look(), repository.refs()
    tip = there.heads.get(MAIN_BRANCH)
    baselines = {baseline_tag(version) for version in there.baselines}
    if any(here.tags.get(tag) != there.tags[tag] for tag in baselines) or (
        tip is not None
        and (repository.resolve(tip) is None or not repository.is_ancestor(tip, here.heads[MAIN_BRANCH]))
    ):
        raise RepositoryError(
            f"origin's {MAIN_BRANCH} has commits that are not here; nothing was changed",
            hint=f"git pull --ff-only --tags origin {MAIN_BRANCH}",
        )


def require_development(database: Database, file: ConnectionFile | None, *, explicit: bool, devel: bool) -> None:
    """Raises ModeError unless the connection file says that the database is development, or a person does."""
    if file is not None and file.production:
        raise ModeError(
            f"{file.path} says that {file.database} is production; a project is taken over where it is developed; "
            "nothing was changed",
            hint="hop init in development, git push; then, here: git pull, and HOP_PRODUCTION=1 "
            f"HOP_DATABASE_URL='{without_password(file.url())}' hop upgrade --baseline X.Y.Z",
        )
    if devel:
        return
    named, meant = None if file is None else file.url(), database.url
    if named is None or (named.host, named.port, named.database, named.query) != (
        meant.host,
        meant.port,
        meant.database,
        meant.query,
    ):
        where = "the command line" if explicit else "the environment"
        told = f"{file.path} names another database" if file else f"there is no {connection_path(database.name)}"
        raise ModeError(
            f"nothing says that the database that {where} names is development: {told}; nothing was changed",
            hint="hop init --devel, if it is",
        )


def require_registry_at(
    database: Database, state: RegistryState | None, version: Version, in_preparation: tuple[Version, ...] | None = None
) -> None:
    """Raises for a database that is not at the last release, or is production.

    `in_preparation` are the releases that go on; None in a clone that has the commit already.
    """
    if state is None or not state.exists or state.last is None:
        what = "does not exist" if state is None else "has no registry of half_orm's tool"
        raise DatabaseError(
            f"database {database.name} {what}; nothing was changed", hint="check its URL: --url names it"
        )
    if state.production:
        state.require_development(database.name, "init")
    at = state.last.version
    if at == version:
        return
    if in_preparation is None:
        hint = "drop the database: hop apply builds it from the releases"
    elif at in in_preparation:
        branch = release_branch(at)
        hint = f"with half-orm 0.13: git switch {branch} && hop undo --database-only && git switch {MAIN_BRANCH}"
    else:
        hint = f"name a database that is at {version} with --url"
    told = f"{at}, which is in preparation," if at in (in_preparation or ()) else str(at)
    raise StateError(
        f"database {database.name} is at {told} and not at {version}, the last release; nothing was changed", hint=hint
    )
