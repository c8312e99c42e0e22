"""Calling the library where a place is, as a process started there would be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hop_tasks import HopError, Project
from tests.playground import Playground


@contextmanager
def project_of(place: Playground) -> Iterator[Project]:
    """The project of a place, with its variables as long as the body runs."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in place.environment.items():
            patch.setenv(variable, value)
        yield Project.find(place.folder)


@contextmanager
def refused(code: int, *words: str) -> Iterator[None]:
    """The body raises an error with that exit code; its message or hint has the words."""
    with pytest.raises(HopError) as raised:
        yield
    assert raised.value.exit_code == code, raised.value
    for word in words:
        assert word in str(raised.value)
