"""Every generator in a project, from its first release to the next one, with a schema that goes and two branches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.playground import Playground
from tests.workflows.shelf import SCHEMA, Shelf, applied, clone, database_of, maintain, url_beside, with_origin

CLASSES = """
from shop.models import Client, WorkshopJob
Client(name='x')
print(*Client.__table__.c.keys(), WorkshopJob.__table__.schema)
"""
USING = {
    "tables": "from shop.tables import t_client, t_workshop_job as t; print(*t_client.c.keys(), t.schema)",
    "declarative": CLASSES,
    "dataclasses": CLASSES,
    "sqlmodel": CLASSES,
    "half_orm": """
from shop.public.client import Client
from shop.workshop.job import Job
print(*Client().keys(), Job()._t_fqrn[1])
""",
}

CLIENT = "CREATE TABLE client (id serial PRIMARY KEY, name text NOT NULL, product_id integer REFERENCES product);\n"

BEGIN = "#>>> PLACE YOUR CODE BELOW THIS LINE. DO NOT REMOVE THIS LINE!\n"


def with_half_orm(place: Playground) -> Playground:
    """The place, with half_orm's file that says how to reach its database."""
    from sqlalchemy import make_url

    url = make_url(place.url)
    place.write(
        "../conf/shop",
        f"[database]\nname = {url.database}\nuser = {url.username}\npassword = {url.password or ''}\n"
        f"host = {url.query.get('host', url.host)}\nport = {url.query.get('port', url.port)}\n",
    )
    return place.with_variables(HALFORM_CONF_DIR=str(place.folder.parent / "conf"))


def founded(play: Playground, generator: str) -> Playground:
    """A project of that generator, from a database with two schemas."""
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(SCHEMA)
    play.hop("new", "shop", "--devel", f"--generator={generator}").succeeds()
    place = play.inside("shop")
    return with_half_orm(place) if generator == "half_orm" else place


def generated(place: Playground) -> dict[str, bytes]:
    """The files of the package."""
    folder = place.folder / "shop"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize(
    "generator",
    [
        # What distinguishes the other two from sqlmodel is tested with the package.
        pytest.param(name, marks=pytest.mark.campaign if name in ("declarative", "dataclasses") else ())
        for name in USING
    ],
)
def test_from_one_release_to_the_next(play: Playground, generator: str) -> None:
    if generator in ("sqlmodel", "half_orm"):
        pytest.importorskip(generator, reason=f"{generator} is what the extra {generator} brings")
    place = founded(play, generator)
    assert f'generator = "{generator}"' in place.read("pyproject.toml")
    assert place.git("status", "--porcelain") == ""
    first = generated(place)

    place.hop("prepare", "-l", "patch").succeeds()
    place.write("Patches/0/0/1/01_client.sql", CLIENT)
    wrote = place.hop("apply").succeeds().out
    assert "wrote shop/" in wrote
    assert place.run(sys.executable, "-c", USING[generator]).succeeds().out == "id name product_id workshop\n"
    place.commit("clients")
    again = {path: (place.folder / "shop" / path).stat().st_mtime_ns for path in generated(place)}
    assert "wrote" not in place.hop("apply").succeeds().out
    assert {path: (place.folder / "shop" / path).stat().st_mtime_ns for path in generated(place)} == again

    # A schema that is dropped takes its modules along.
    place.write("Patches/0/0/1/02_workshop.sql", "DROP SCHEMA workshop CASCADE;\n")
    assert "removed shop/" in place.hop("apply").succeeds().out
    assert not [path for path in generated(place) if "workshop" in path]
    place.hop("release").fails(4, "not clean")
    place.commit("no workshop")
    # The tests of half_orm's relations connect to the scratch copy, whatever is said elsewhere.
    released = place.with_variables(HALFORM_CONF_DIR="/nowhere").hop("release").succeeds()
    assert "released 0.0.1" in released.out
    assert ("2 passed" in released.out) is (generator == "half_orm")
    place.hop("prepare", "-l", "patch").succeeds()
    place.write("Patches/0/0/2/01.sql", "DROP TABLE client;\n" + SCHEMA.split("CREATE TABLE product")[0])
    place.hop("apply").succeeds()
    place.hop("undo").succeeds()
    assert place.git("status", "--porcelain", "shop") == ""
    assert {path for path in first if "workshop" not in path} <= set(generated(place))


