"""What is imported while a transaction holds locks: nothing that takes long."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from hop_tasks.database.engines import Database
from hop_tasks.database.urls import read_address
from hop_tasks.scripts import PatchFile, ReleaseScripts, check_scripts, run_transaction
from hop_tasks.versions import Version

class Heard:
    def step(self, text):
        print(text.split()[0], "sqlalchemy" in sys.modules)
    note = warn = step

python = b"def apply(connection):\\n    connection.exec_driver_sql('SELECT 1')\\n"
files = PatchFile("Patches/0/0/1/01.sql", b"CREATE TABLE t ()"), PatchFile("Patches/0/0/1/02.py", python)
wanted = files if sys.argv[2] == "with" else files[:1]
step, = check_scripts(ReleaseScripts(Version(0, 0, 1), wanted)).steps
with Database(read_address(sys.argv[1], "", default_database="postgres")).connect() as connection:
    run_transaction(connection, step, root=Path.cwd, lock_timeout=0, reporter=Heard())
"""


def run(url: str, python: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, url, python]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_what_a_python_file_needs_is_there_before_the_first_file_takes_locks(server_url: str) -> None:
    assert run(server_url, "with")[0] == "Patches/0/0/1/01.sql True"
    assert run(server_url, "without") == ["Patches/0/0/1/01.sql False"]
