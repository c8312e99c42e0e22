"""Running one Python patch file: `def apply(connection)` in the release's own transaction."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from hop_tasks.database.interrupts import stop_if_interrupted
from hop_tasks.errors import HopError, PatchError
from hop_tasks.scripts.excerpts import excerpt
from hop_tasks.scripts.files import PatchFile
from hop_tasks.scripts.outcomes import NOTHING_RUN, ROLLED_BACK
from hop_tasks.scripts.sql_files import TRANSACTION_CONTROL

if TYPE_CHECKING:
    from sqlalchemy import Connection

FUNCTION = "apply"


def compile_python(file: PatchFile) -> CodeType:
    """The compiled file, before anything is run. Raises PatchError for text that is not UTF-8 or not Python."""
    text = file.text
    if not text.strip():
        raise PatchError(f"{file.path}: the file is empty; {NOTHING_RUN}", hint="write it, or remove it")
    try:
        return compile(text, file.path, "exec")
    except (SyntaxError, ValueError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        message = getattr(error, "msg", None) or str(error)
        raise PatchError(
            f"{file.path}:{line}:{column}: {message}; {NOTHING_RUN}", details=excerpt(text, line, column)
        ) from error


def run_python(connection: Connection, file: PatchFile, code: CodeType, root: Path) -> None:
    """Run `apply(connection)` of a file.

    The file can import its neighbours and everything below `root`, the project as it is in that release. It must not
    end the transaction. Raises PatchError with the place in the file.
    """
    with importable(root, root / Path(file.path).parent), transaction_kept(connection, file):
        module = ModuleType(f"hop_patch_{Path(file.path).stem}")
        module.__file__ = str(root / file.path)
        sys.modules[module.__name__] = module
        try:
            exec(code, module.__dict__)
            function = getattr(module, FUNCTION, None)
            if not callable(function):
                raise PatchError(
                    f"{file.path}: there is no function {FUNCTION}(connection); {ROLLED_BACK}",
                    hint=f"define def {FUNCTION}(connection), or begin the name of a helper module with an underscore",
                )
            _refuse_unfinished(file, function(connection))
            stop_if_interrupted()
        except HopError:
            raise
        except Exception as error:
            raise _explain(file, error) from error
        except SystemExit as error:
            raise PatchError(f"{file.path}: it called exit({error.code!r}); {ROLLED_BACK}") from error
        finally:
            del sys.modules[module.__name__]


@contextmanager
def importable(*folders: Path) -> Iterator[None]:
    """Folders in front of the import path; what is imported from them is forgotten afterwards.

    The next release may bring another version of the same package.
    """
    entries = [str(folder) for folder in folders]
    before = dict(sys.modules)
    writes_bytecode = sys.dont_write_bytecode
    hidden = {name: sys.modules.pop(name) for name in before if _is_below(before[name], folders)}
    path, folder = list(sys.path), Path.cwd()
    sys.path[:0] = entries
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_bytecode
        sys.path[:] = path
        os.chdir(folder)
        for name in [name for name, module in list(sys.modules.items()) if _is_below(module, folders)]:
            del sys.modules[name]
        sys.modules.update(hidden)


def _is_below(module: ModuleType | None, folders: tuple[Path, ...]) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and any(
        file.startswith(f"{folder}/") and "site-packages" not in file[len(str(folder)) :] for folder in folders
    )


@contextmanager
def transaction_kept(connection: Connection, file: PatchFile) -> Iterator[None]:
    """Refuses COMMIT and ROLLBACK on the connection, as methods and as statements."""
    from sqlalchemy import event

    def refuse(*_: Any) -> None:
        raise PatchError(
            f"{file.path}: it ends the transaction; {ROLLED_BACK}",
            hint="a release is one transaction: remove commit() and rollback(); begin_nested() is possible",
        )

    def refuse_statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if TRANSACTION_CONTROL.match(statement.lstrip()):
            refuse()

    listeners = (("commit", refuse), ("rollback", refuse), ("before_cursor_execute", refuse_statement))
    for name, listener in listeners:
        event.listen(connection, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(connection, name, listener)


def _refuse_unfinished(file: PatchFile, returned: object) -> None:
    """Refuses what `async def` and `yield` make of a function: calling it has run nothing of it."""
    if inspect.iscoroutine(returned):
        returned.close()  # or Python warns that nobody awaited it
    elif not inspect.isgenerator(returned) and not inspect.isasyncgen(returned):
        return
    raise PatchError(
        f"{file.path}: {FUNCTION}(connection) is a coroutine or a generator, of which nothing was run; {ROLLED_BACK}",
        hint=f"write a plain def {FUNCTION}(connection), without async and yield",
    )


def _explain(file: PatchFile, error: Exception) -> PatchError:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file.path]
    line = frames[-1].lineno if frames else None
    text = " ".join(str(getattr(error, "orig", None) or error).split()) or "no message"
    return PatchError(
        f"{file.path}:{line or 1}: {type(error).__name__}: {text}; {ROLLED_BACK}",
        details=excerpt(file.text, line) if line else (),
        sqlstate=getattr(getattr(error, "orig", error), "pgcode", None),
    )
