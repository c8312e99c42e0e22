"""What the README shows is what happens."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

import pytest

import hop_tasks
from hop_tasks import Project, apply_release, create_project, prepare_release, release_prepared
from hop_tasks.database import embedded
from hop_tasks.errors import HopError
from hop_tasks.package import GENERATORS
from hop_tasks.settings import PARSERS
from hop_tasks.tasks.collection import namespace
from tests.playground import SCRIPTS, Playground

pytestmark = pytest.mark.cold

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
ANYTHING = "…"


def block(name: str) -> str:
    """The code below a comment of that name."""
    found = re.search(rf"<!-- {re.escape(name)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found.group(1)


def steps(session: str) -> list[tuple[str, list[str]]]:
    """Each command of a session with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for line in session.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def expected(lines: list[str]) -> str:
    """The expression that the output matches: an ellipsis is anything in a line, and a line of its own any lines."""
    parts = []
    for line in lines:
        if line.strip() == ANYTHING:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(re.escape(line).replace(ANYTHING, ".*") + r"\n")
    return "".join(parts)


@pytest.fixture
def embedded_project(tmp_path: Path) -> Iterator[Path]:
    """A folder in which a project `shop` with an embedded server may come to be."""
    data = tmp_path / "shop/.hop/pgdata"
    yield tmp_path
    target = data.resolve()
    embedded.stop(data)
    shutil.rmtree(target, ignore_errors=True)


def test_sixty_seconds(embedded_project: Path) -> None:
    folder = embedded_project
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    for command, lines in steps(block("session: 60 seconds")):
        if command.startswith("cd "):
            folder /= command[3:]
            continue
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert re.fullmatch(expected(lines), done.stdout), f"{command} printed\n{done.stdout}"
        assert done.returncode == (1 if "hop: " in done.stdout else 0)


def test_watching(project: Playground) -> None:
    """A person saves when the line of a round is there: a mistake, its correction; and then presses Ctrl-C."""
    project.hop("prepare", "-l", "patch").succeeds()
    project.write("tests/test_it.py", "def test_it():\n    pass\n")
    good = "CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL);\n"
    path = project.write("Patches/0/0/1/01_customer.sql", good)
    ((command, lines),) = steps(block("session: watch"))
    process = project.with_variables(COLUMNS="80").start(str(SCRIPTS / "hop"), *shlex.split(command)[1:])
    seen = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            seen += line
            if re.match(r"\S+ start: ", line):
                path.write_text(good.replace("NULL", "NUL"))
            elif line == "  waiting for the next save\n":
                path.write_text(good)
            elif re.match(r"\S+ 01_customer.sql: applied", line):
                process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    pattern = re.sub(r"\d\d:\d\d:\d\d", r"\\d\\d:\\d\\d:\\d\\d", expected(lines).replace(re.escape("^C"), ""))
    assert re.fullmatch(pattern, seen), seen


