"""Backups: what is written, what is said of it, what is found damaged, and what is removed again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from hop_tasks.backups import Backup, Kind, read_note
from hop_tasks.backups.notes import as_text
from hop_tasks.database.clients import find_client
from hop_tasks.errors import BackupError, DatabaseError, StateError, UsageError
from hop_tasks.versions import Version
from hop_tasks.workflows.backing_up import require_able_to_back_up
from hop_tasks.workflows.backups import Pruned, list_backups, prune_backups
from tests.playground import Playground
from tests.workflows.backing import backed_up_at, backup_of, files_in, restored_at, workspace_at
from tests.workflows.calling import project_of
from tests.workflows.diary import Diary
from tests.workflows.shelf import Shelf, database_of, maintain, production, url_beside


def saved(shelf: Shelf, play: Playground) -> Playground:
    """Production at 0.0.1 with a backup in each format."""
    place = shelf.copy(production, play)
    backup_of(place)
    backup_of(place.with_variables(HOP_BACKUP_FORMAT="directory"))
    return place


@pytest.fixture
def place(shelf: Shelf, play: Playground) -> Playground:
    """Production at 0.0.1, for a test to play with."""
    return shelf.copy(production, play)


def folder_of(place: Playground) -> Path:
    return place.folder / "Backups"


class TestWhatIsWritten:
    def test_a_sidecar_says_what_the_dump_is(self, place: Playground) -> None:
        backup = backup_of(place)
        note = json.loads(backup.sidecar.read_text())
        ((database_id, commit, size, version),) = place.sql(
            "SELECT d.id, r.commit, pg_database_size(current_database()), current_setting('server_version_num')::int"
            " FROM half_orm_meta.database d, half_orm_meta.hop_release r WHERE (r.major, r.minor, r.patch) = (0, 0, 1)"
        )
        assert (note["format"], note["kind"], note["program"]) == (2, "custom", "pg_dump")
        assert (note["database"], note["database_id"]) == (database_of(place), database_id)
        assert (note["release"], note["commit"]) == ("0.0.1", commit)
        assert note["commit"] == place.git("rev-parse", "0.0.1^{commit}")
        assert note["size"] == backup.path.stat().st_size
        assert abs(note["database_size"] - size) < 1_000_000
        assert note["sha256"] == hashlib.sha256(backup.path.read_bytes()).hexdigest()
        assert (note["server_version"] // 10000, note["tool_version"] >= version // 10000) == (version // 10000, True)
        assert (note["rows"]["public.product"], note["rows"]["workshop.job"]) == (1, 0)
        assert note["rows"]["half_orm_meta.hop_release"] == 2
        listed = subprocess.run(
            [find_client("pg_restore", note["tool_version"]), "--list", backup.path],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert f"TOC Entries: {note['entries']}\n" in listed
        assert backup == read_note(backup.sidecar)

    def test_a_folder_is_readable_by_nobody_else_and_has_a_checksum_over_all(self, place: Playground) -> None:
        umask = os.umask(0)
        try:
            backup = backup_of(place.with_variables(HOP_BACKUP_FORMAT="directory", HOP_BACKUP_JOBS="3"))
        finally:
            os.umask(umask)
        assert {path.stat().st_mode & 0o777 for path in backup.path.iterdir()} == {0o600}
        assert backup.path.stat().st_mode & 0o777 == 0o700
        assert backup.sidecar.stat().st_mode & 0o777 == 0o600
        sums = "cd $0 && find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1"
        assert place.run("sh", "-c", sums, str(backup.path)).succeeds().out.strip() == backup.sha256
        assert backup.size == sum(path.stat().st_size for path in backup.path.iterdir())

    def test_rows_and_dump_agree_while_others_write(self, place: Playground) -> None:
        place.sql("CREATE TABLE busy (n integer)")
        stop = threading.Event()

        def write() -> None:
            with closing(psycopg2.connect(place.url)) as session, session.cursor() as cursor:
                session.autocommit = True
                while not stop.is_set():
                    cursor.execute("INSERT INTO busy SELECT generate_series(1, 7)")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            backup = backup_of(place)
        finally:
            stop.set()
            writer.join()
        assert backup.rows is not None
        assert place.sql("SELECT count(*) FROM busy") > [(backup.rows["public.busy"],)], "rows came after it"
        restored_at(place)
        assert place.sql("SELECT count(*) FROM busy") == [(backup.rows["public.busy"],)]

    def test_databases_of_similar_names_do_not_share_their_backups(self) -> None:
        from hop_tasks.backups.notes import stem_for

        assert stem_for("shop") == "shop"
        assert len({stem_for(name) for name in ("shop-a", "shop a", "Shop_A", "shop_a")}) == 4


class TestOtherWays:
    def test_none_is_made_where_none_is_wanted_and_that_is_said_loudly(self, place: Playground) -> None:
        done = place.with_variables(HOP_BACKUP_FORMAT="none").hop("upgrade", "--to", "0.0.2").succeeds()
        assert f"warning: NO BACKUP of {database_of(place)}" in done.err
        assert not folder_of(place).exists()

    def test_the_users_own_command_writes_the_file(self, place: Playground) -> None:
        script = place.write(
            "save.py",
            "import os, subprocess, sys\n"
            "assert os.environ['HOP_BACKUP_DATABASE'] == os.environ['PGDATABASE']\n"
            "assert os.environ['HOP_BACKUP_RELEASE'] == '0.0.1' and sys.argv[1] == 'a b'\n"
            "subprocess.run([sys.argv[2], '-Fc', '-f', os.environ['HOP_BACKUP_FILE']], check=True)\n",
        )
        version = place.sql("SELECT current_setting('server_version_num')::int")[0][0]
        command = f"{sys.executable} {script} 'a b' {find_client('pg_dump', version)}"
        backup = backup_of(place.with_variables(HOP_BACKUP_COMMAND=command))
        assert (backup.kind, backup.program, backup.is_archive) == (Kind.COMMAND, Path(sys.executable).name, True)
        assert backup.path.stat().st_mode & 0o777 == 0o600
        place.sql("DELETE FROM product")
        restored_at(place)
        assert place.sql("SELECT count(*) FROM product") == [(1,)]

    def test_a_file_that_pg_restore_does_not_read_is_not_restored(self, place: Playground) -> None:
        backup = backup_of(place.with_variables(HOP_BACKUP_COMMAND="sh -c 'echo snapshot 7 > $HOP_BACKUP_FILE'"))
        assert backup.path.read_text() == "snapshot 7\n"
        with pytest.raises(BackupError, match=r"sh made it, and pg_restore does not read it; restore it by the means"):
            restored_at(place)

    def test_a_command_that_makes_it_elsewhere(self, place: Playground) -> None:
        diary = Diary()
        backup = backed_up_at(place.with_variables(HOP_BACKUP_COMMAND="true"), diary=diary)
        assert backup is not None
        assert (backup.kind, backup.path, backup.size) == (Kind.ELSEWHERE, backup.sidecar, 0)
        assert "made the backup elsewhere" in diary.told("note")
        with pytest.raises(BackupError, match="made elsewhere by true; restore it by the means of that program"):
            restored_at(place)
        assert "elsewhere" in place.hop("backups", "--verify").succeeds().out

    def test_a_command_that_fails_stops_the_upgrade(self, place: Playground) -> None:
        command = "sh -c 'echo half > $HOP_BACKUP_FILE; echo no tape >&2; exit 3'"
        place.with_variables(HOP_BACKUP_COMMAND=command).hop("upgrade").fails(10, "exit code 3", "no tape", "nothing")
        assert place.releases() == ["0.0.0", "0.0.1"]
        assert files_in(folder_of(place)).keys() == {".gitignore"}

    def test_a_password_is_not_shown(self, place: Playground) -> None:
        url = make_url(place.url).set(password="s3cret", username="postgres").render_as_string(hide_password=False)
        command = "sh -c 'echo $PGPASSWORD; exit 1'"
        with pytest.raises(BackupError) as caught:
            backup_of(replace(place, url=url).with_variables(HOP_BACKUP_COMMAND=command))
        assert "s3cret" not in str(caught.value) + "".join(caught.value.details)


class TestBeforeAnythingIsChanged:
    """What an upgrade asks for first."""

    def preflight(self, place: Playground) -> None:
        with workspace_at(place) as (workspace, admin):
            require_able_to_back_up(workspace, admin)

    def test_too_little_space(self, place: Playground) -> None:
        backup = backup_of(place)
        backup.sidecar.write_text(as_text(replace(backup, size=10**16)))
        found = place.hop("upgrade").fails(10, "a backup needs about 12", "TB", "are free", "nothing was changed")
        assert "backing up" not in found.out
        assert place.releases() == ["0.0.0", "0.0.1"]
        # By the tables, where there is no backup to go by.
        backup.path.unlink()
        self.preflight(place)

    def test_a_pg_dump_that_is_older_than_the_server(self, place: Playground) -> None:
        programs = place.folder / "old"
        programs.mkdir()
        for name in ("pg_dump", "pg_restore"):
            (programs / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 12.1'\n")
            (programs / name).chmod(0o755)
        found = place.with_variables(HOP_CLIENT_PROGRAMS=str(programs)).hop("upgrade").fails(5, "needs pg_dump", "12")
        assert "backing up" not in found.out
        assert not folder_of(place).exists()

    def test_a_folder_that_cannot_be_written_to(self, place: Playground) -> None:
        folder_of(place).write_text("a file")
        with pytest.raises(BackupError, match="not a folder"):
            self.preflight(place)

    def test_a_command_that_is_not_there(self, place: Playground) -> None:
        with pytest.raises(DatabaseError, match="no program nowhere/save"):
            self.preflight(place.with_variables(HOP_BACKUP_COMMAND="nowhere/save --all"))

    def test_a_database_that_can_only_be_read(self, place: Playground) -> None:
        backup_of(place)
        audit = place.sql("SELECT count(*) FROM half_orm_meta.hop_attempt")
        maintain(place, f"ALTER DATABASE {database_of(place)} SET default_transaction_read_only TO on")
        told = r"may only read in database .*\(set by: database\); nothing was changed"
        with pytest.raises(DatabaseError, match=told):
            self.preflight(place)
        with pytest.raises(DatabaseError, match=told):
            restored_at(place)
        assert place.sql("SELECT count(*) FROM half_orm_meta.hop_attempt") == audit
        assert place.databases() == {database_of(place)}

    def programs_that_wait(self, place: Playground, folder: Path) -> Path:
        """A folder with pg_restore, and a pg_dump that says `started` and waits for `go`."""
        ((version,),) = place.sql("SELECT current_setting('server_version_num')::int")
        (folder / "bin").mkdir()
        for name in ("pg_dump", "pg_restore"):
            wait = f"touch {folder}/started; until [ -e {folder}/go ]; do sleep 0.05; done"
            script = folder / "bin" / name
            script.write_text(
                f'#!/bin/sh\ncase "$*" in *--snapshot*) {wait};; esac\nexec {find_client(name, version)} "$@"\n'
            )
            script.chmod(0o755)
        return folder / "bin"

    def test_who_holds_a_lock_is_named(
        self, place: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before the backup, and while hop or pg_dump makes it."""
        for module in ("counting", "making"):
            monkeypatch.setattr(f"hop_tasks.backups.{module}.LOCK_WAIT", "700ms")
        place.sql("CREATE TABLE parted (n integer) PARTITION BY LIST (n)")
        with closing(psycopg2.connect(place.url, application_name="the till")) as till, till.cursor() as cursor:
            told = rf"blocked by the till .*{till.get_backend_pid()}.*; nothing was changed"
            cursor.execute("LOCK TABLE product")
            with pytest.raises(DatabaseError, match=told):
                self.preflight(place)
            with pytest.raises(BackupError, match=told):
                backup_of(place)
            till.rollback()
            waiting = place.with_variables(HOP_CLIENT_PROGRAMS=str(self.programs_that_wait(place, tmp_path)))

            def lock() -> None:
                while not (tmp_path / "started").exists():
                    time.sleep(0.01)
                cursor.execute("LOCK TABLE ONLY parted")
                (tmp_path / "go").touch()

            locker = threading.Thread(target=lock, daemon=True)
            locker.start()
            with pytest.raises(BackupError, match=told) as caught:
                backup_of(waiting)
            locker.join()
            assert "pg_dump failed" in str(caught.value.__cause__)
        assert files_in(folder_of(place)).keys() == {".gitignore"}


