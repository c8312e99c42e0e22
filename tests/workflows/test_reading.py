"""Reading releases from their tags, once or twice as there is room in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from hop_tasks.repository import Repository, tag_ref
from hop_tasks.workflows import reading
from tests.histories import a_function, version_of, write_history

RELEASES = 40


def test_what_there_is_no_room_for_is_read_again_and_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository.open(write_history(tmp_path / "history", RELEASES, patch=a_function))
    wanted = [(version_of(number), tag_ref(str(version_of(number)))) for number in range(1, RELEASES + 1)]
    with reading.release_reader(repository) as reader:
        kept = list(reader.check_all(wanted))
        monkeypatch.setattr(reading, "ROOM", 10_000)
        cut = list(reader.check_all(wanted))
        assert [bool(release.scripts) for release in kept] == [True] * RELEASES
        assert {bool(release.scripts) for release in cut} == {True, False}
        deployable = [(release.version, release.commit, release.scripts) for release in reader.read_checked(kept)]
        again = [(release.version, release.commit, release.scripts) for release in reader.read_checked(cut)]
    assert again == deployable
    assert [version for version, _, _ in again] == [version for version, _ in wanted]
