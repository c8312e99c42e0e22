"""What is in the folders of a release and is not run, although somebody may think so."""

from __future__ import annotations

from pathlib import Path

from hop_tasks.scripts import passed_over
from hop_tasks.versions import Version


def test_what_is_no_file_or_has_a_slip_in_its_suffix_is_named(tmp_path: Path) -> None:
    assert passed_over(tmp_path, Version(0, 0, 1)) == ()
    folder, pre = tmp_path / "Patches/0/0/1", tmp_path / "Patches/pre"
    (folder / "05.sql").mkdir(parents=True)
    (folder / "below").mkdir()
    pre.mkdir()
    for name in ("01.sql", "02.slq", "03.SQ", "04.pyc", "below/06.slq"):
        (folder / name).write_text("")
    (pre / "a.psq").write_text("")
    (folder / "07.py").symlink_to("nowhere.py")
    (folder / "08.sql").symlink_to("01.sql")
    kinds = "is none of .sql, .py, .psql"
    assert passed_over(tmp_path, Version(0, 0, 1)) == (
        f"Patches/pre/a.psq is not run: .psq {kinds}",
        f"Patches/0/0/1/02.slq is not run: .slq {kinds}",
        f"Patches/0/0/1/03.SQ is not run: .SQ {kinds}",
        f"Patches/0/0/1/04.pyc is not run: .pyc {kinds}",
        "Patches/0/0/1/05.sql is a folder and not run: files are run that are directly in Patches/0/0/1",
        "Patches/0/0/1/07.py is not run: it is no file, and no link that leads to one",
    )


def test_what_people_keep_beside_patch_files_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "Patches/0/0/1"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "rows").mkdir()
    names = (
        "MANIFEST.json", "README", "README.md", "a.csv", "a.tsv", "a.txt", "a.json", "a.yml", "a.sh", "a.xml", "a.gz",
        "a.sql~", "a.sql.bak", "a.sql.orig", ".a.sql.swp", "_a.slq", "__pycache__/a.pyc", "rows/a.sql", "a.sql",
    )  # fmt: skip
    for name in names:
        (folder / name).write_text("")
    assert passed_over(tmp_path, Version(0, 0, 1)) == ()
