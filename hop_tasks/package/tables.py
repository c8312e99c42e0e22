"""The packages `tables` and `models`: every table and view of a database, in a module for each schema.

Each has a module `_base` with what the others share, and `_release`, which says for which release all of it was made:
the release stands in no other file, so that a new one changes no module of a schema that stays as it is.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module, resources
from typing import TYPE_CHECKING

from hop_tasks.deferring import imported_on_use
from hop_tasks.errors import DatabaseError
from hop_tasks.package.generators import COMMAND
from hop_tasks.package.seals import GENERATED_MARK
from hop_tasks.package.variables import module_names, variable_names
from hop_tasks.versions import Version

if TYPE_CHECKING:
    from sqlalchemy import Connection, ForeignKeyConstraint, MetaData, Table

    from hop_tasks.package.rendering import ModuleRenderer

TABLES_FOLDER = "tables"
MODELS_FOLDER = "models"

SHARED_NAMES = ("ReleaseCheck", "ReleaseState", "__release__", "check")
TAKEN_BY_PACKAGE = frozenset({"check", "metadata"})
"""Names of small letters that a schema's module would hide in the package of all."""

HEADER = f'''"""{GENERATED_MARK}

%s
Change the database with a patch file and make this module again with: {COMMAND}
"""

# fmt: off
# isort: skip_file
# ruff: noqa

'''
TABLES_WORDS = """\
Each table and view is a table of SQLAlchemy Core, `t_name` in the schema public and `t_schema_name` in every other."""
MODELS_WORDS = """\
Each table with a key is a class, `Name` in the schema public and `SchemaName` in every other; the other tables, those
that do nothing but link two classes, and views are tables of SQLAlchemy Core, `t_name` and `t_schema_name`."""
PACKAGE_WORDS = """
`check(connection)` says whether a database is at the release that this code was made for."""

TABLES_BASE = "from sqlalchemy import MetaData\n\nmetadata = MetaData()\n"


def generate_tables(connection: Connection, release: Version | None) -> Mapping[str, str]:
    """The modules of tables of SQLAlchemy Core. Raises DatabaseError when the database cannot be read."""
    with reading(connection) as metadata:
        from hop_tasks.package.rendering import ModuleRenderer

        tables = _sorted_tables(metadata)
        variables = variable_names((str(table.schema), str(table.name)) for table in tables)
        bodies: dict[str, str] = {}
        names: dict[str, list[str]] = {}
        for schema, members in _by_schema(tables).items():
            renderer = ModuleRenderer(connection)
            renderer.use("._base", "metadata")
            written = [f"{variables[schema, str(t.name)]} = {renderer.render_table(t)}" for t in members]
            bodies[schema] = "\n\n".join([renderer.imports_text(), *written]) + "\n"
            names[schema] = [variables[schema, str(table.name)] for table in members]
        late = _late_foreign_keys(tables, ModuleRenderer(connection))
    return _package(TABLES_FOLDER, TABLES_WORDS, TABLES_BASE, ("metadata",), bodies, names, late, release)


def generate_models(connection: Connection, release: Version | None, style: str) -> Mapping[str, str]:
    """The modules of classes, by the name of a style. Raises DatabaseError when the database cannot be read."""
    with reading(connection) as metadata:
        from hop_tasks.package.models import BASES, ModelRenderer, Style
        from hop_tasks.package.relationships import derive_models
        from hop_tasks.package.rendering import ModuleRenderer

        kind = Style(style)
        tables = _sorted_tables(metadata)
        models = derive_models(tables, connection, pydantic=kind is Style.SQLMODEL)
        by_schema = _by_schema(tables)
        files = module_names(by_schema, TAKEN_BY_PACKAGE)
        modules = {model.name: files[str(model.table.schema)] for model in models}
        bodies = {}
        names = {}
        for schema in by_schema:
            members = [model for model in models if model.table.schema == schema]
            bodies[schema] = ModelRenderer(connection, members, modules, kind).render()
            names[schema] = [model.name for model in members]
        late = _late_foreign_keys(tables, ModuleRenderer(connection))
    return _package(MODELS_FOLDER, MODELS_WORDS, BASES[kind], ("Base", "metadata"), bodies, names, late, release)