class TestKeeping:
    def test_the_oldest_are_removed_once_the_new_one_is_there(self, place: Playground) -> None:
        diary = Diary()
        keeping = place.with_variables(HOP_BACKUP_KEEP="2")
        elsewhere = backup_of(keeping.with_variables(HOP_BACKUP_COMMAND="true"))
        made = [backup_of(keeping.with_variables(HOP_BACKUP_FORMAT=kind)) for kind in ("directory", "custom")]
        assert all(backup.path.exists() for backup in made)
        last = backed_up_at(keeping, diary=diary)
        assert last is not None
        assert diary.told("note").startswith(f"removed the older backup {made[0].path.name}")
        there = {path for path in folder_of(place).iterdir() if path.name != ".gitignore"}
        assert there == {elsewhere.path, made[1].path, made[1].sidecar, last.path, last.sidecar}


class TestCommand:
    """`hop backups`."""

    def test_lists_verifies_and_prunes(self, place: Playground) -> None:
        assert "there are no backups" in place.hop("backups").succeeds().out
        first, second = backup_of(place), backup_of(place.with_variables(HOP_BACKUP_FORMAT="directory"))
        kept = restored_at(place).kept_as
        assert kept
        stem = first.path.stem.rpartition("-")[0]
        place.write(f"Backups/{stem}-20200101T000000000000.dump.part", "half")
        place.write("Backups/notes.txt", "mine")
        stray = place.write(f"Backups/{stem}-20200102T000000000000.dump", "somebody took its sidecar")
        lines = place.hop("backups").succeeds().out.splitlines()
        assert [line.split()[:2] for line in lines[1:3]] == [[second.path.name, "0.0.1"], [first.path.name, "0.0.1"]]
        assert f"{first.size / 1000:.1f} kB" in lines[2]
        assert f"{stray.name}  cannot be used: it has no sidecar" in lines[3]
        assert kept in lines[-1]
        assert "0.0.1" in lines[-1]
        assert "MB" in lines[-1]

        stray.unlink()
        assert place.hop("backups", "--verify").succeeds().out.count("sound") == 2
        first.path.write_bytes(first.path.read_bytes()[:-1])
        (second.path / "toc.dat").unlink()
        found = place.hop("backups", "--verify").fails(10, first.path.name, second.path.name)
        assert f"it has {first.size - 1} bytes instead of {first.size}" in found.out
        # The server may be what was lost.
        down = replace(place, url=f"postgresql://nobody@localhost:1/{database_of(place)}")
        assert first.path.name in down.hop("backups").fails(5, "no connection").out

        before = files_in(folder_of(place)), place.databases()
        assert "dry run" in place.hop("--dry", "backups", "--prune").succeeds().out
        assert (files_in(folder_of(place)), place.databases()) == before
        pruned = place.with_variables(HOP_BACKUP_KEEP="1").hop("backups", "--prune").succeeds()
        assert f"dropped database {kept}" in pruned.out
        assert f"removed the backup {first.path.name}" in pruned.out
        assert "removed 1 backup, 1 leftover, 1 replaced database" in pruned.out
        assert place.databases() == {database_of(place)}
        assert {path.name for path in folder_of(place).iterdir()} == {
            second.path.name,
            second.sidecar.name,
            "notes.txt",
            ".gitignore",
        }
        assert "nothing to remove" in place.hop("backups", "--prune").succeeds().out

    def test_replaced_databases_are_dropped_alone_or_at_once(self, place: Playground) -> None:
        backup = backup_of(place)
        kept = restored_at(place).kept_as
        restored = restored_at(place, drop_replaced=True)
        assert restored.kept_as is None
        assert restored.dropped
        assert place.databases() == {database_of(place), kept}
        place.with_variables(HOP_BACKUP_KEEP="1").hop("backups", "--drop-replaced").succeeds()
        assert place.databases() == {database_of(place)}
        assert backup.path.exists()

    def test_what_may_be_all_that_is_left_is_not_dropped(self, place: Playground) -> None:
        backup_of(place)
        kept = restored_at(place).kept_as
        place.sql(f"DROP DATABASE {database_of(place)}", url_beside(place, "postgres"))
        place.hop("backups", "--prune").fails(7, "there is no database", "hop restore")
        assert place.databases() == {kept}

    def test_a_kept_database_that_somebody_gave_its_old_name_again_is_production(self, place: Playground) -> None:
        """Whatever mark it still bears; the mark is taken off then."""
        name = database_of(place)
        backup_of(place)
        kept = restored_at(place).kept_as
        maintain(place, f"DROP DATABASE {name}", f'ALTER DATABASE "{kept}" RENAME TO {name}')
        comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        for mark in (place.sql(comment)[0][0], f'hop: {{"kind": "work", "of": "{name}"}}'):
            maintain(place, f"COMMENT ON DATABASE {name} IS '{mark}'")
            with project_of(place) as project:
                assert list_backups(project).replaced == ()
                assert prune_backups(project, reporter=Diary()) == Pruned()
            assert place.sql("SELECT count(*) FROM product") == [(1,)]
            assert place.sql(comment) == [(None,)]

    def test_sessions_on_a_kept_database_are_not_ended_unasked(self, place: Playground) -> None:
        """Neither where it replaces another, nor where there is none."""
        backup_of(place)
        kept = restored_at(place).kept_as
        assert kept is not None
        with closing(psycopg2.connect(url_beside(place, kept), application_name="auditor")) as auditor:
            for _ in range(2):
                there = place.databases()
                with pytest.raises(StateError, match=f"1 session is open on {kept}: auditor .*nothing was changed"):
                    restored_at(place, kept)
                assert place.databases() == there
                auditor.cursor().execute("SELECT 1")
                maintain(place, f"DROP DATABASE IF EXISTS {database_of(place)}")
            restored_at(place, kept, force=True)
            with pytest.raises(psycopg2.OperationalError):
                auditor.cursor().execute("SELECT 1")
        assert place.databases() == {database_of(place)}

    def test_a_laptop_removes_nothing_of_production(self, place: Playground) -> None:
        backup_of(place)
        kept = restored_at(place).kept_as
        place.with_variables(HOP_PRODUCTION="0").hop("backups", "--drop-replaced").fails(6, "stamped as production")
        assert kept in place.databases()


