from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from batches import give_up, new_batch
from sqlalchemy import Connection, create_engine, inspect, text

from localvid.errors import WorkspaceError
from localvid.schemas import FilmOptions
from localvid.store import Store
from localvid.store import database as database_module
from localvid.store.database import Database, journal_mode
from localvid.store.migrations import MIGRATIONS, migrate
from localvid.store.tables import METADATA


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "TRUNCATE"),
        ((3, 44, 5), "TRUNCATE"),
        ((3, 44, 6), "WAL"),
        ((3, 45, 0), "TRUNCATE"),
        ((3, 50, 6), "TRUNCATE"),
        ((3, 50, 7), "WAL"),
        ((3, 51, 2), "TRUNCATE"),
        ((3, 51, 3), "WAL"),
        ((3, 52, 0), "WAL"),
        ((4, 0, 0), "WAL"),
    ],
)
def test_the_write_ahead_log_is_for_mended_versions(version: tuple[int, ...], mode: str) -> None:
    assert journal_mode(version) == mode


def test_no_write_ahead_log_where_memory_is_not_shared() -> None:
    assert journal_mode((3, 52, 0), "9p") == "TRUNCATE"


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 51, 3)])
def test_every_connection_is_set_up(
    version: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module.sqlite3, "sqlite_version_info", version)
    database = Database(tmp_path / "db", busy_seconds=7)
    for transaction in (database.read, database.write):
        with transaction() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert found == {
            "journal_mode": "wal" if version > (3, 51) else "truncate",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": 7000,
        }
    database.close()


def test_a_write_excludes_another_from_its_start(tmp_path: Path) -> None:
    first, second = Database(tmp_path / "db"), Database(tmp_path / "db", busy_seconds=0.1)
    with first.write(), pytest.raises(WorkspaceError, match="locked by another process"), second.write():
        pytest.fail("two write transactions at once")
    with second.write() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
    first.close()
    second.close()


def test_a_write_that_fails_is_undone(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
        raise ZeroDivisionError
    with database.read() as connection:
        assert not inspect(connection).get_table_names()
    database.close()


def test_a_defect_keeps_its_own_error(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    with pytest.raises(Exception, match="no such table: missing") as caught, database.read() as connection:
        connection.execute(text("SELECT * FROM missing"))
    assert not isinstance(caught.value, WorkspaceError)
    database.close()


def _shape(connection: Connection) -> dict[str, object]:
    """Columns, keys and indexes of every table."""
    found = inspect(connection)
    return {
        table: (
            [
                (column["name"], _affinity(str(column["type"])), column["nullable"])
                for column in found.get_columns(table)
                if not (table == "schema_version" and column["name"] == "version")
            ],
            found.get_pk_constraint(table)["constrained_columns"],
            [
                (key["constrained_columns"], key["referred_table"], key["options"].get("ondelete"))
                for key in found.get_foreign_keys(table)
            ],
            sorted((index["name"] or "", tuple(index["column_names"])) for index in found.get_indexes(table)),
        )
        for table in sorted(found.get_table_names())
    }


def _affinity(kind: str) -> str:
    """SQLite reads "TIMESTAMP WITH TIME ZONE" and "DATETIME" alike, as NUMERIC."""
    return {"DATETIME": "NUMERIC"}.get(kind, kind)


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    migrate(database)
    with database.read() as connection:
        migrated = _shape(connection)
    database.close()
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        METADATA.create_all(connection)
        assert migrated == _shape(connection)
    engine.dispose()


def test_an_older_workspace_is_brought_up_to_date_and_keeps_its_rows(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        job = store.create_job(prompt="a forest", options=FilmOptions(), seed=1)
    database = Database(tmp_path / "localvid.sqlite3")

    def add_column(connection: Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN note TEXT")

    migrate(database, [*MIGRATIONS, add_column])
    migrate(database, [*MIGRATIONS, add_column])
    with database.read() as connection:
        row = connection.execute(text("SELECT id, note FROM jobs")).one()
        versions = connection.execute(text("SELECT version FROM schema_version ORDER BY 1")).scalars().all()
    database.close()
    assert tuple(row) == (job.id, None)
    assert versions == list(range(1, len(MIGRATIONS) + 2))


def test_films_that_were_made_before_memory_was_recorded_stay(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        batch, (job,) = new_batch(store, ["a forest"])
        give_up(batch, job)
        batch_id = batch.id
    database = Database(tmp_path / "localvid.sqlite3")
    with database.write() as connection:  # as the version before had it
        for statement in (
            "ALTER TABLE batch_jobs DROP COLUMN host_bytes",
            "ALTER TABLE batch_jobs DROP COLUMN gpu_bytes",
            "ALTER TABLE jobs DROP COLUMN last_owner",
            "DELETE FROM schema_version WHERE version > 6",
        ):
            connection.exec_driver_sql(statement)
    database.close()
    with Store(tmp_path) as store:
        (entry,) = store.get_batch(batch_id).entries()
    assert (entry.job_id, entry.attempts, entry.seconds) == (job.id, 3, 90.0)
    assert (entry.host_bytes, entry.gpu_bytes) == (None, None)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    migrate(database)

    def half(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (x INTEGER)")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrate(database, [*MIGRATIONS, half])
    with database.read() as connection:
        assert "half" not in inspect(connection).get_table_names()
    database.close()


def test_many_may_open_a_new_workspace_at_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    gate = threading.Barrier(8)

    def open_it() -> None:
        gate.wait()
        try:
            Store(tmp_path / "workspace").close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_workspace_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / "localvid.sqlite3") as connection:
        connection.execute("INSERT INTO schema_version VALUES (99)")
    connection.close()
    with pytest.raises(WorkspaceError, match="newer localvid \\(schema 99") as caught:
        Store(tmp_path)
    assert "update localvid" in caught.value.hint


@pytest.mark.parametrize("content", [b"not a database at all, but long enough " * 40, b"\0" * 5000])
def test_a_database_that_is_garbage_is_named_and_kept(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "localvid.sqlite3"
    path.write_bytes(content)
    with pytest.raises(WorkspaceError, match="not a database"):
        Store(tmp_path)
    assert path.read_bytes() == content


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for _ in range(50):
            store.create_job(prompt="x" * 3000, options=FilmOptions(), seed=1)
    path = tmp_path / "localvid.sqlite3"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(bytes(content))
    with pytest.raises(WorkspaceError, match="damaged"), Store(tmp_path) as store:
        store.list_jobs()


def test_a_workspace_that_is_a_file_or_lies_below_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WorkspaceError, match="is a file"):
        Store(tmp_path / "file")
    with pytest.raises(WorkspaceError, match="cannot write"):
        Store(tmp_path / "file" / "workspace")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_database_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "localvid.sqlite3").mkdir()
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Store(tmp_path)


@pytest.mark.parametrize("name", ["with space", "percent%41?#query", "ünï-木", "quote'\"", "file:x?mode=ro"])
def test_any_folder_name_serves(name: str, tmp_path: Path) -> None:
    with Store(tmp_path / name) as store:
        job = store.create_job(prompt="x", options=FilmOptions(), seed=1)
    with Store(tmp_path / name) as store:
        assert store.get_job(job.id).id == job.id
    assert [path.name for path in tmp_path.iterdir()] == [name]
