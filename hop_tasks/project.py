"""A project: its root folder, its paths and its settings, found from the current directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hop_tasks.errors import ModeError, ProjectError
from hop_tasks.names import HALF_ORM_CONFIG
from hop_tasks.settings import Layer, Settings, defaults_of_place, environment_layer
from hop_tasks.versions import Version

SETTINGS_FILE = "pyproject.toml"
STATE_FOLDER = ".hop"


@dataclass(frozen=True)
class Project:
    """A directory whose `pyproject.toml` has `[tool.hop]`."""

    root: Path
    settings: Settings

    @classmethod
    def find(
        cls,
        start: Path | str | None = None,
        *,
        configuration: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        **flags: Any,
    ) -> Project:
        """The project that `start` lies in.

        Args:
            start: a folder in the project; the current directory by default.
            configuration: settings on top of the file's, such as Invoke's under `hop`.
            environ: variables on top of those; `os.environ` by default.
            flags: settings on top of all; None means not given.

        Raises ProjectError if no folder upwards is a project, or if settings are wrong.
        """
        folder = Path(start or Path.cwd()).resolve()
        for root in (folder, *folder.parents):
            raw = read_settings_file(root / SETTINGS_FILE)
            if raw is not None:
                variables = os.environ if environ is None else environ
                layers: list[Layer] = [
                    (f"{SETTINGS_FILE} [tool.hop]", {**defaults_of_place(variables), **raw}),
                    ("Invoke's configuration", dict(configuration or {})),
                    environment_layer(variables),
                    ("flags", {key: value for key, value in flags.items() if value is not None}),
                ]
                return cls(root, Settings.from_layers(layers))
        if any((root / HALF_ORM_CONFIG).is_file() for root in (folder, *folder.parents)):
            raise ProjectError(
                f"{folder} is in a project of half_orm's own tool ({HALF_ORM_CONFIG}), which hop has not taken over",
                hint="hop init --dry-run says what taking it over does, and hop init does it",
            )
        for root in (folder, *folder.parents):
            if _is_clone_without_files(root):
                raise ProjectError(
                    f"{root} is a clone of which nothing is checked out: the branch that its origin names is not there",
                    hint="git switch hop_main, or the branch of the releases; git branch --remotes shows them",
                )
        raise ProjectError(
            f"{folder} is not in a project (no {SETTINGS_FILE} with [tool.hop] here or above)",
            hint="hop new NAME --devel, or hop init --devel in an existing repository",
        )

    @property
    def name(self) -> str:
        """The project's name."""
        return self.settings.name

    @property
    def patches(self) -> Path:
        """The folder of all patch files."""
        return self.root / "Patches"

    @property
    def releases(self) -> Path:
        """The folder of the schemas of all releases."""
        return self.root / "Releases"

    @property
    def package_folder(self) -> Path:
        """The folder of the Python package."""
        return self.root / self.settings.package

    @property
    def backups(self) -> Path:
        """The folder of the backups."""
        return self.root / Path(self.settings.backups).expanduser()

    @property
    def embedded_data(self) -> Path:
        """The data folder of the embedded server."""
        return self.root / STATE_FOLDER / "pgdata"

    @property
    def package_memory(self) -> Path:
        """The file that says what the package was last made from."""
        return self.root / STATE_FOLDER / "package.json"

    def make_state_folder(self) -> None:
        """Make the folder of what belongs to this place only; Git ignores it whatever the project's .gitignore says."""
        make_state_folder(self.root)

    def patch_folder(self, version: Version) -> Path:
        """The folder of the patch files of one release."""
        return self.patches / version.folder

    def schema_path(self, version: Version) -> str:
        """The path, from the root, of the schema of one release."""
        return f"Releases/{self.name}-{version}.sql"

    def require_development(self, verb: str) -> None:
        """Raises ModeError where `verb`, a command of development, must not run."""
        self.require_devel(verb)
        self.require_not_production(verb)

    def require_not_production(self, verb: str) -> None:
        """Raises ModeError in a place that is production."""
        if self.settings.production:
            raise ModeError(
                f"this place is production (setting production or HOP_PRODUCTION); {verb} works in development only",
                hint="hop upgrade brings production to the newest release",
            )

    def require_production(self, verb: str) -> None:
        """Raises ModeError where `verb`, a command of production, must not run."""
        self.require_devel(verb)
        if not self.settings.production:
            raise ModeError(
                f"this place is development; {verb} works in production only",
                hint=f"HOP_PRODUCTION=1 hop {verb}, if this is the production system; hop apply in development",
            )

    def require_devel(self, verb: str) -> None:
        """Raises ModeError in a project that does not track versions."""
        if not self.settings.devel:
            raise ModeError(
                f"{verb} needs version tracking, and this project was made without --devel "
                "(only status and sync-package make sense in it)",
                hint="hop init --devel starts version tracking here",
            )


def make_state_folder(root: Path) -> None:
    """Make the folder of what belongs to this place only, in the project's folder `root`."""
    folder = root / STATE_FOLDER
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n")


def _is_clone_without_files(root: Path) -> bool:
    """Whether this is what `git clone` makes of an origin whose HEAD names a branch that nobody has pushed."""
    git = root / ".git"
    try:
        return list(root.iterdir()) == [git] and " refs/remotes/" in (git / "packed-refs").read_text()
    except OSError:
        return False


def read_settings_file(path: Path) -> dict[str, Any] | None:
    """The table `[tool.hop]` of a pyproject.toml; None if there is no such file or table. Raises ProjectError."""
    # Imported here, since lists, help and completion need it not.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} is not valid TOML: {error}", hint=f"correct {path}") from error
    except PermissionError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from error
    table = data.get("tool", {}).get("hop")
    if table is not None and not isinstance(table, dict):
        raise ProjectError(f"{path}: [tool.hop] must be a table")
    return table
