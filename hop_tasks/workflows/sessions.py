"""Telling whose sessions had to end."""

from __future__ import annotations

from hop_tasks.database.sessions import Session
from hop_tasks.report import Reporter


def tell_ended(reporter: Reporter, ended: tuple[Session, ...]) -> None:
    """Name the sessions that were ended; programs such as psql come back by themselves with their next command."""
    for session in ended:
        reporter.warn(f"ended the session of {session}")
