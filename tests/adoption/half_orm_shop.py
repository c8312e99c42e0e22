"""A shop that half_orm's own `hop` 0.13 has managed: made by that tool itself."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from sqlalchemy import make_url

from hop_tasks.database.clients import find_client
from tests.playground import Finished, Playground
from tests.workflows.shelf import SCHEMA, database_of, maintain

REQUIREMENTS = ("half-orm==0.13.10", "pytest")
PASSWORD = "s3cr3t-Hop"
USER_CODE = "WHEELS = {'front': 1, 'rear': 1}  # our own\n"
CODE_IN_CLASS = "    def wheels(self):\n        return sum(WHEELS.values())\n"
CODE_AT_THE_END = "\n\ndef last_words():\n    return 'end'\n"
BEGIN = "#>>> PLACE YOUR CODE BELOW THIS LINE. DO NOT REMOVE THIS LINE!\n"
RELEASES = {
    "patch": "CREATE TABLE customer (id integer PRIMARY KEY, name text);\nINSERT INTO customer VALUES (1, 'Ada');\n",
    "minor": "UPDATE product SET price = price * 2;\nALTER TABLE product ADD COLUMN note text;\n",
}
LAST = "CREATE INDEX product_name ON product (name);\n"
PREPARED = "CREATE TABLE workshop.bill (id integer PRIMARY KEY, job integer REFERENCES workshop.job (id));\n"
HISTORY = ["0.0.0", "0.0.1", "0.1.0", "0.1.1"]


def connected(place: Playground, programs: Path, *, production: bool = False) -> Playground:
    """The place with half_orm's connection file for its database, and its tool and the clients on PATH."""
    url = make_url(place.url)
    folder = place.folder.parent / f"conf-{database_of(place)}"
    folder.mkdir(exist_ok=True)
    host, port = url.query.get("host", url.host), url.query.get("port", url.port)
    (folder / "shop").write_text(
        f"[database]\nname = {url.database}\nuser = {url.username}\npassword = {url.password or PASSWORD}\n"
        f"host = {host or ''}\nport = {port or ''}\nproduction = {production}\n"
    )
    version = int(place.sql("SHOW server_version_num", beside(place))[0][0])
    path = os.pathsep.join([str(programs), str(find_client("pg_dump", version).parent), os.environ["PATH"]])
    return place.with_variables(HALFORM_CONF_DIR=str(folder), PATH=path, PYTHONWARNINGS="ignore")


def beside(place: Playground) -> str:
    return make_url(place.url).set(database="postgres").render_as_string(hide_password=False)


def old_hop(place: Playground, *arguments: str) -> Finished:
    """Run half_orm's tool."""
    folders = place.environment["PATH"].split(os.pathsep)
    return place.run(str(Path(folders[0]) / "hop"), *arguments)


def make_shop(play: Playground, programs: Path) -> Playground:
    """Three releases, rows, code of a user in a module, a bare origin, and one release in preparation and applied."""
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(SCHEMA)
    (play.folder / "work").mkdir()
    place = connected(play.inside("work"), programs)
    old_hop(place, "new", "shop", "--devel").succeeds()
    place = place.inside("shop")
    # A path that stays right where the shelf copies it to, since that tool keeps it.
    place.git("init", "--quiet", "--bare", "--initial-branch=hop_main", "../origin.git")
    place.git("remote", "add", "origin", "../origin.git")
    old_hop(place).succeeds()
    module = place.folder / "shop/public/product.py"
    head, above, inside, below = module.read_text().split(BEGIN)
    module.write_text(
        BEGIN.join([head, USER_CODE + above, CODE_IN_CLASS + inside, below.rstrip("\n") + CODE_AT_THE_END])
    )
    place.commit("our own code")
    for level, text in (*RELEASES.items(), ("patch", LAST)):
        prepare(place, level, text)
        old_hop(place, "release", "-p").succeeds()
    prepare(place, "minor", PREPARED)
    place.git("push", "--quiet", "origin", "hop_0.2.0")
    return place


def prepare(place: Playground, level: str, text: str) -> None:
    """A release of that tool, prepared, written, applied and committed."""
    old_hop(place, "prepare", "-l", level, "-m", f"a {level} release").succeeds()
    version = place.git("branch", "--show-current").removeprefix("hop_")
    place.write(f"Patches/{version.replace('.', '/')}/01_change.sql", text)
    old_hop(place, "apply").succeeds()
    place.commit(f"write {version}")


def undone(place: Playground) -> Playground:
    """As hop advises: the release in preparation undone by that tool, and the main branch checked out."""
    place.git("switch", "--quiet", "hop_0.2.0")
    old_hop(place, "undo", "--database-only").succeeds()
    place.git("switch", "--quiet", "hop_main")
    return place


def without_url(place: Playground) -> Playground:
    """The place where no variable names the database: what is left is half_orm's connection file, or the settings."""
    return replace(place, variables={**place.variables, "HOP_DATABASE_URL": ""})
