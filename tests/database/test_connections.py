"""One connection for the driver and for SQLAlchemy."""

from __future__ import annotations

import logging
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks.database.engines import Database
from hop_tasks.errors import DatabaseError


def test_a_connection_that_sqlalchemy_had_too_is_lost_without_a_word_of_it(
    server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLAlchemy's pool logs an error with its traceback, which Python shows where nobody has set up logging."""
    caplog.set_level(logging.WARNING)
    server = make_url(server_url)
    with pytest.raises(DatabaseError), Database(server).connect() as connection:
        pid = connection.core.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        connection.commit()
        url = server.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
        connection.exec_driver_sql("SELECT 1")
    assert caplog.text == ""