def test_another_generator_takes_the_place_of_the_first(shelf: Shelf, play: Playground) -> None:
    place = shelf.copy(applied, play)
    place.write("shop/mine.py", "MINE = 1\n")
    out = place.with_variables(HOP_GENERATOR="declarative").hop("sync-package").succeeds().out
    assert "wrote shop/models/public.py" in out and "removed shop/tables/public.py" in out
    assert {path.split("/")[0] for path in generated(place)} == {"__init__.py", "mine.py", "models"}
    place.hop("sync-package").succeeds()
    assert place.git("status", "--porcelain") == "?? shop/mine.py"


def test_a_function_of_the_project(shelf: Shelf, play: Playground) -> None:
    place = shelf.copy(applied, play)
    place.write(
        "making.py",
        "from hop_tasks.package import GENERATED_MARK\nfrom sqlalchemy import inspect\n\n\n"
        "def names(connection, release):\n"
        "    listed = sorted(inspect(connection).get_table_names('public'))\n"
        "    return {'names.py': f'# {GENERATED_MARK}\\nRELEASE = {str(release)!r}\\nNAMES = {listed}\\n'}\n",
    )
    mine = place.with_variables(HOP_GENERATOR="making:names")
    assert "wrote shop/names.py" in mine.hop("sync-package").succeeds().out
    code = "from shop.names import NAMES, RELEASE; print(RELEASE, *NAMES)"
    assert place.run(sys.executable, "-c", code).succeeds().out == "0.0.1 customer product\n"
    place.with_variables(HOP_GENERATOR="making:nothing").hop("apply").fails(3, "no attribute 'nothing'")
    place.write("shop/names.py", place.read("shop/names.py") + "MINE = 1\n")
    told = "names.py was changed since hop wrote it", "nothing was written; database", "is as it was", "then hop apply"
    for command in ("apply", "undo"):
        mine.hop(command).fails(3, *told[:3], told[3].replace("apply", command))
    assert place.releases() == ["0.0.0", "0.0.1"]


def test_the_one_module_of_earlier_versions_becomes_one_for_each_schema(shelf: Shelf, play: Playground) -> None:
    place = shelf.copy(applied, play)
    for path in (place.folder / "shop/tables").iterdir():
        path.unlink()
    earlier = Path(__file__).parents[1] / "package/earlier_tables.py.txt"
    place.write("shop/tables.py", earlier.read_bytes())
    settings = place.read("pyproject.toml")
    line = 'packages.find.include = ["shop", "shop.*"]\n'
    assert line in settings
    place.write("pyproject.toml", settings.replace(line, 'packages = ["shop"]\n'))
    place.commit("as an earlier hop has left it")
    out = place.hop("apply").succeeds().out
    assert "removed shop/tables.py" in out and "wrote pyproject.toml" in out
    assert place.read("pyproject.toml") == settings
    code = "from shop.tables import t_customer, check, __release__; print(__release__)"
    assert place.run(sys.executable, "-c", code).succeeds().out == "0.0.1\n"
    place.commit("as it is now")
    place.with_variables(HOP_TESTS="none").hop("release").succeeds()


def test_tracking_begins_with_the_one_module_of_earlier_versions(play: Playground) -> None:
    maintain(play, f"CREATE DATABASE {database_of(play)}")
    play.sql(SCHEMA)
    earlier = Path(__file__).parents[1] / "package/earlier_tables.py.txt"
    play.write("shop/__init__.py", "")
    play.write("shop/tables.py", earlier.read_bytes())
    play.git("init", "--quiet", "--initial-branch=main")
    play.commit("as it was")
    play.hop("init", "--devel", "--name=shop", "--generator=declarative").succeeds()
    assert play.git("status", "--porcelain") == ""
    files = play.git("ls-files", "shop").split()
    assert "shop/models/workshop.py" in files and "shop/tables.py" not in files
    assert 'generator = "declarative"' in play.read("pyproject.toml")


