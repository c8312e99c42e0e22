"""A user's own command, run to its end with libpq's variables, so that it connects where hop does."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hop_tasks.database.clients import LINES_SHOWN, client_environment, masked, running
from hop_tasks.errors import DatabaseError

if TYPE_CHECKING:
    from hop_tasks.database.addresses import Address


def find_command(command: Sequence[str], where: Path) -> str:
    """The program that a command's first word names: on PATH, or a path that counts from the folder `where`.

    Raises DatabaseError if there is none that may be run.
    """
    name = str(Path(command[0]).expanduser())
    found = shutil.which(str(where / name) if "/" in name else name)
    if found is None:
        raise DatabaseError(
            f"there is no program {command[0]} that may be run", hint="see whether it is on PATH; no shell is used"
        )
    return found


def run_command(command: Sequence[str], address: Address, *, where: Path, variables: Mapping[str, str]) -> None:
    """Run a command without a shell, in the folder `where`, with more variables on top of libpq's and the rest.

    Raises DatabaseError if it fails. If hop is interrupted, it is ended before the exception goes on.
    """
    program = find_command(command, where)
    environment = {**client_environment(address), **variables}
    with ExitStack() as stack:
        try:
            process = stack.enter_context(
                running(
                    [program, *command[1:]],
                    cwd=where,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
            )
        except OSError as error:
            raise DatabaseError(
                f"{command[0]} cannot be run: {error.strerror}", hint="see whether it may be run"
            ) from error
        output, _ = process.communicate()
    if process.returncode != 0:
        text = masked(output.decode("utf-8", "replace"), environment.get("PGPASSWORD"))
        lines = [line for line in text.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else "nothing"
        raise DatabaseError(
            f"{Path(command[0]).name} ended with exit code {process.returncode} and said: {said}",
            hint="mend what it says, and run the command again",
            details=lines[-LINES_SHOWN:],
        )
