"""The files of half_orm's own tool, as it and people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hop_tasks.errors import ProjectError
from hop_tasks.foreign import connection_path, find_half_orm_project, read_connection_file
from hop_tasks.manifest import Manifest

CONFIG = "[halfORM]\nconfig_file = shop\npackage_name = shop\nhop_version = 0.1.0a22\ngit_origin = \ndevel = True\n"


def written(folder: Path, config: str, changelog: str) -> Path:
    (folder / ".hop").mkdir()
    (folder / ".hop/config").write_text(config)
    (folder / ".hop/CHANGELOG").write_text(changelog)
    return folder


def connection(folder: Path, *lines: str) -> Path:
    path = folder / "shop"
    path.write_text("\n".join(["[database]", *lines]) + "\n")
    return path


def test_releases_and_those_in_preparation(tmp_path: Path) -> None:
    lines = "0.1.0a22\t0.10.0\tabc1234\t\n0.1.0a22\t0.9.0\tInitial\tdef5678\n\n0.1.0a22\t0.10.1\t\t\n"
    found = find_half_orm_project(written(tmp_path, CONFIG, lines))
    assert found is not None
    assert ([str(one) for one in found.released], [str(one) for one in found.in_preparation]) == (
        ["0.9.0", "0.10.0"],
        ["0.10.1"],
    )
    assert (found.package, found.tool_version, found.devel) == ("shop", "0.1.0a22", True)


def test_no_project(tmp_path: Path) -> None:
    assert find_half_orm_project(tmp_path) is None
    (tmp_path / ".hop").mkdir()
    assert find_half_orm_project(tmp_path) is None


@pytest.mark.parametrize(
    ("config", "changelog", "words"),
    [
        ("[halfORM]\ndevel = True\n", "", "config"),
        ("not an ini file\n", "", "config"),
        (CONFIG.replace("True", "perhaps"), "", "config"),
        (CONFIG, "0.1.0a22 0.0.1\n", "CHANGELOG:1"),
        (CONFIG, "0.1.0a22\t0.0.0\tInitial\t\n0.1.0a22\tone\tabc\t\n", "CHANGELOG:2"),
    ],
)
def test_files_that_are_broken_are_named(tmp_path: Path, config: str, changelog: str, words: str) -> None:
    with pytest.raises(ProjectError, match=words) as raised:
        find_half_orm_project(written(tmp_path, config, changelog))
    assert "nothing was changed" in raised.value.message


@pytest.mark.parametrize(
    ("lines", "url"),
    [
        (["name = shop"], "postgresql:///shop"),
        (["name = shop", "user = ann", "password = ", "host = ", "port = "], "postgresql://ann@/shop"),
        (
            ["name = shop", "user = ann", "password = a%%b:c@d", "host = db.example.com", "port = 5433"],
            "postgresql://ann:a%25b%3Ac%40d@db.example.com:5433/shop",
        ),
        (["name = shop", "host = /run/pg", "port = 5433"], "postgresql:///shop?host=%2Frun%2Fpg&port=5433"),
    ],
)
def test_urls_of_connection_files(tmp_path: Path, lines: list[str], url: str) -> None:
    file = read_connection_file(connection(tmp_path, *lines))
    assert file is not None
    assert file.url().render_as_string(hide_password=False) == url
    assert file.production is False
    assert "a%b" not in repr(file)


@pytest.mark.parametrize(
    "lines",
    [
        ["user = ann"],
        ["name = shop", "port = many"],
        ["name = shop", "production = perhaps"],
        ["name = s", "password = 5%5"],
    ],
)
def test_a_connection_file_that_is_broken_is_named_and_not_repeated(tmp_path: Path, lines: list[str]) -> None:
    path = connection(tmp_path, *lines)
    with pytest.raises(ProjectError, match=str(path)) as raised:
        read_connection_file(path)
    assert "5%5" not in str(raised.value)


def test_production_is_said_there(tmp_path: Path) -> None:
    file = read_connection_file(connection(tmp_path, "name = shop", "production = True"))
    assert file is not None
    assert file.production
    assert read_connection_file(tmp_path / "other") is None


def test_where_connection_files_are() -> None:
    assert connection_path("shop", {}) == Path("/etc/half_orm/shop")
    assert connection_path("shop", {"HALFORM_CONF_DIR": "/conf"}) == Path("/conf/shop")


def test_a_manifest_of_that_tool_has_its_version_from_its_path() -> None:
    manifest = Manifest.parse('{"hop_version": "0.1.0a22", "changelog_msg": "orders"}', "Patches/0/2/0/MANIFEST.json")
    assert (str(manifest.version), manifest.message, manifest.sealed) == ("0.2.0", "orders", False)
