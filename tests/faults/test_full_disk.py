"""A disk that is full, and an origin that refuses: all is as before, or the same command again makes it whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hop_tasks import HopError, Project, apply_release, prepare_release, release_prepared
from hop_tasks.errors import BackupError
from tests.faults.disks import UNSHARE, SmallDisk, may_mount, may_unshare, small_disk
from tests.faults.places import changed, idle, ready
from tests.faults.states import State, attempts_of, state_of
from tests.playground import SCRIPTS, Playground
from tests.workflows.backing import backed_up_at, files_in
from tests.workflows.calling import project_of
from tests.workflows.shelf import Make, Shelf, production

REPOSITORY, ORIGIN = 4, "origin.git"
WAIT_SECONDS = 60

mounting = pytest.mark.skipif(
    not may_mount(), reason="this account mounts no file systems: run in a namespace, by the test at the end, or not"
)


@dataclass(frozen=True)
class Command:
    """A command of development: where it begins, and how it is given to hop and to the library."""

    make: Make
    words: tuple[str, ...]
    call: Callable[[Project], object]


PREPARE = Command(
    idle, ("prepare", "-l", "patch", "-m", "next", "--push"), lambda it: prepare_release(it, "patch", "next", push=True)
)


def moved_on(shelf: Shelf, play: Playground) -> Playground:
    """0.0.1 is applied and committed, and the main branch has moved on: it has two files more, and one is longer."""
    place = shelf.copy(ready, play)
    place.git("switch", "--quiet", "hop_main")
    for name in ("notes/1.txt", "notes/2.txt", ".gitignore"):
        place.write(name, (place.read(name) if name == ".gitignore" else "") + "# more\n" * 2000)
    place.commit("notes")
    place.git("switch", "--quiet", "hop_0.0.1")
    return place


REBASE = Command(moved_on, ("apply",), apply_release)
APPLY = Command(changed, ("apply",), apply_release)
RELEASE = Command(ready, ("release", "--push"), lambda it: release_prepared(it, push=True))


@pytest.fixture(scope="module")
def undisturbed(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Command], State]:
    """The state that a command ends in where nothing is in its way."""
    ends: dict[Make, State] = {}

    def of(command: Command) -> State:
        if command.make not in ends:

            def done(shelf: Shelf, play: Playground) -> Playground:
                place = shelf.copy(command.make, play)
                with project_of(place) as project:
                    command.call(project)
                return place

            done.__name__ = f"done_{command.words[0]}_{command.make.__name__}"
            ends[command.make] = state_of(shelf.shared(done))
        return ends[command.make]

    return of


def begin(shelf: Shelf, play: Playground, command: Command) -> Playground:
    """The place of a command. Git takes no notice of what fills its disk, and origin keeps pushes as packs."""
    place = shelf.copy(command.make, play)
    place.write(".git/info/exclude", ".filler\n")
    place.git("-C", str(place.folder.parent / ORIGIN), "config", "receive.unpackLimit", "1")
    return place


def shown(place: Playground) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """The history here and at origin with the files, and the rest of what a command that fails leaves as it was.

    It is asked for without writing, on a disk that may be full.
    """
    registry = place.sql("SELECT * FROM half_orm_meta.hop_release ORDER BY major, minor, patch")
    files = {path: text for path, text in files_in(place.folder).items() if not path.startswith((".git/", ".filler"))}
    changes = place.git("--no-optional-locks", "status", "--porcelain")
    origin = place.git("-C", str(place.folder.parent / ORIGIN), "for-each-ref")
    return (place.refs(), origin, files), (changes, registry, place.databases())


def succeeds_in_the_end(place: Playground, command: Command, disk: SmallDisk, *, step: int = 1) -> set[str]:
    """Give the command again and again, with ever more space, until it succeeds. What it said.

    Meanwhile nothing changes; or it has come past a first step, a push or a rebase, and nothing but that has changed.
    """
    place.git("status")
    before = shown(place)
    said = set()
    for pages in range(0, 100, step):
        disk.leave(pages)
        try:
            with project_of(place) as project:
                command.call(project)
            return said
        except HopError as error:
            said.add(str(error))
        now = shown(place)
        assert now[1] == before[1], said
        if now[0] != before[0]:
            assert now[0][:2] != before[0][:2], "files have changed, and no commit"
            before = now
    raise AssertionError(f"there is space, and it fails all the same: {said}")


@mounting
class TestRepository:
    """On a full disk, at each thing that Git writes."""

    @pytest.mark.parametrize(
        ("command", "step", "words"),
        [
            (APPLY, 1, ".py cannot be read or written"),
            (REBASE, 2, "cannot be rebased"),
            (RELEASE, 2, "git hash-object failed"),
        ],
        ids=["apply", "rebase", "release"],
    )
    def test_nothing_is_changed_until_there_is_space(
        self,
        shelf: Shelf,
        play: Playground,
        undisturbed: Callable[[Command], State],
        command: Command,
        step: int,
        words: str,
    ) -> None:
        place = begin(shelf, play, command)
        with small_disk(place.folder) as disk:
            said = succeeds_in_the_end(place, command, disk, step=step)
            assert any(words in text for text in said)
            disk.empty()
            assert state_of(place) == undisturbed(command)

    @pytest.mark.parametrize(
        ("command", "checkpoint", "pages"),
        [
            (PREPARE, "prepare.before_refs", 1),
            (PREPARE, "prepare.after_refs", 0),
            (RELEASE, "publish.before_refs", 2),
            (RELEASE, "publish.after_refs", 0),
            (RELEASE, "publish.after_switch", 0),
        ],
        ids=lambda value: value.words[0] if isinstance(value, Command) else None,
    )
    def test_a_disk_that_fills_in_the_middle(
        self,
        shelf: Shelf,
        play: Playground,
        undisturbed: Callable[[Command], State],
        command: Command,
        checkpoint: str,
        pages: int,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        place = begin(shelf, play, command)
        signs = tmp_path_factory.mktemp("signs")
        with small_disk(place.folder) as disk:
            place.git("status")
            before = shown(place)
            stopping = place.with_variables(HOP_TESTING_CHECKPOINT=f"{checkpoint}={signs}")
            process = stopping.start(str(SCRIPTS / "hop"), *command.words)
            deadline = time.monotonic() + WAIT_SECONDS
            while not (signs / "reached").exists():
                assert process.poll() is None and time.monotonic() < deadline, process.communicate()
                time.sleep(0.002)
            disk.leave(pages)
            (signs / "go").touch()
            out, err = process.communicate(timeout=WAIT_SECONDS)
            assert process.returncode in (0, REPOSITORY), f"{out}\n{err}"
            if process.returncode:
                assert "Traceback" not in err
                last = err.splitlines()[-1]
                assert last.startswith("hop: "), err
                if "nothing was changed" in last:
                    assert shown(place) == before
            disk.empty()
            if process.returncode:
                place.hop(*command.words).succeeds()
            assert state_of(place) == undisturbed(command)


class TestOrigin:
    @mounting
    @pytest.mark.parametrize(("command", "step"), [(PREPARE, 1), (RELEASE, 2)], ids=["prepare", "release"])
    def test_on_a_full_disk_changes_nothing_there_or_here(
        self, shelf: Shelf, play: Playground, undisturbed: Callable[[Command], State], command: Command, step: int
    ) -> None:
        place = begin(shelf, play, command)
        with small_disk(place.folder.parent / ORIGIN) as disk:
            said = succeeds_in_the_end(place, command, disk, step=step)
            assert said
            assert all("origin refused the push" in text for text in said)
            assert state_of(place) == undisturbed(command)

    @pytest.mark.parametrize("command", [PREPARE, RELEASE], ids=["prepare", "release"])
    def test_that_refuses_and_then_no_longer(
        self, shelf: Shelf, play: Playground, undisturbed: Callable[[Command], State], command: Command
    ) -> None:
        place = begin(shelf, play, command)
        before = shown(place)
        hook = place.write(f"../{ORIGIN}/hooks/pre-receive", "#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
        hook.chmod(0o755)
        with project_of(place) as project:
            with pytest.raises(HopError, match=r"origin refused the push.*not on a Friday") as refused:
                command.call(project)
            assert refused.value.exit_code == REPOSITORY
            assert shown(place) == before
            hook.unlink()
            command.call(project)
        assert state_of(place) == undisturbed(command)


@mounting
class TestBackups:
    """A full disk is where the backups are: the upgrade that needs one does not begin."""

    @pytest.fixture
    def place(self, shelf: Shelf, play: Playground, tmp_path: Path) -> Playground:
        """Production with a megabyte that cannot be compressed, so that the estimate is too low."""
        place = shelf.copy(production, play).with_variables(HOP_BACKUPS=str(tmp_path / "disk"))
        place.sql(
            "CREATE TABLE noise AS SELECT n, sha512(n::text::bytea) || sha512(('a' || n)::bytea) AS noise "
            "FROM generate_series(1, 8000) AS n"
        )
        return place

    @staticmethod
    def as_at_first(place: Playground, disk: SmallDisk) -> None:
        assert set(files_in(disk.folder)) <= {".filler"}
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert place.sql("SELECT price FROM product") == [(70,)]

    def test_an_upgrade_without_room_for_its_backup_changes_nothing(self, place: Playground, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk") as disk:
            disk.leave(20)
            found = place.hop("upgrade").fails(10, "a backup needs about", "are free", "nothing was changed")
            assert "backing up" not in found.out
            self.as_at_first(place, disk)
            attempts = attempts_of(place)
            disk.leave(220)
            found = place.hop("upgrade").fails(10, "No space left on device", "nothing was changed")
            assert "backing up" in found.out
            self.as_at_first(place, disk)
            assert attempts_of(place) == [*attempts, "failed"]
            disk.empty()
            place.hop("upgrade").succeeds()
            assert place.releases() == ["0.0.0", "0.0.1", "0.0.2", "0.0.3"]
            assert place.sql("SELECT price FROM product") == [(140,)]
            assert "sound" in place.hop("backups", "--verify").succeeds().out

    @pytest.mark.parametrize(
        ("settings", "pages"),
        [
            ({"HOP_BACKUP_FORMAT": "directory"}, 200),
            ({"HOP_BACKUP_COMMAND": """sh -c 'cat /bin/sh > "$HOP_BACKUP_FILE"'"""}, 4),
            ({"HOP_BACKUP_COMMAND": "true"}, 0),
        ],
        ids=["a folder", "a command's own file", "a sidecar alone"],
    )
    def test_no_part_of_a_backup_is_left(
        self, place: Playground, tmp_path: Path, settings: dict[str, str], pages: int
    ) -> None:
        place = place.with_variables(**settings)
        with small_disk(tmp_path / "disk") as disk:
            disk.leave(pages)
            with pytest.raises(BackupError, match="nothing was changed"):
                backed_up_at(place)
            self.as_at_first(place, disk)
            disk.empty()
            assert backed_up_at(place) is not None

    def test_a_disk_that_is_read_only(self, place: Playground, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk") as disk:
            disk.read_only(True)
            found = place.hop("upgrade").fails(10, "no backup can be written to", "nothing was changed")
            assert "backing up" not in found.out
            self.as_at_first(place, disk)
            disk.read_only(False)
            place.hop("upgrade", "--to", "0.0.2").succeeds()


@pytest.mark.skipif(may_mount(), reason="not needed: this account may mount file systems")
def test_an_ordinary_account_runs_these_in_a_namespace_of_its_own(server_url: str, tmp_path: Path) -> None:
    if not may_unshare():
        pytest.skip("this account may neither mount file systems nor have a namespace of its own")
    command = [*UNSHARE, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [*command, f"--basetemp={tmp_path / 'inside'}"],
        env={**os.environ, "HOP_TEST_URL": server_url},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
