"""One connection for the driver and for SQLAlchemy."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import make_url

from hop_tasks.database.engines import Database
from hop_tasks.errors import DatabaseError


def test_a_connection_that_sqlalchemy_had_too_is_lost_without_a_word_of_it(
    server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy's pool logs an error with its traceback, which Python shows where nobody has set up logging."""
    caplog.set_level(logging.WARNING)
    lost = pytest.raises(DatabaseError, match="terminat")
    with lost, Database(make_url(server_url)).connect() as connection:
        assert connection.core.exec_driver_sql("SELECT 1").scalar_one() == 1
        connection.commit()
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert caplog.text == ""
