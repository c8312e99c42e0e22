"""The schema that a release keeps in the repository."""

from __future__ import annotations

from tests.playground import Playground


def test_passwords_of_user_mappings_stay_out_of_the_repository(project: Playground) -> None:
    version = project.release(
        "patch",
        {
            "01_fdw.sql": "CREATE FOREIGN DATA WRAPPER w;\nCREATE SERVER far FOREIGN DATA WRAPPER w;\n"
            "CREATE USER MAPPING FOR postgres SERVER far OPTIONS (password 'se;cret');\n"
            "CREATE TABLE after_it (note text DEFAULT 'CREATE USER MAPPING');\n"
        },
    )
    schema = project.read(f"Releases/shop-{version}.sql")
    assert "cret" not in schema
    assert "CREATE SERVER far" in schema
    assert "DEFAULT 'CREATE USER MAPPING'" in schema
