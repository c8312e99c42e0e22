"""What has to become of the files of a package: found out, and refused where something would be lost, before that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hop_tasks.errors import ProjectError
from hop_tasks.package.earlier import is_earlier
from hop_tasks.package.generators import COMMAND
from hop_tasks.package.seals import Kind, Seal, kept_parts, kind_of, seal_of, sealed, with_kept_parts

PACKAGE_MODULE = "__init__.py"
PACKAGE_TEXT = b'"""The Python package of this project."""\n'
"""What hop writes where a folder needs a module of its own and the generator gives none."""

SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
HEAD_BYTES = 4096
"""How much of a file is read to find a mark on its first lines."""


@dataclass(frozen=True)
class Plan:
    """What has to be done.

    Attributes:
        writes: the content of each file that is to be written, by its path.
        unchanged: the files that are already as they must be.
        removals: files of hop's that are no longer needed.
        left: files of hop's that are no longer needed and have something of the user's, which stay.
    """

    writes: Mapping[Path, bytes]
    unchanged: tuple[Path, ...] = ()
    removals: tuple[Path, ...] = ()
    left: tuple[Path, ...] = ()


def make_plan(folder: Path, texts: Mapping[str, str], generator: str) -> Plan:
    """What has to become of the files below `folder` so that they are what a generator gave.

    Raises ProjectError for texts that no package can hold, and for files in the way that hop did not write or that were
    changed since.
    """
    wanted = {_checked_path(name, generator): text for name, text in sorted(texts.items())}
    for relative, text in wanted.items():
        _check_text(relative, text, generator)
    plan: dict[Path, bytes] = {}
    unchanged: list[Path] = []
    problems: list[tuple[Path, str]] = []
    for relative, text in wanted.items():
        path = folder / relative
        there = read(path)
        for module in _missing_modules(folder, relative, wanted):
            plan[module] = PACKAGE_TEXT
        content, problem = _content(relative, text, there)
        if problem:
            problems.append((path, problem))
        elif there is not None and _same_lines(content, there):
            unchanged.append(path)
        else:
            plan[path] = content
    found = _superfluous(folder, {folder / relative for relative in wanted} | set(plan))
    removals = [path for path, may_go in found.items() if may_go]
    problems += _hiding(folder, wanted, removals)
    if problems:
        path, problem = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ProjectError(
            f"{path} {problem}{more}; nothing was written",
            hint=f"move what is yours to a file of another name, remove {path.name}, then {COMMAND}; "
            "or set generator = 'none' in [tool.hop] of pyproject.toml",
        )
    if folder / PACKAGE_MODULE in removals:
        # A package keeps its module, and so its place.
        removals.remove(folder / PACKAGE_MODULE)
        plan[folder / PACKAGE_MODULE] = PACKAGE_TEXT
    return Plan(
        dict(sorted(plan.items())),
        tuple(unchanged),
        tuple(removals),
        tuple(path for path, may_go in found.items() if not may_go),
    )


def own_files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The files below a folder that have a mark of hop's, with their content, in the order of their paths."""
    with reported(folder):
        for path in sorted(_files(folder)):
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
                if kind_of(head) is not None:
                    yield path, head + file.read()


def read(path: Path) -> bytes | None:
    """What is in a file; None if there is no such file."""
    with reported(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one that names the file."""
    try:
        yield
    except OSError as error:
        raise ProjectError(
            f"{path} cannot be read or written: {error.strerror or error}", hint=f"make it possible, then {COMMAND}"
        ) from error


def _checked_path(name: str, generator: str) -> PurePosixPath:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.name or "\\" in name or "\0" in name:
        raise ProjectError(
            f"the generator {generator!r} wants to write {name!r}, outside the package; nothing was written",
            hint="correct the generator, whose paths count from the package's folder",
        )
    return relative


def _check_text(relative: PurePosixPath, text: str, generator: str) -> None:
    if kind_of(text.encode()) is None:
        raise ProjectError(
            f"the generator {generator!r} made {relative} without the line {Kind.GENERATED.value!r}; "
            "nothing was written",
            hint="have the generator write that line at the top of each file",
        )
    if relative.suffix == ".py":
        try:
            compile(text, str(relative), "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise ProjectError(
                f"the generator {generator!r} made {relative}, which is not Python: {error}; nothing was written",
                hint="set generator = 'none' in [tool.hop] of pyproject.toml, and report it",
            ) from error


def _content(relative: PurePosixPath, text: str, there: bytes | None) -> tuple[bytes, str]:
    """What a file has to contain; and what is wrong with the one that is there, if that must not be overwritten."""
    path = relative.as_posix()
    new = sealed(text, path)
    if there is None or there in (new, PACKAGE_TEXT):
        return new, ""
    kind = kind_of(new)
    if kind is Kind.ONCE:
        return there, ""
    seal = seal_of(there, path)
    earlier = seal in (Seal.FOREIGN, Seal.MISSING) and is_earlier(relative, there)
    if not earlier and seal is not Seal.INTACT:
        return there, f"{_who(seal)} and would be overwritten"
    kept = kept_parts(there) if earlier or kind_of(there) is Kind.KEPT else []
    if kind is Kind.KEPT and kept:
        try:
            return with_kept_parts(new, kept), ""
        except ValueError:
            return there, "has more or fewer markers than hop would write, with your code between them"
    if any(part.strip() for part in kept):
        return there, "would be overwritten with your code between its markers"
    return new, ""


def _same_lines(content: bytes, there: bytes) -> bool:
    """Whether they differ in nothing but line ends, which Git may change."""
    return content.replace(b"\r\n", b"\n") == there.replace(b"\r\n", b"\n")


def _missing_modules(folder: Path, relative: PurePosixPath, wanted: Mapping[PurePosixPath, str]) -> Iterator[Path]:
    """The modules that the folders of a file need to be packages, as far as nobody makes them."""
    if relative.suffix == ".py":
        for part in reversed(relative.parents):
            if part / PACKAGE_MODULE not in wanted and read(folder / part / PACKAGE_MODULE) is None:
                yield folder / part / PACKAGE_MODULE


def _superfluous(folder: Path, needed: set[Path]) -> dict[Path, bool]:
    """The files of hop's that nobody needs any more, and whether they may go: nothing in them is the user's."""
    found: dict[Path, bool] = {}
    for path, content in own_files(folder):
        if path not in needed:
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            seal = seal_of(content, relative.as_posix())
            intact = seal is Seal.INTACT or (seal is Seal.MISSING and is_earlier(relative, content))
            users = kind_of(content) is Kind.KEPT and any(part.strip() for part in kept_parts(content))
            found[path] = intact and not users
    return found


def _hiding(folder: Path, wanted: Mapping[PurePosixPath, str], removals: list[Path]) -> Iterator[tuple[Path, str]]:
    """Python imports the folder `a` where there is also a file `a.py`: what that has would be out of reach."""
    for part in sorted({part for relative in wanted for part in relative.parents if part.name}):
        module = folder / part.with_name(f"{part.name}.py")
        content = None if module in removals else read(module)
        if content is not None:
            seal = seal_of(content, module.relative_to(folder).as_posix())
            yield module, f"{_who(seal)} and would be hidden by the folder {part}/"


def _who(seal: Seal) -> str:
    """Whose a file is that must not be overwritten."""
    return "was not written by hop" if seal is Seal.FOREIGN else "was changed since hop wrote it"


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.is_symlink() and entry.is_dir():
            continue
        if entry.is_dir():
            if entry.name not in SKIPPED_FOLDERS and not entry.name.startswith("."):
                yield from _files(entry)
        elif entry.is_file():
            yield entry
