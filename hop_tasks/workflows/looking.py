"""When `hop watch` looks: as soon as the operating system says that a file has changed, and each second."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path

from hop_tasks.database.interrupts import at_rest, stop_if_interrupted
from hop_tasks.errors import ProjectError
from hop_tasks.workflows.watched import Look, Watched

QUIET_MS = 50
"""Milliseconds without another change after which a burst of them is over; an editor's save is a burst, too."""

BURST_MS = 2000
"""Milliseconds after which a burst is looked at, whether it is over or not."""

EVERY_MS = 1000
"""Milliseconds between two looks, at most: branches are switched, and networks' file systems tell nothing."""

GIT_SECONDS = 0.05
"""How often it is looked whether git is done."""


def looks(watched: Watched, stop: threading.Event) -> Iterator[Look]:
    """A look at once, and then one whenever there may be something new, until `stop` is set."""
    seen = watched.look()
    yield seen
    while not stop.is_set():
        folders = watched.folders()
        with closing(_hints(list(folders), stop)) as hints:
            # They may be others than before: Git removes folders and makes them again.
            while not stop.is_set() and watched.folders() == folders:
                if seen.git_at_work:
                    with at_rest():
                        stop.wait(GIT_SECONDS)
                elif not next(hints, False):
                    break
                seen = watched.look()
                yield seen


def _hints(folders: list[Path], stop: threading.Event) -> Generator[bool, None, None]:
    """True whenever it is time to look; ends when a folder is gone."""
    from watchfiles import watch

    if not folders:
        with at_rest():
            stop.wait(EVERY_MS / 1000)
        return
    waking = watch(
        *folders,
        watch_filter=None,
        debounce=BURST_MS,
        step=QUIET_MS,
        stop_event=stop,
        rust_timeout=EVERY_MS,
        yield_on_timeout=True,
    )
    with closing(waking), suppress(FileNotFoundError, StopIteration):
        while True:
            try:
                with at_rest():
                    next(waking)
            except KeyboardInterrupt:
                # watchfiles makes this of every signal.
                stop_if_interrupted()
                raise
            except (OSError, RuntimeError) as error:
                if isinstance(error, FileNotFoundError):
                    raise
                raise ProjectError(
                    f"the files cannot be watched: {error}",
                    hint="WATCHFILES_FORCE_POLLING=1 hop watch; or raise the limit fs.inotify.max_user_watches",
                ) from error
            yield True
