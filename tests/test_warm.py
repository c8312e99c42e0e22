"""A hop without its start-up is a process as any other, and says and does what the script does."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tests.playground import HOP, Playground
from tests.warm import STOVE, WarmProcess

pytestmark = pytest.mark.skipif(STOVE.off, reason="--cold")

ASLEEP = """
import time
from pathlib import Path

def apply(connection):
    Path("asleep").touch()
    time.sleep(100)
"""
SEEN = """
import os, sys
from pathlib import Path

def apply(connection):
    Path("seen").write_text(repr([os.getcwd(), sorted(os.environ.items()), sys.stdin.read(), sys.argv]))
"""


@pytest.fixture
def prepared(project: Playground) -> Playground:
    """A release that has no patch file yet."""
    project.hop("prepare", "-l", "patch").succeeds()
    return project


@pytest.mark.parametrize("words", ["--list", "", "status", "new --help", "a-typo", "prepare -l huge", "--version"])
def test_it_says_what_the_script_says(tmp_path: Path, words: str) -> None:
    place = Playground(tmp_path, "postgresql://nobody@localhost:1/dead")
    assert place.hop(*words.split()) == place.from_cold().hop(*words.split())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_as_they_end_the_script(prepared: Playground, number: signal.Signals, code: int) -> None:
    prepared.write("Patches/0/0/1/01.py", ASLEEP)
    process = prepared.start(HOP, "apply")
    assert isinstance(process, WarmProcess)
    deadline = time.monotonic() + 60
    while not (prepared.folder / "asleep").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert ("interrupted by" in err) == (code > 0)


def test_its_place_is_the_one_that_was_asked_for(prepared: Playground) -> None:
    """The folder, the variables, nothing to read, the arguments and the umask."""
    prepared.write("Patches/0/0/1/01.py", SEEN)
    found = {}
    for place in (prepared, prepared.from_cold()):
        before = os.umask(0o037)
        try:
            place.with_variables(EXTRA="x").hop("apply").succeeds()
        finally:
            os.umask(before)
        seen = prepared.folder / "seen"
        found[place.cold] = (seen.read_text(), stat.filemode(seen.stat().st_mode))
        seen.unlink()
    assert found[False] == found[True]
    assert "'EXTRA', 'x'" in found[False][0]
    assert found[False][1] == "-rw-r-----"


def test_other_variables_of_the_interpreter_need_another_interpreter() -> None:
    assert STOVE.suits(os.environ)
    assert STOVE.suits({**os.environ, "HOP_DATABASE_URL": "x"})
    assert not STOVE.suits({**os.environ, "PYTHONWARNINGS": "error"})
    assert not STOVE.suits({**os.environ, "PATH": ""})
    assert not STOVE.suits({**os.environ, "PATH": f"{os.environ['PATH']}:/opt/bin"})
    assert STOVE.suits({**os.environ, "PATH": f"/opt/bin:{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"})