class TestTwoBranches:
    """The main branch has moved on: what both have generated is no conflict, and what a person wrote is kept."""

    def test_a_schema_that_one_of_them_drops(self, shelf: Shelf, play: Playground) -> None:
        ann = with_origin(shelf.copy(applied, play)).with_variables(HOP_TESTS="none")
        ann.write("Patches/0/0/1/02_job.sql", "ALTER TABLE workshop.job ADD note text;\n")
        ann.hop("apply").succeeds()
        ann.commit("notes of jobs")
        ann.git("push", "--quiet", "origin", "hop_0.0.1")
        ann.git("switch", "--quiet", "hop_main")
        ann.hop("prepare", "-l", "minor").succeeds()
        ann.write("Patches/0/1/0/01_workshop.sql", "DROP SCHEMA workshop CASCADE;\n")
        ann.hop("apply").succeeds()
        ann.commit("no workshop")
        assert not (ann.folder / "shop/tables/workshop.py").exists()
        bob = clone(ann, "bob", url_beside(ann, f"{database_of(ann)}_bob"))
        bob.git("switch", "--quiet", "hop_0.0.1")
        bob.hop("apply").succeeds()
        bob.hop("release", "--push").succeeds()

        ann.git("fetch", "--quiet", "--tags", "origin", "hop_main:hop_main")
        assert "rebased on hop_main" in ann.hop("apply").succeeds().out
        assert not (ann.folder / "shop/tables/workshop.py").exists()
        assert "t_customer = " in ann.read("shop/tables/public.py")
        ann.commit("package")
        ann.hop("release").succeeds()
        assert ann.releases() == ["0.0.0", "0.0.1", "0.1.0"]

    @pytest.mark.parametrize("conflict", [False, True], ids=["elsewhere", "same lines"])
    def test_code_of_the_users_on_both(self, play: Playground, conflict: bool) -> None:
        ann = with_origin(founded(play, "half_orm")).with_variables(HOP_TESTS="none")
        module = "shop/public/product.py"

        def add(place: Playground, number: int, text: str) -> None:
            parts = place.read(module).split(BEGIN)
            parts[number] = text + parts[number]
            place.write(module, BEGIN.join(parts))

        for version, column, part in (("0/0/1", "weight", 1), ("0/1/0", "colour", 1 if conflict else 3)):
            ann.git("switch", "--quiet", "hop_main")
            ann.hop("prepare", "-l", "patch" if version == "0/0/1" else "minor").succeeds()
            ann.write(f"Patches/{version}/01.sql", f"ALTER TABLE product ADD {column} text;\n")
            ann.hop("apply").succeeds()
            add(ann, part, f"# of {column}\n" if part == 1 else f"        self.of = '{column}'\n")
            ann.commit(column)
            if version == "0/0/1":
                ann.git("push", "--quiet", "origin", "hop_0.0.1")
        bob = clone(ann, "bob", url_beside(ann, f"{database_of(ann)}_bob"))
        bob.git("switch", "--quiet", "hop_0.0.1")
        bob.hop("apply").succeeds()
        bob.hop("release", "--push").succeeds()

        ann.git("fetch", "--quiet", "--tags", "origin", "hop_main:hop_main")
        before = ann.git("rev-parse", "HEAD"), ann.read(module)
        if conflict:
            ann.hop("apply").fails(4, f"conflicts in {module}", "the rebase was undone, nothing was changed")
            assert (ann.git("rev-parse", "HEAD"), ann.read(module)) == before
            assert ann.git("status", "--porcelain") == ""
            return
        assert "rebased on hop_main" in ann.hop("apply").succeeds().out
        now = ann.read(module)
        assert "# of weight\n" in now and "        self.of = 'colour'\n" in now
        assert "weight: typing.Any" in now and "colour: typing.Any" in now
