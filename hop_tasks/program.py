"""The `hop` script: an Invoke program over the same tasks."""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hop_tasks.deferring import imported_on_call, imported_on_use
from hop_tasks.errors import HopError, ProjectError, UsageError
from hop_tasks.installed import hop_version, installed_version

# Of what Invoke imports this is more than half, with asyncio and the parsers of e-mail behind it; it is needed only for
# a configuration in YAML, and for tests with a MockContext.
with (
    imported_on_use("invoke.vendor.yaml"),
    imported_on_use("unittest.mock", Mock=imported_on_call("unittest.mock", "Mock")),
    imported_on_use("importlib.metadata", version=installed_version),
):
    from invoke.exceptions import Exit, ParseError
    from invoke.program import Program

from hop_tasks.tasks.collection import namespace

HELP_FLAGS = ("-h", "--help")

GARBAGE_AFTER = 50_000
"""Objects more than there were, after which Python looks for garbage; ten megabytes or so."""


class HopProgram(Program):
    """Invoke's program, less three surprises: a project's invoke.yaml counts, `hop new --help` is help, and a command
    line that cannot be understood ends like any other error."""

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Run a command line."""
        try:
            try:
                super().run(argv, exit)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the output has enough of it; Python would complain once more while it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)

    def print_version(self) -> None:
        """The version of hop, looked for only where it is asked for."""
        self.version = hop_version()
        super().print_version()

    def parse_core(self, argv: list[str] | None) -> None:
        """Invoke's own flags."""
        self._explained(super().parse_core, argv)

    def parse_tasks(self) -> None:
        """The commands; a help flag anywhere behind one is a call for help, also in the place of an argument."""
        words = list(self.core.unparsed)
        if words and words[0] in self.collection.task_names and any(word in HELP_FLAGS for word in words[1:]):
            self.core.unparsed[:] = []
            self.core[0].args["help"].value = words[0]
        self._explained(super().parse_tasks)

    def parse_cleanup(self) -> None:
        """Help, lists and completion end here; so a configuration that is wrong is no hindrance to them."""
        self._explained(super().parse_cleanup)
        self._load_configuration()

    def _load_configuration(self) -> None:
        """The configuration of the project, which Invoke leaves out for bundled tasks."""
        try:
            self.config.set_project_location(str(_project_folder()))
            self.config.load_project()
        except Exception as error:  # all that readers of YAML, JSON and Python can raise
            explained = ProjectError(
                f"Invoke's configuration cannot be read: {type(error).__name__}: {error}", hint="correct invoke.yaml"
            )
            raise Exit(f"hop: {explained}", code=explained.exit_code) from error

    def _explained(self, parse: Callable[..., None], *arguments: Any) -> None:
        try:
            parse(*arguments)
        except ParseError as error:
            explained = self._explain(error)
            raise Exit(f"hop: {explained}", code=explained.exit_code) from error

    def _explain(self, error: ParseError) -> UsageError:
        """What was not understood, and what may have been meant."""
        text = re.sub(r"<Argument: ([\w-]+)[^>]*>", r"--\1", str(error)).rstrip("!. ")
        command, flags = (error.context.name, error.context.flag_names()) if error.context else (None, ())
        unknown = re.fullmatch("No idea what '(.+)' is", text)
        if unknown:
            import difflib

            known = flags if unknown[1].startswith("-") else self.collection.task_names
            meant = difflib.get_close_matches(unknown[1], known, n=1)
            text += "".join(f"; did you mean {word}?" for word in meant)
        return UsageError(text, hint=f"hop {command} --help" if command else "hop --list, or hop COMMAND --help")


def _project_folder() -> Path:
    """The project's root, whose invoke.yaml counts from any subfolder; the current directory outside a project."""
    from hop_tasks.project import SETTINGS_FILE, read_settings_file

    here = Path.cwd()
    for folder in (here, *here.parents):
        try:
            if read_settings_file(folder / SETTINGS_FILE) is not None:
                return folder
        except HopError:
            return folder
    return here


def make_program() -> HopProgram:
    """A new program; each reads its own command line."""
    return HopProgram(name="hop", binary="hop", binary_names=["hop"], namespace=namespace())


def main() -> None:
    """`hop` within a program that goes on: raises SystemExit as the command ends."""
    # Nearly all that a short command allocates are modules, which stay: to look among them for garbage after each 700
    # objects, as Python does, takes a tenth of its time.
    gc.set_threshold(GARBAGE_AFTER)
    make_program().run()


def script() -> None:
    """The entry point of the `hop` script: the process ends here, as multiprocessing ends those that it has started.

    Python would take all modules apart first, which takes as long as some commands.
    """
    code: object = 0
    try:
        main()
    except SystemExit as error:
        code = error.code or 0
    if not isinstance(code, int):
        sys.exit(str(code))
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        # Python knows how to say that something could not be written.
        sys.exit(code)
    os._exit(code & 0xFF)