def _package(
    folder: str,
    words: str,
    base: str,
    shared: Sequence[str],
    bodies: Mapping[str, str],
    names: Mapping[str, Sequence[str]],
    late: str,
    release: Version | None,
) -> dict[str, str]:
    """The files of a package, by their paths: what is shared, a module for each schema, and all names in one place."""
    files = module_names(bodies, TAKEN_BY_PACKAGE)
    lines = [f"from ._base import {', '.join(shared)}", f"from ._release import {', '.join(SHARED_NAMES)}"]
    lines += [f"from .{files[schema]} import {', '.join(names[schema])}" for schema in bodies if names[schema]]
    exported = sorted([*shared, *SHARED_NAMES, *(name for some in names.values() for name in some)])
    listed = "".join(f"    {name!r},\n" for name in exported)
    package = "\n".join(lines) + f"\n\n__all__ = [\n{listed}]\n"
    if late:
        package = f"from sqlalchemy import ForeignKeyConstraint\n\n{package}\n{late}"
    texts = {
        "__init__": HEADER % (words + PACKAGE_WORDS) + package,
        "_base": HEADER % "What all tables of this database have in common." + base,
        "_release": _release_module(release),
    }
    texts |= {files[schema]: HEADER % words + body for schema, body in bodies.items()}
    return {f"{folder}/{name}.py": text for name, text in texts.items()}


def _release_module(release: Version | None) -> str:
    """The module of hop's own with the release in it."""
    text = resources.files(__package__).joinpath("release_check.py").read_text(encoding="utf-8")
    docstring, code = re.split(r"\n\n", text, maxsplit=1)
    said = "None" if release is None else f'"{release}"'
    code = code.replace("__release__: str | None = None", f"__release__: str | None = {said}", 1)
    return HEADER % docstring.strip('"') + code


def _late_foreign_keys(tables: Sequence[Table], renderer: ModuleRenderer) -> str:
    """Statements that add the foreign keys whose targets a text cannot name, when all modules are there."""
    from hop_tasks.package.rendering import foreign_keys, has_dots

    def written(constraint: ForeignKeyConstraint) -> str:
        columns = [element.column for element in constraint.elements]
        targets = ", ".join(f"metadata.tables[{column.table.key!r}].c[{str(column.name)!r}]" for column in columns)
        key = renderer.render_foreign_key(constraint, f"[{targets}]")
        return f"metadata.tables[{constraint.table.key!r}].append_constraint(\n    {key}\n)\n"

    return "".join(written(key) for table in tables for key in foreign_keys(table) if has_dots(key))


def _sorted_tables(metadata: MetaData) -> list[Table]:
    return sorted(metadata.tables.values(), key=lambda table: (str(table.schema), table.name))


def _by_schema(tables: Sequence[Table]) -> dict[str, list[Table]]:
    found: dict[str, list[Table]] = {}
    for table in tables:
        found.setdefault(str(table.schema), []).append(table)
    return found


@contextmanager
def reading(connection: Connection) -> Iterator[MetaData]:
    """The tables of the database; an error of it, until all is written, becomes one that a person can act on."""
    from sqlalchemy.exc import SAWarning, SQLAlchemyError

    from hop_tasks.package.reflection import reflect_tables

    # sqlacodegen imports inflect for plurals, which no table needs, and that alone takes more than a second.
    with imported_on_use("inflect"):
        import_module("hop_tasks.package.rendering")

    with warnings.catch_warnings():
        # A type that SQLAlchemy does not know is dealt with here and is nothing that a person could act on.
        warnings.simplefilter("ignore", SAWarning)
        try:
            yield reflect_tables(connection)
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise DatabaseError(
                f"the tables of the database could not be read: {reason}", hint=f"remove the cause, then {COMMAND}"
            ) from error
