"""The session after a statement that is run by itself."""

from __future__ import annotations

from datetime import datetime

from hop_tasks.database.engines import Database
from hop_tasks.report import LoggingReporter
from hop_tasks.scripts import PatchFile, ReleaseScripts, StatementStep, check_scripts, run_statement
from hop_tasks.versions import Version


def test_times_can_be_read_afterwards_whatever_the_style_of_the_database(database: Database) -> None:
    with database.administer() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {database.name}")
        admin.exec_driver_sql(f"ALTER DATABASE {database.name} SET DateStyle = 'SQL, DMY'")
    file = PatchFile("Patches/0/0/1/01.sql", b"VACUUM;\n")
    (step,) = check_scripts(ReleaseScripts(Version(0, 0, 1), (file,))).steps
    assert isinstance(step, StatementStep)
    with database.connect(autocommit=True) as connection:
        run_statement(connection, step, lock_timeout=0, reporter=LoggingReporter())
        assert isinstance(connection.exec_driver_sql("SELECT now()").scalar(), datetime)
        assert connection.exec_driver_sql("SELECT '02/03/2026'::date::text").scalar() == "2026-03-02"
