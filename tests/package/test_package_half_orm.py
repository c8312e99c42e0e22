"""The generated modules for half_orm, used with the half_orm that pip installs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from hop_tasks.package import find_generator, synchronise
from tests.database.connecting import over
from tests.package.conftest import temporary_database
from tests.package.rows import ROWS
from tests.package.support import BEGIN, generate, run_script

pytest.importorskip("half_orm", reason="half_orm is what the extra half-orm brings")

NOT_WRITTEN_HERE = {("shop", "every_type")}
"""A table with values that are not JSON, which is how they come to the process that has half_orm."""

NOT_QUOTED = ('"', "%")
"""half_orm 1.1 writes columns into its SQL without quoting these."""

ROUND_TRIP = """
import datetime, decimal, importlib, json, pkgutil, sys, uuid
import shop

classes = {}
for found in pkgutil.walk_packages(shop.__path__, "shop."):
    if not found.name.endswith(("_test", ".sql_adapter")) and not found.ispkg:
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == found.name:
                classes[kind._t_fqrn[1:]] = kind

def value(kind, text):
    return text if kind == "NoneType" else {"date": datetime.date.fromisoformat,
        "datetime": datetime.datetime.fromisoformat, "UUID": uuid.UUID, "Decimal": decimal.Decimal}[kind](text)

wrong = []
for schema, name, row in json.load(sys.stdin):
    kind = classes[schema, name]
    field = {field.name: attribute for attribute, field in kind()._ho_fields.items()}
    values = {field[c]: value(*v[1:]) if isinstance(v, list) and v[:1] == ["@"] else v for c, v in row.items()}
    kind(**values).ho_insert()
    plain = {n: v for n, v in values.items() if not isinstance(v, (list, dict, type(None)))}
    found = [dict(row) for row in kind(**plain).ho_select()]
    if not any(all(r.get(n) == v or kind()._ho_fields[n].name in r and r[kind()._ho_fields[n].name] == v
                   for n, v in plain.items()) for r in found):
        wrong.append([schema, name, repr(found), repr(plain)])
print(json.dumps({"wrong": wrong, "classes": sorted(map(list, classes))}))
shop.MODEL.disconnect()
"""

JOINS = """
from shop.blog.post import Post
from shop.blog.comment import Comment
from shop.people.person import Person

ann = Person(name="Ann").ho_insert()
bob = Person(name="Bob", boss_id=ann["id"]).ho_insert()
first = Post(title="one", author_id=ann["id"]).ho_insert("id")["id"]
second = Post(title="two", author_id=bob["id"]).ho_insert("id")["id"]
Comment(post_id=first, class_="good").ho_insert()

assert [row["title"] for row in Person(name="Ann").blog_post_author_rfk().ho_select()] == ["one"]
of_bob = Post()
of_bob.author_fk.set(Person(name="Bob"))
assert [row["title"] for row in of_bob.ho_select()] == ["two"]
author = Post(id=second).author_fk()
assert type(author) is Person and author.ho_get()["name"] == "Bob"
assert Post(id=first).comment_post_rfk().ho_count() == 1
assert type(Post(id=first).comment_post_rfk()) is Comment
assert Person().boss_fk.name == "person_boss_id_fkey"
assert Person().person_boss_rfk.is_reverse
assert Comment(class_="good").post_fk().author_fk().ho_get()["name"] == "Ann"
Person(id=bob["id"]).ho_update(name="Rob")
assert Person(name="Rob").ho_get()["id"] == bob["id"]
Comment(class_="good").ho_delete()
assert Comment().ho_is_empty()
print("done")
Person._ho_model.disconnect()
"""

BLOG = """
CREATE SCHEMA blog; CREATE SCHEMA people;
CREATE TABLE people.person (id serial PRIMARY KEY, name text NOT NULL, boss_id int REFERENCES people.person);
CREATE TABLE blog.post (id serial PRIMARY KEY, title text, author_id int NOT NULL REFERENCES people.person);
CREATE TABLE blog.comment (id serial PRIMARY KEY, post_id int REFERENCES blog.post, class text);
"""


class Place:
    """A folder with the package `shop` of a database, and half_orm's file that says how to reach that."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder, self.engine = folder, engine
        url = engine.url
        host, port = url.query.get("host", url.host), url.query.get("port", url.port)
        (folder / "conf").mkdir()
        (folder / "conf/shop").write_text(
            f"[database]\nname = {url.database}\nuser = {url.username}\npassword = {url.password or ''}\n"
            f"host = {host}\nport = {port or 5432}\nproduction = False\n"
        )
        self.package = folder / "shop"

    def synchronise(self) -> Any:
        with self.engine.connect() as connection:
            return synchronise(self.package, over(connection), find_generator("half_orm"), None)

    def run(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, "HALFORM_CONF_DIR": str(self.folder / "conf"), "PYTHONPATH": str(self.folder)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def place(engine: Engine, tmp_path: Path) -> Iterator[Place]:
    """The package of a small database."""
    with engine.begin() as connection:
        run_script(connection, BLOG)
    place = Place(tmp_path, engine)
    place.synchronise()
    yield place
    engine.dispose()


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}


