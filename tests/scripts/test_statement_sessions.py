"""The style of times in the session of a Python file, and after a statement that is run by itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from hop_tasks.database.engines import Database
from hop_tasks.report import LoggingReporter
from hop_tasks.scripts import (
    PatchFile,
    ReleaseScripts,
    StatementStep,
    TransactionStep,
    check_scripts,
    run_statement,
    run_transaction,
)
from hop_tasks.versions import Version


@pytest.fixture
def styled(database: Database) -> Database:
    with database.administer() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {database.name}")
        admin.exec_driver_sql(f"ALTER DATABASE {database.name} SET DateStyle = 'SQL, DMY'")
    return database


def test_python_files_can_read_times_and_those_of_sql_have_the_style_of_the_database(styled: Database) -> None:
    day = b"INSERT INTO day VALUES (date '02/03/2026');\n"
    reading = (
        b"from sqlalchemy import text\n\n\ndef apply(connection):\n"
        b"    assert connection.execute(text('SELECT now()')).scalar_one().year > 2000\n"
        b"    connection.execute(text(\"INSERT INTO day VALUES (date '02/03/2026')\"))\n"
    )
    contents = {"1.sql": b"CREATE TABLE day (day text);\n" + day, "2.py": reading, "3.sql": day}
    files = tuple(PatchFile(f"Patches/0/0/1/{name}", content) for name, content in contents.items())
    (step,) = check_scripts(ReleaseScripts(Version(0, 0, 1), files)).steps
    assert isinstance(step, TransactionStep)
    with styled.connect() as connection:
        run_transaction(connection, step, root=Path.cwd, lock_timeout=0, reporter=LoggingReporter())
        days = connection.exec_driver_sql("SELECT day FROM day").scalars()
        connection.commit()
    assert days == ["02/03/2026", "2026-03-02", "02/03/2026"]


def test_times_can_be_read_afterwards_whatever_the_style_of_the_database(styled: Database) -> None:
    file = PatchFile("Patches/0/0/1/01.sql", b"VACUUM;\n")
    (step,) = check_scripts(ReleaseScripts(Version(0, 0, 1), (file,))).steps
    assert isinstance(step, StatementStep)
    with styled.connect(autocommit=True) as connection:
        run_statement(connection, step, lock_timeout=0, reporter=LoggingReporter())
        assert isinstance(connection.exec_driver_sql("SELECT now()").scalar(), datetime)
        assert connection.exec_driver_sql("SELECT '02/03/2026'::date::text").scalar() == "2026-03-02"
