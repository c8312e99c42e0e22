"""Client programs connect as the driver would."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import URL, make_url

from hop_tasks.database.clients import client_environment, run_client
from hop_tasks.errors import DatabaseError

PSQL = ["--no-psqlrc", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]


def test_the_url_overrides_the_callers_variables(monkeypatch: pytest.MonkeyPatch, url: URL, psql: Path) -> None:
    for name in ("PGHOST", "PGUSER", "PGDATABASE", "PGPORT"):
        monkeypatch.setenv(name, "1")
    full = url.set(username="postgres", database="template1").update_query_dict({"application_name": "a b=c"})
    script = b"SELECT current_user, current_database(), current_setting('application_name')"
    assert run_client(psql, PSQL, full, stdin=script) == "postgres|template1|a b=c\n"


def test_what_the_url_leaves_open_comes_from_the_callers_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "their.host")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    environment = client_environment(make_url("postgresql://ann:p%40ss@/shop"))
    libpq = {name: value for name, value in environment.items() if name.startswith("PG")}
    assert libpq == {
        "PGHOST": "their.host",
        "PGSSLMODE": "verify-full",
        "PGUSER": "ann",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "shop",
    }


def test_parameters_of_the_url_become_variables() -> None:
    parameters = {
        "sslmode": "PGSSLMODE",
        "sslrootcert": "PGSSLROOTCERT",
        "options": "PGOPTIONS",
        "application_name": "PGAPPNAME",
        "connect_timeout": "PGCONNECT_TIMEOUT",
        "passfile": "PGPASSFILE",
        "target_session_attrs": "PGTARGETSESSIONATTRS",
        "gssencmode": "PGGSSENCMODE",
        "channel_binding": "PGCHANNELBINDING",
        "client_encoding": "PGCLIENTENCODING",
    }
    url = URL.create("postgresql+psycopg2", query={name: f"-c {name}=1" for name in parameters})
    environment = client_environment(url.update_query_dict({"keepalives": "1"}))
    assert {name: environment[name] for name in environment if name.startswith("PG")} == {
        variable: f"-c {name}=1" for name, variable in parameters.items()
    }


def test_several_hosts_become_lists() -> None:
    for text in ("postgresql:///d?host=a:1&host=b:2", "postgresql:///d?host=a,b&port=1,2"):
        environment = client_environment(make_url(text))
        assert (environment["PGHOST"], environment["PGPORT"]) == ("a,b", "1,2")


def test_the_rest_of_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOP_OF_A_TEST", "1")
    monkeypatch.setenv("PG_COLOR", "always")
    environment = client_environment(make_url("postgresql://"))
    assert environment == {name: value for name, value in os.environ.items() if name != "PG_COLOR"}


@pytest.fixture
def service_file(tmp_path: Path, url: URL) -> Path:
    """A service file with a service `other`, which is on the server of this test and names a database."""
    path = tmp_path / "services"
    lines = [f"{name}={value}" for name, value in {"user": "postgres", **url.query, **_place(url)}.items()]
    path.write_text(
        "\n".join(["# ours", "[first]", "dbname=x", "[other]", "dbname=template1", *lines, "[last]", "user=y"])
    )
    return path


def _place(url: URL) -> dict[str, object]:
    named = url.translate_connect_args(username="user")
    named.pop("database", None)
    return named


def test_a_service_gives_what_the_url_leaves_open(
    url: URL, psql: Path, service_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = b"SELECT current_user, current_database()"
    monkeypatch.setenv("PGSERVICEFILE", str(service_file))
    monkeypatch.setenv("PGDATABASE", "neither")
    named = URL.create("postgresql+psycopg2", query={"service": "other"})
    assert run_client(psql, PSQL, named, stdin=script) == "postgres|template1\n"
    # libpq alone would prefer the service's database, and a restore would go there.
    assert run_client(psql, PSQL, named.set(database="postgres"), stdin=script) == "postgres|postgres\n"
    monkeypatch.setenv("PGSERVICE", "other")
    unnamed = URL.create("postgresql+psycopg2", database="postgres")
    assert run_client(psql, PSQL, unnamed, stdin=script) == "postgres|postgres\n"
    with closing(psycopg2.connect(dbname="postgres")) as connection:
        assert connection.info.dbname == "postgres"


def test_a_service_that_is_in_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path))
    with pytest.raises(DatabaseError, match="service shop is in none of") as caught:
        client_environment(URL.create("postgresql+psycopg2", query={"service": "shop"}))
    assert str(tmp_path / ".pg_service.conf") in str(caught.value.hint)