def marked(value: Any) -> Any:
    """A value as JSON, with the name of what it is where JSON has no such thing."""
    return value if isinstance(value, (str, int, list, dict, type(None))) else ["@", type(value).__name__, str(value)]


def test_there_is_a_module_for_each_relation_where_half_orm_looks_for_it(place: Place) -> None:
    relations = {"people/person", "blog/post", "blog/comment"}
    assert names(place.package) == {
        *("__init__.py", "base_test.py", "sql_adapter.py", "people/__init__.py", "blog/__init__.py"),
        *(f"{relation}.py" for relation in relations),
        *(f"{relation}_test.py" for relation in relations),
    }
    source = (place.package / "blog/post.py").read_text()
    assert "class Post(MODEL.get_relation_class('blog.post', fields_aliases=fields_aliases)):" in source
    assert source.count(BEGIN) == 3


def test_rows_are_written_found_and_joined(place: Place) -> None:
    assert place.run("-c", JOINS) == "done\n"


def test_the_tests_that_it_writes_pass(place: Place) -> None:
    out = place.run(
        "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(place.folder), "-p", "no:cacheprovider", "shop"
    )
    assert "3 passed" in out


def test_code_of_the_users_is_there_after_a_change_of_the_database(place: Place) -> None:
    module = place.package / "blog/post.py"
    parts = module.read_text().split(BEGIN)
    mine = (
        "\nimport os\n\nGREETING = '{Hello}'  # \ttrailing \n",
        "\n    Fkeys = {'writer': 'post_author_id_fkey'}\n    kind = 'post'\n",
        "\n        self.ho_unfreeze()\n        self.greeting = GREETING\n\n    def shout(self) -> str:\n"
        "        return f'{self.greeting}, {self.kind}!'",
    )
    code = parts[0] + "".join(BEGIN + text + rest for text, rest in zip(mine, [*parts[1:-1], ""], strict=True))
    # What was between the markers is white space.
    module.write_text(code)
    (place.package / "blog/post_test.py").write_text("# mine\n")
    with place.engine.begin() as connection:
        run_script(connection, "ALTER TABLE blog.post ADD body text; DROP TABLE blog.comment")
    done = place.synchronise()
    assert {path.name for path in done.written} == {"post.py", "__init__.py"}
    assert {path.name for path in done.removed} == {"comment.py", "comment_test.py"}
    now = module.read_bytes()
    assert all(text.encode() in now for text in mine)
    assert (place.package / "blog/post_test.py").read_text() == "# mine\n"
    code = (
        "from shop.blog.post import Post; from shop.people.person import Person\n"
        "ann = Person(name='Ann').ho_insert(); Post(title='x', author_id=ann['id'], body='y').ho_insert()\n"
        "print(Post().shout(), Post(body='y').writer().ho_get()['name'])\n"
        "Post._ho_model.disconnect()"
    )
    assert place.run("-c", code) == "{Hello}, post! Ann\n"
    with place.engine.begin() as connection:
        run_script(connection, "DROP TABLE blog.post")
    assert {path.name for path in place.synchronise().left} == {"post.py"}
    assert module.read_bytes() == now


def test_a_row_of_each_relation_of_the_corpus(
    server: Engine, nasty_database: str, nasty_texts: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    with temporary_database(server, nasty_database) as engine:
        place = Place(tmp_path, engine)
        place.synchronise()
        rows = [
            (schema, name, {c: marked(v) for c, v in values.items() if not any(mark in c for mark in NOT_QUOTED)})
            for schema, name, values in ROWS
            if (schema, name) not in NOT_WRITTEN_HERE and '"' not in name
        ]
        said = json.loads(place.run("-c", ROUND_TRIP, stdin=json.dumps(rows)))
        assert said["wrong"] == []
        relations = {(schema, name) for schema, name, _ in ROWS} | {
            ("shop", "person_view"),
            ("blog.view", "post_title"),
        }
        assert relations <= {(schema, name) for schema, name in said["classes"]}


def test_texts_do_not_depend_on_the_name_of_the_database(make_engine: Callable[[], Engine]) -> None:
    """half_orm's names of foreign keys have it in them, and a release is proved on a copy of another name."""
    texts = []
    for engine in (make_engine(), make_engine()):
        with engine.begin() as connection:
            run_script(connection, BLOG)
            texts.append(generate(connection, None, "half_orm"))
    assert texts[0] == texts[1]


def test_two_relations_never_share_a_module(connection: Connection) -> None:
    run_script(connection, "CREATE SCHEMA a; CREATE TABLE a.post (x int)")
    alone = generate(connection, None, "half_orm")
    run_script(
        connection,
        'CREATE TABLE a."Post" (x int); CREATE TABLE a.post_test (x int); CREATE TABLE a."post " (x int);'
        'CREATE SCHEMA "a.b"; CREATE TABLE "a.b".c (x int); CREATE TABLE a.b (x int); CREATE SCHEMA "A"; '
        'CREATE TABLE "A".post (x int)',
    )
    together = generate(connection, None, "half_orm")
    assert len({path.lower() for path in together}) == len(together)
    assert together["a/post.py"] == alone["a/post.py"]
    assert together["a/post_test.py"] == alone["a/post_test.py"]
    assert "a/b/c.py" in together and "a/b.py" not in together
