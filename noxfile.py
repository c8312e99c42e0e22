"""The checks of this project: `nox` runs lint, types and tests; `nox -l` lists the rest."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
SQLALCHEMY = {"oldest": "sqlalchemy==2.0.*", "newest": "sqlalchemy>=2.0,<3"}
INVOKE = {"oldest": "invoke==2.2.*", "newest": "invoke>=2.2,<4"}


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: faults and format."""
    session.install("ruff>=0.11")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The test suite, on each Python and each PostgreSQL that is there, with hop started anew each time."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "-n", "auto", "--every-server", "--cold", *session.posargs)


@nox.session
@nox.parametrize("sqlalchemy", list(SQLALCHEMY.values()), ids=list(SQLALCHEMY))
@nox.parametrize("invoke", list(INVOKE.values()), ids=list(INVOKE))
def versions(session: nox.Session, sqlalchemy: str, invoke: str) -> None:
    """The test suite with the oldest and the newest SQLAlchemy and Invoke."""
    session.install("-e", ".[dev]", sqlalchemy, invoke)
    session.run("python", "-m", "pytest", "-n", "auto", "--every-server", *session.posargs)


@nox.session
def campaign(session: nox.Session) -> None:
    """The long campaigns: every fault at every checkpoint, and many random cycles."""
    session.install("-e", ".[dev]")
    session.run(
        "python", "-m", "pytest", "-n", "auto", "--campaign", "tests/faults", "tests/properties", *session.posargs
    )


@nox.session
def example(session: nox.Session) -> None:
    """The whole cycle with the example project, on the embedded server."""
    session.run("python", "example_project/play.py", *session.posargs, external=True)


@nox.session
def bench(session: nox.Session) -> None:
    """hop beside bare psql and other tools; `nox -s bench -- --help` lists the options."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)
