"""What the tasks print: plain lines for a pipe or a CI job, with some colour on a terminal."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hop_tasks.errors import HopError, OutputError

if TYPE_CHECKING:
    from hop_tasks.package import Synchronised

MOST_FILES = 20
"""How many files of a package are named, one in a line."""

STYLES = {"good": "32", "warning": "33", "bad": "31", "dim": "2", "strong": "1"}
"""What a line says -> how a terminal shows it: green, yellow, red, dim and bold (ECMA-48, Select Graphic Rendition)."""

COLOURLESS = ("dumb", "unknown")
"""The TERM of terminals that know no colours."""


SOON_SECONDS = 0.1
"""How much later a line of progress may appear in a pipe or a file: thousands of them are then a few writes."""


def show(text: str, style: str | None = None, *, file: TextIO | None = None) -> None:
    """One line, in one of STYLES on a terminal; nothing where the stream is closed."""
    if file is not None:
        flush()
    target = file or sys.stdout
    if target is None:
        return
    if style is not None and _has_colours(target):
        text = f"\x1b[{STYLES[style]}m{text}\x1b[0m"
    _write(target, text, at_once=True)


_lost: OSError | None = None


def is_output_lost() -> bool:
    """Whether standard output could not be written: its reader has ended, or the disk is full."""
    return _lost is not None


def require_output() -> None:
    """Raises OutputError if something that was said is lost; not where its reader had enough, as `head` has."""
    global _lost
    flush()
    lost, _lost = _lost, None
    if lost is not None and lost.errno != errno.EPIPE:
        raise OutputError(
            f"the output could not be written ({lost.strerror}); what the command was to do is done",
            hint="hop shows the state",
        )


def _write(stream: TextIO, text: str | None = None, *, at_once: bool) -> None:
    """Print a line, or only flush. That nobody can be told is no reason to leave a database halfway."""
    try:
        if text is not None:
            print(text, file=stream)
        if at_once:
            stream.flush()
    except OSError as error:
        _give_up(stream, error)


def _give_up(stream: TextIO, error: OSError) -> None:
    """Have all that comes, from the programs that hop starts too, and what Python still keeps, go nowhere."""
    global _lost  # noqa: PLW0603
    if stream is sys.stdout:
        _lost = _lost or error
    with suppress(OSError, ValueError):  # a stream of somebody else's has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


def _has_colours(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in COLOURLESS


def flush() -> None:
    """Have all that was shown appear now."""
    if sys.stdout is not None:
        _write(sys.stdout, at_once=True)


def show_error(error: HopError) -> None:
    """The lines that go above an error's own line, on standard error."""
    for line in error.details:
        show(line, "dim", file=sys.stderr)


def show_table(rows: Sequence[tuple[str, str]]) -> None:
    """Pairs of a heading and a text, aligned; a text of several lines continues below itself."""
    width = max((len(heading) for heading, _ in rows), default=0)
    for heading, text in rows:
        first, *more = text.split("\n")
        show(f"{heading:<{width}}  {first}".rstrip())
        for line in more:
            show(f"{'':<{width}}  {line}")


def listed(items: Iterable[object], *, none: str = "none", most: int = 8) -> str:
    """Items in a line, cut after `most`."""
    texts = [str(item) for item in items]
    if not texts:
        return none
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def show_package(package: Synchronised, root: Path) -> None:
    """What became of the files of the package, if anything did."""
    for verb, paths in (("wrote", package.written), ("removed", package.removed)):
        for path in paths[:MOST_FILES]:
            show(f"{verb} {path.relative_to(root)}")
        if len(paths) > MOST_FILES:
            show(f"{verb} {len(paths) - MOST_FILES} files more")
    if package.written or package.removed:
        for path in package.left:
            show(f"{path.relative_to(root)} is no longer needed, but not as hop wrote it: it was left", "warning")


class ConsoleReporter:
    """Shows the progress of a workflow: steps and notes on standard output, warnings on standard error."""

    def __init__(self) -> None:
        self._at_terminal = sys.stdout is not None and sys.stdout.isatty()

    def step(self, text: str) -> None:
        self._show(f"  {text}", "dim")

    def note(self, text: str) -> None:
        self._show(f"  {text}")

    def warn(self, text: str) -> None:
        show(f"  warning: {text}", "warning", file=sys.stderr)

    def _show(self, text: str, style: str | None = None) -> None:
        if self._at_terminal or sys.stdout is None:
            show(text, style)
        else:
            _write(sys.stdout, text, at_once=False)
            _flush_soon(sys.stdout)


_flushing: threading.Timer | None = None


def _flush_soon(stream: TextIO) -> None:
    """Flush the stream a moment from now, whatever is waited for then."""
    global _flushing  # noqa: PLW0603 (standard output is the process's own, and so is who flushes it)
    if _flushing is None:
        _flushing = threading.Timer(SOON_SECONDS, _flush, (stream,))
        _flushing.daemon = True
        _flushing.start()


def _flush(stream: TextIO) -> None:
    global _flushing  # noqa: PLW0603
    # What is printed from here on starts another one, and what was printed before is flushed below.
    _flushing = None
    with suppress(ValueError):  # it is closed
        _write(stream, at_once=True)
