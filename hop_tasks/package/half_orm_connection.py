"""The file by which half_orm connects, for a database that only the tests of a release are to see."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hop_tasks.database.addresses import Address

FOLDER_VARIABLE = "HALFORM_CONF_DIR"
USUAL_FOLDER = Path("/etc/half_orm")


@contextmanager
def half_orm_connection(package: str, address: Address) -> Iterator[Mapping[str, str]]:
    """The variable that makes half_orm connect a package to a database, for as long as the body runs.

    It names a folder that nobody else can read. What connects to other databases is in there too.
    """
    usual = Path(os.environ.get(FOLDER_VARIABLE, USUAL_FOLDER)).absolute()
    said = {
        "name": address.database,
        "user": address.username,
        "password": address.password,
        "host": address.query.get("host", address.host),
        "port": address.query.get("port", address.port),
    }
    config = ConfigParser(interpolation=None)
    # ConfigParser of half_orm takes a percent sign for the beginning of something.
    config["database"] = {key: str(value).replace("%", "%%") for key, value in said.items() if value is not None}
    with tempfile.TemporaryDirectory(prefix="hop-half-orm-") as folder:
        if usual.is_dir():
            for other in usual.iterdir():
                if other.name != package:
                    (Path(folder) / other.name).symlink_to(other)
        with (Path(folder) / package).open("x", encoding="utf-8") as file:
            config.write(file)
        yield {FOLDER_VARIABLE: folder}