def test_import_of_migrations(project: Playground) -> None:
    migrations = {
        "1_customer.up.sql": "CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL);\n",
        "1_customer.down.sql": "DROP TABLE customer;\n",
        "2_index.up.sql": "CREATE INDEX CONCURRENTLY customer_name ON customer (name);\n",
    }
    for name, text in migrations.items():
        project.write(f"../migrations/{name}", text)
    place = project.with_variables(PATH=f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    for command, lines in steps(block("session: import")):
        done = place.run("sh", "-c", command).succeeds()
        assert re.fullmatch(expected(lines), done.out), f"{command} printed\n{done.out}"


def test_tasks_with_a_namespace(project: Playground) -> None:
    project.write("tasks.py", block("recipe: tasks.py with a namespace"))
    listed = project.invoke("--list").succeeds().out
    assert "hello" in listed
    assert "db.prepare" in listed
    assert "mode            development" in project.invoke("db.status").succeeds().out


def test_tasks_with_a_step_of_its_own(project: Playground) -> None:
    project.write("tasks.py", block("recipe: tasks.py with a step of its own"))
    project.commit("own tasks")
    done = project.invoke("hotfix", "vat", "CREATE TABLE vat (rate numeric)").succeeds()
    assert "released 0.0.1 as " in done.out
    assert project.releases() == ["0.0.0", "0.0.1"]
    project.invoke("hotfix", "typo", "CREATE TABEL vat ()").fails(1, "01_typo.sql:1:8", "rolled back")


def test_a_probe_of_readiness(project: Playground) -> None:
    project.write("ready.py", block("recipe: ready.py"))
    place = project.with_variables(DATABASE_URL=project.url.replace("postgresql:", "postgresql+psycopg2:"))
    said = place.run(sys.executable, "ready.py").succeeds().out
    assert said == "equal: the database is at 0.0.0, the code was made for 0.0.0\n"
    project.sql("INSERT INTO half_orm_meta.hop_release (major, minor, patch) VALUES (0, 1, 0)")
    done = place.run(sys.executable, "ready.py")
    assert (done.code, done.out.split(":")[0]) == (1, "code behind")


def test_a_generator_of_its_own(project: Playground) -> None:
    project.write("generating.py", block("recipe: generating.py"))
    project.write("pyproject.toml", project.read("pyproject.toml") + 'generator = "generating:tables_and_names"\n')
    project.sql("CREATE TABLE product (id integer)")
    assert "wrote shop/names.py" in project.hop("sync-package").succeeds().out
    code = "from shop.names import NAMES; from shop.tables import t_product; print(*NAMES, t_product.schema)"
    assert project.run(sys.executable, "-c", code).succeeds().out == "product public\n"


def test_every_generator_is_documented() -> None:
    table = README[README.index("### The package") : README.index("### Schema files")]
    for name in GENERATORS:
        assert f"`{name}`" in table.split("There is a module")[0], name


def test_recipe_for_nox(project: Playground) -> None:
    pytest.importorskip("nox", reason="nox is a tool of development, which the extra dev brings")
    project.write("noxfile.py", block("recipe: noxfile.py"))
    project.commit("nox")
    project.hop("prepare", "-l", "patch").succeeds()
    project.write("Patches/0/0/1/01.sql", "CREATE TABLE a (id integer);\n")
    place = project.with_variables(PATH=f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}")
    # The session's environment is there already, and finds hop outside: nothing is installed from a network.
    venv.create(project.folder / ".nox/database", symlinks=True)
    done = place.run(sys.executable, "-m", "nox", "-R", "--default-venv-backend=venv", "-s", "database").succeeds()
    assert "applied 0.0.1 on top of 0.0.0" in done.out + done.err
    assert project.releases() == ["0.0.0", "0.0.1"]


def test_recipe_for_pytest(embedded_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the embedded server and with nothing configured, in a project as `hop new` makes it."""
    project = create_project("shop", folder=embedded_project, devel=True).project
    customer = "CREATE TABLE customer (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);"
    release_files(project, "customers", customer)
    prepared = prepare_release(project, "patch", "countries")
    column = "ALTER TABLE customer ADD country text NOT NULL DEFAULT 'FR';"
    (project.root / prepared.folder / "01.sql").write_text(column)
    (project.root / "tests").mkdir()
    (project.root / "tests/test_customers.py").write_text(block("recipe: tests/test_customers.py"))
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def release_files(project: Project, message: str, text: str) -> None:
    """A release with one file."""
    prepared = prepare_release(project, "patch", message)
    (project.root / prepared.folder / "01.sql").write_text(text)
    apply_release(project)
    subprocess.run(["git", "add", "--all"], cwd=project.root, check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", message], cwd=project.root, check=True)
    release_prepared(project)


def test_every_command_is_documented() -> None:
    table = README[README.index("## Commands") :]
    for name in namespace().task_names:
        assert (f"| `hop {name}" in table) or (name == "status" and "| `hop` |" in table), name


def test_every_function_of_the_library_is_documented() -> None:
    for name in hop_tasks.__all__:
        if inspect.isfunction(getattr(hop_tasks, name)):
            assert f"`{name}`" in README, name
    table = README[README.index("| function |") : README.index("Progress goes to")]
    assert {row.count("|") for row in table.split("\n") if row} == {4}


def test_extras_are_spelled_as_the_metadata_has_them() -> None:
    """pip before 23.3 finds no other spelling, and only warns."""
    named = {*re.findall(r"hop-tasks\[([^\]]+)\]", README), *re.findall(r"[Tt]he extra `([^`]+)`", README)}
    assert named <= set(metadata("hop-tasks").get_all("Provides-Extra") or ())
    assert len(named) == 3


def test_every_setting_is_documented() -> None:
    table = README[README.index("## Settings") :]
    for name in PARSERS:
        assert f"| `{name}` |" in table, name


def test_every_exit_code_is_documented() -> None:
    codes = {error.exit_code for error in [HopError, *HopError.__subclasses__()]}
    table = README[README.index("## In CI") : README.index("## Commands")]
    for code in codes:
        assert re.search(rf"^\| (?:\d+, )?{code}(?:, \d+)? \|", table, re.MULTILINE), code


def test_ci_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci/run").read_text()
    commands = re.findall(r"^\$ (.*pytest.*)$", README, re.MULTILINE)
    assert commands[0] in script