def flipped(content: bytes, byte: int, bit: int) -> bytes:
    return content[:byte] + bytes([content[byte] ^ 1 << bit]) + content[byte + 1 :]


class TestDamage:
    """Found before anything is touched."""

    @pytest.fixture
    def shared(self, shelf: Shelf) -> Iterator[Playground]:
        place = shelf.shared(saved)
        before = place.databases(), files_in(folder_of(place)), place.sql("SELECT * FROM product")
        yield place
        assert (place.databases(), files_in(folder_of(place)), place.sql("SELECT * FROM product")) == before

    def backups(self, place: Playground) -> tuple[Backup, Backup]:
        with project_of(place) as project:
            folder, file = (entry.backup for entry in list_backups(project).backups)
        return file, folder

    @pytest.mark.parametrize("kind", ["custom", "directory"])
    @pytest.mark.parametrize("damage", ["cut", "empty", "a bit at the begin", "a bit", "a bit at the end", "gone"])
    def test_of_a_dump(self, shared: Playground, kind: str, damage: str) -> None:
        backup = self.backups(shared)[kind == "directory"]
        target = backup.path / "toc.dat" if kind == "directory" else backup.path
        content = target.read_bytes()
        spoilt = {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "a bit at the begin": flipped(content, 0, 0),
            "a bit": flipped(content, len(content) // 2, 3),
            "a bit at the end": flipped(content, len(content) - 1, 7),
        }
        try:
            target.unlink()
            if damage != "gone":
                target.write_bytes(spoilt[damage])
            with pytest.raises(BackupError if target.exists() or kind == "directory" else UsageError) as caught:
                restored_at(shared, backup.path.name)
            assert backup.path.name in str(caught.value)
        finally:
            target.write_bytes(content)
            target.chmod(0o600)

    def test_a_file_more_or_a_file_less_in_a_folder(self, shared: Playground) -> None:
        _, backup = self.backups(shared)
        more = backup.path / "more.dat"
        more.write_bytes(b"")
        try:
            with pytest.raises(BackupError, match="checksum"):
                restored_at(shared, backup.path.name)
        finally:
            more.unlink()

    def test_any_bit_of_a_sidecar(self, shared: Playground) -> None:
        backup, _ = self.backups(shared)
        content = backup.sidecar.read_bytes()
        try:
            for byte in range(len(content)):
                backup.sidecar.write_bytes(flipped(content, byte, byte % 8))
                with pytest.raises(BackupError):
                    read_note(backup.sidecar)
            with pytest.raises(BackupError, match=backup.path.name):
                restored_at(shared, backup.path.name)
            listed = shared.hop("backups").succeeds().out
            assert f"{backup.path.name}  cannot be used" in listed
        finally:
            backup.sidecar.write_bytes(content)

    def test_the_newest_sound_one_is_taken_for_a_release(self, shelf: Shelf, play: Playground) -> None:
        place = shelf.copy(saved, play)
        for sidecar in folder_of(place).glob("*.json"):
            backup = read_note(sidecar)
            # A copy of the place has a database of another name.
            sidecar.write_text(as_text(replace(backup, database=database_of(place), kind=Kind.COMMAND)))
            if backup.path.is_dir():
                (backup.path / "toc.dat").unlink()
                newest = backup
        diary = Diary()
        restored = restored_at(place, diary=diary)
        assert newest.path.name not in restored.source
        assert f"{newest.path} is passed over: it is damaged" in diary.told("warn")

    def test_one_of_another_database(
        self, shared: Playground, shelf: Shelf, play: Playground, other_database: Callable[[], str]
    ) -> None:
        """By the id that the registry has, whatever the name; by the name for a database without."""
        file, _ = self.backups(shared)
        place = shelf.copy(production, play)
        with pytest.raises(UsageError, match="neither a release"):
            restored_at(place, file.path.name)
        place.sql("UPDATE half_orm_meta.database SET id = 'another'")
        for wanted in (str(file.path), str(file.sidecar), str(file.path.with_suffix(""))):
            with pytest.raises(BackupError, match=r"of another database .*another"):
                restored_at(place, wanted)
        with pytest.raises(BackupError, match=f"of the database {file.database}"):
            restored_at(replace(place, url=other_database()), str(file.path))
        assert place.databases() == {database_of(place)}


class TestFromElsewhere:
    def test_a_path_to_a_copy_on_another_machine(self, place: Playground, tmp_path: Path) -> None:
        backup = backup_of(place)
        store = tmp_path / "store"
        folder_of(place).rename(store)
        place.sql("DELETE FROM product")
        with pytest.raises(BackupError, match="no backup"):
            restored_at(place)
        assert restored_at(place, str(store / backup.path.name)).version == Version(0, 0, 1)
        assert place.sql("SELECT count(*) FROM product") == [(1,)]
        (store / backup.sidecar.name).unlink()
        with pytest.raises(BackupError, match="has no sidecar"):
            restored_at(place, str(store / backup.path.name))

    def test_one_of_the_first_format(self, place: Playground) -> None:
        """It has no seal and no counts."""
        backup = backup_of(place)
        old = ("database", "created", "size", "sha256", "fingerprint", "server_version")
        note = {name: getattr(backup, name) for name in old}
        backup.sidecar.write_text(
            json.dumps({**note, "path": backup.path.name, "release": "0.0.1", "format": 1}, indent=2)
        )
        place.sql("DELETE FROM product")
        assert "sound" in place.hop("backups", "--verify").succeeds().out
        assert restored_at(place, backup.path.name).version == Version(0, 0, 1)
        assert place.sql("SELECT count(*) FROM product") == [(1,)]

    def test_a_dump_that_is_not_what_its_sidecar_says(self, place: Playground) -> None:
        backup = backup_of(place)
        backup.sidecar.write_text(as_text(replace(backup, rows={**(backup.rows or {}), "public.product": 3})))
        with pytest.raises(BackupError, match=r"public.product has 1 rows instead of 3.* serves as before"):
            restored_at(place)
        backup.sidecar.write_text(as_text(replace(backup, entries=1)))
        with pytest.raises(BackupError, match="entries instead of 1"):
            restored_at(place)
        backup.sidecar.write_text(as_text(replace(backup, database="till")))
        with pytest.raises(BackupError, match=f"a dump of the database {database_of(place)}, not of till"):
            restored_at(place, backup.path.name)
        assert place.databases() == {database_of(place)}


class TestOrdinaryRole:
    """Told all that it lacks, before the first change."""

    @pytest.fixture
    def clerk(self, place: Playground) -> Iterator[Playground]:
        """The place, as a role without privileges has it."""
        name = f"clerk_{database_of(place)}"
        place.sql(f"CREATE ROLE {name} LOGIN")
        yield replace(place, url=make_url(place.url).set(username=name).render_as_string(hide_password=False))
        place.sql(f"DROP OWNED BY {name}")
        place.sql(f"DROP ROLE {name}")

    def test_cannot_upgrade(self, place: Playground, clerk: Playground) -> None:
        reading = f"GRANT USAGE ON SCHEMA half_orm_meta TO clerk_{database_of(place)};"
        place.sql(reading + f"GRANT SELECT ON ALL TABLES IN SCHEMA half_orm_meta TO clerk_{database_of(place)}")
        before = place.sql("SELECT count(*) FROM half_orm_meta.hop_attempt")
        clerk.hop("upgrade").fails(
            5,
            "USAGE on schema workshop",
            "SELECT on table public.customer, public.product, workshop.job",
            "SELECT on sequence public.customer_id_seq, workshop.job_id_seq",
            "INSERT on table half_orm_meta.hop_release",
            "INSERT, UPDATE, DELETE on table half_orm_meta.hop_step",
            "nothing was changed",
        )
        assert place.sql("SELECT count(*) FROM half_orm_meta.hop_attempt") == before
        assert not folder_of(place).exists()

    def test_cannot_restore(self, place: Playground, clerk: Playground) -> None:
        backup_of(place)
        place.sql(f"GRANT USAGE ON SCHEMA half_orm_meta TO clerk_{database_of(place)}")
        place.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA half_orm_meta TO clerk_{database_of(place)}")
        with closing(psycopg2.connect(place.url)):
            clerk.hop("restore", "0.0.1", "--force").fails(
                5, "CREATEDB", "membership in role postgres", "to end sessions of the superuser", "nothing was changed"
            )
        assert place.databases() == {database_of(place)}
