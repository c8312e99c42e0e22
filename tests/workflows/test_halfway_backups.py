"""What is backed up and restored while a release of several steps is halfway: the clean state before it stays."""

from __future__ import annotations

import pytest

from hop_tasks import apply_release, list_backups, prepare_release, release_prepared, upgrade_database
from hop_tasks.backups import Backup
from hop_tasks.errors import BackupError, PatchError
from tests.playground import Playground
from tests.workflows.backing import restored_at
from tests.workflows.calling import project_of
from tests.workflows.diary import Diary
from tests.workflows.shelf import Shelf, clone, database_of, maintain, published

VISIT = "SELECT to_regclass('visit') IS NOT NULL"
CLEAN, HALFWAY = [(False,)], [(True,)]


def two_steps(shelf: Shelf, play: Playground) -> Playground:
    """0.0.4 is released on top of the three: a table, and an index built concurrently."""
    place = shelf.copy(published, play)
    with project_of(place) as project:
        prepare_release(project, "patch", "visits")
        place.write("Patches/0/0/4/01_visit.sql", "CREATE TABLE visit (id integer PRIMARY KEY);\n")
        place.write(
            "Patches/0/0/4/02_price.sql", "CREATE UNIQUE INDEX CONCURRENTLY product_price ON product (price);\n"
        )
        apply_release(project)
        place.commit("write 0.0.4")
        release_prepared(project)
    place.git("push", "--quiet", "--follow-tags", "origin", "hop_main")
    return place


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    """Production at 0.0.3, with two prices that let the second step of 0.0.4 fail."""
    place = clone(shelf.copy(two_steps, play, databases=False), "production").production()
    maintain(place, f"CREATE DATABASE {database_of(place)}")
    with project_of(place) as project:
        upgrade_database(project, to="0.0.3", reporter=Diary())
    place.sql("INSERT INTO product VALUES (1, 'bell', 10), (2, 'twin', 10)")
    return place


def stopped_halfway(place: Playground) -> Diary:
    diary = Diary()
    with project_of(place) as project, pytest.raises(PatchError, match="unique index"):
        upgrade_database(project, reporter=diary)
    assert place.sql(VISIT) == HALFWAY
    return diary


def backups_of(place: Playground) -> list[Backup]:
    with project_of(place) as project:
        return [listed.backup for listed in list_backups(project).backups]


def test_the_way_back_is_the_state_before_the_first_step(place: Playground) -> None:
    assert "stays the way back" not in stopped_halfway(place).told("note")
    (first,) = backups_of(place)
    assert first.begun is None

    # Again: nothing is made of what is halfway.
    again = stopped_halfway(place)
    assert f"{first.path}, from before its first step, stays the way back to 0.0.3" in again.told("note")
    assert backups_of(place) == [first]
    restored = restored_at(place, "0.0.3")
    assert restored.source == str(first.path)
    assert (place.sql(VISIT), place.releases()[-1]) == (CLEAN, "0.0.3")

    # A new beginning has a backup of its own, since rows have come; the older one does not stand in for it.
    place.sql("INSERT INTO product VALUES (3, 'pump', 30)")
    keeping = place.with_variables(HOP_BACKUP_KEEP="1")
    stopped_halfway(place)
    second = backups_of(place)[0]
    second.path.unlink()
    told = stopped_halfway(keeping)
    halfway, kept = backups_of(place)
    assert f"0.0.4 had been begun in what {halfway.path.name} holds" in told.told("warn")
    assert (str(halfway.begun), kept) == ("0.0.4", first), "it has not pushed out the clean one"
    assert f"{halfway.path.name}  0.0.3, 0.0.4 begun" in place.hop("backups").succeeds().out

    # By its release the clean one is meant; the other by its name, with its journal.
    assert restored_at(place, "0.0.3").source == str(first.path)
    assert place.sql(VISIT) == CLEAN
    restored_at(place, halfway.path.name)
    assert place.sql(VISIT) == HALFWAY
    place.sql("DELETE FROM product WHERE id = 2")
    with project_of(place) as project:
        upgrade_database(project, reporter=Diary())
    assert place.releases()[-1] == "0.0.4"


def test_no_state_that_is_halfway_is_taken_for_a_release(place: Playground) -> None:
    """Neither a backup nor a kept database; they are named instead."""
    stopped_halfway(place)
    (first,) = backups_of(place)
    kept = restored_at(place, "0.0.3").kept_as
    assert kept is not None
    first.path.unlink()
    with pytest.raises(BackupError, match=rf"no backup .* at 0.0.3 from before 0.0.4 was begun.*hop restore {kept}"):
        restored_at(place, "0.0.3")
    stopped_halfway(place.with_variables(HOP_BACKUP_FORMAT="none"))
    stopped_halfway(place)
    (halfway,) = backups_of(place)
    with pytest.raises(BackupError, match=f"hop restore {halfway.path.name}"):
        restored_at(place, "0.0.3")
    restored_at(place, kept)
    assert place.sql(VISIT) == HALFWAY
