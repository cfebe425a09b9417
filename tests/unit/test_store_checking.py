"""A workspace is broken in every way that a check knows; it finds each, and nothing where all is well."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, update

from localvid.errors import WorkspaceError
from localvid.schemas import CallState, ClipOrder, FilmOptions, JobStatus, Price, Progress, Stage
from localvid.store import Fault, Finding, Limits, NewEntry, Next, Severity, Store, check_workspace
from localvid.store import checked_files as checked_files_module
from localvid.store import database as database_module
from localvid.store import lease as lease_module
from localvid.store.artifacts import ArtifactFiles
from localvid.store.migrations import MIGRATIONS
from localvid.store.steps import add_step
from localvid.store.tables import artifacts, jobs, steps
from localvid.store.wholeness import Blemish, look_at

DEAD = "elsewhere-1-0123456789ab"
_FILM = "1, 1, id, 'waiting', 0, 'local:animatic', 1.0, 0"


@pytest.fixture
def store(workspace: Path) -> Iterator[Store]:
    with Store(workspace) as opened:
        yield opened


def _publish(store: Store, lease, key: str, kind: str = "clip", content: bytes | None = None) -> Path:
    partial = store.temporary(".bin")
    partial.write_bytes(content or f"content of {key}".encode())
    return lease.publish(key, kind, partial)


def _job(store: Store, *keys: str, done: bool = True) -> str:
    """A job of clips, and of a film where it is done."""
    job_id = store.create_job(prompt="x", options=FilmOptions(), seed=1).id
    with store.lease(job_id) as lease:
        for key in keys:
            _publish(store, lease, key)
        if done:
            film = _publish(store, lease, f"film of {job_id}", "film")
            (store.films / f"{job_id}.mp4").write_bytes(film.read_bytes())
            lease.finish(store.films / f"{job_id}.mp4")
    return job_id


def _flip(path: Path, position: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1
    path.write_bytes(content)


def _faults(workspace: Path, *, read_data: bool = False) -> list[tuple[Fault, str]]:
    return [
        (found.fault, found.subject) for found in check_workspace(workspace, read_data=read_data).findings
    ]


def _only(workspace: Path, *, read_data: bool = False) -> Finding:
    (finding,) = check_workspace(workspace, read_data=read_data).findings
    return finding


def _execute(workspace: Path, *statements: str) -> None:
    """As another program would, without the checks of foreign keys."""
    with closing(sqlite3.connect(workspace / "localvid.sqlite3")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _snapshot(workspace: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(workspace)): (
            path.stat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in workspace.rglob("*")
    }


# --- all is well ---------------------------------------------------------------------------------


@pytest.mark.parametrize("read_data", [False, True])
def test_nothing_is_found_in_a_healthy_workspace_beside_jobs_at_work(store: Store, read_data: bool) -> None:
    _job(store, "a", "b")
    _job(store, "b", "c", done=False)
    with pytest.raises(RuntimeError), store.lease(_job(store, done=False)) as lease:
        lease.fail("no", "")
        raise RuntimeError
    store.create_job(prompt="pending", options=FilmOptions(), seed=1)
    at_work = store.create_job(prompt="x", options=FilmOptions(), seed=1)
    with store.lease(at_work.id) as lease:
        lease.set_plan([("d", "clip", ""), ("e", "clip", "")])
        _publish(store, lease, "d")
        store.temporary(".mp4").write_bytes(b"half")
        (store.films / ".0123456789ab.part.mp4").write_bytes(b"half of a film")
        checked = check_workspace(store.workspace, read_data=read_data)
    assert checked.findings == ()
    assert checked.healthy
    assert checked.jobs == 5
    assert checked.artifacts.count == 5


@pytest.mark.parametrize("cleaning", [False, True])
def test_nothing_is_found_while_others_publish_and_come_and_go(workspace: Path, cleaning: bool) -> None:
    """What a check sees of work in progress is nothing to complain of, at whatever moment it looks."""
    Store(workspace).close()
    stop = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        number = 0
        try:
            while not stop.is_set():
                with Store(workspace) as store:
                    job_id = _job(store, *(f"{number} {clip}" for clip in range(5)))
                    if cleaning:
                        store.delete_job(job_id)
                        store.clean(everything_unused=True)
                    number += 1
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _check in range(10):
            found = _faults(workspace, read_data=True)
            # A clean-up's files go after their rows: until then they are what they are found to be.
            assert [each for each in found if not (cleaning and each[0] is Fault.ORPHAN)] == []
    finally:
        stop.set()
        worker.join()
    assert errors == []


def test_a_file_that_is_named_and_whose_row_is_about_to_be_is_no_orphan(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, checking = threading.Event(), threading.Event()
    job_id = store.create_job(prompt="x", options=FilmOptions(), seed=1).id

    def add_late(connection: Connection, **step: Any) -> None:
        named.set()
        assert checking.wait(10)
        time.sleep(0.1)  # the check has read the rows by now, and waits for this transaction
        add_step(connection, **step)

    monkeypatch.setattr(lease_module, "add_step", add_late)

    def publish() -> None:
        with store.lease(job_id) as lease:
            _publish(store, lease, "a")

    publisher = threading.Thread(target=publish)
    publisher.start()
    assert named.wait(10)
    real = ArtifactFiles.names_in

    def list_names(files: ArtifactFiles, folder: Path) -> tuple[list[str], list[Path]]:
        checking.set()
        names = real(files, folder)
        assert len(names[0]) == 1
        return names

    monkeypatch.setattr(ArtifactFiles, "names_in", list_names)
    assert _faults(store.workspace, read_data=True) == []
    publisher.join()
    assert store.find("a") is not None


def test_a_check_changes_nothing(store: Store) -> None:
    _job(store, "a", "b")
    store.close()
    workspace = store.workspace
    _flip(next((workspace / "artifacts").rglob("*.bin")))
    _execute(workspace, f"UPDATE jobs SET status = 'running', lease_owner = '{DEAD}'")
    (workspace / "tmp" / DEAD).mkdir()
    (workspace / "tmp" / DEAD / "1.part.mp4").write_bytes(b"half")
    (workspace / "ballast").unlink()
    before = _snapshot(workspace)
    assert len(_faults(workspace, read_data=True)) == 3
    assert _snapshot(workspace) == before


def test_what_is_no_workspace_is_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="there is no workspace"):
        check_workspace(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


# --- artifacts -----------------------------------------------------------------------------------


def test_of_a_hundred_flipped_bytes_a_hundred_are_found(store: Store) -> None:
    paths = []
    with store._database.write() as connection:  # in one transaction, as a hundred take seconds
        for number in range(100):
            content = os.urandom(300)
            address = f"{hashlib.sha256(content).hexdigest()}.bin"
            add_step(connection, key=f"key {number}", kind="clip", address=address, size=len(content))
            paths.append(store.workspace / "artifacts" / address[:2] / address)
            paths[-1].parent.mkdir(exist_ok=True)
            paths[-1].write_bytes(content)
    _job(store, "whole")
    reports: list[Progress] = []
    for number, path in enumerate(paths):
        _flip(path, number * 3)
    assert _faults(store.workspace) == []
    checked = check_workspace(store.workspace, read_data=True, on_progress=reports.append)
    assert {(found.fault, found.subject) for found in checked.findings} == {
        (Fault.DAMAGED, path.name) for path in paths
    }
    assert len(checked.findings) == 100
    assert (reports[-1].step, reports[-1].num_steps) == (checked.artifacts.bytes, checked.artifacts.bytes)
    first, second = checked.findings[:2]
    assert store.mend(first).mended
    assert store.mend(second).mended
    assert len(check_workspace(store.workspace, read_data=True).findings) == 98
    assert first.path is not None
    assert not first.path.exists()
    assert sum(store.find(f"key {number}") is None for number in range(100)) == 2
    assert store.find("whole") is not None


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 96 * 2**20)
    sizes: list[int] = []
    tracemalloc.start()
    blemish = look_at(path, size=96 * 2**20, sha256="0" * 64, on_bytes=sizes.append)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert blemish is not None
    assert sum(sizes) == 96 * 2**20
    assert peak < 4 * 2**20


def test_a_file_that_is_gone_or_cut_short_is_found_and_forgotten(store: Store) -> None:
    job_id = _job(store, "gone", "short")
    gone, short = store.find("gone"), store.find("short")
    assert gone is not None
    assert short is not None
    gone.unlink()
    short.write_bytes(b"content")
    checked = check_workspace(store.workspace)
    assert {(found.fault, found.path) for found in checked.findings} == {
        (Fault.MISSING, gone),
        (Fault.DAMAGED, short),
    }
    for finding in checked.findings:
        assert finding.severity is Severity.ERROR
        assert finding.detail.startswith(f"clip of job {job_id}: ")
        assert f"localvid resume {job_id}" in finding.remedy
        assert store.mend(finding).mended
    assert check_workspace(store.workspace).findings == ()
    assert not short.exists()
    assert (store.films / f"{job_id}.mp4").exists()


def test_a_folder_in_place_of_a_file_is_left_to_the_user(store: Store) -> None:
    _job(store, "a")
    path = store.find("a")
    assert path is not None
    path.unlink()
    path.mkdir()
    unreadable, foreign = check_workspace(store.workspace).findings
    assert (unreadable.fault, unreadable.mendable) == (Fault.UNREADABLE, False)
    assert (foreign.fault, foreign.mendable) == (Fault.FOREIGN, False)


def test_a_damaged_film_and_what_a_job_at_work_uses_are_not_mended(store: Store) -> None:
    job_id = _job(store, "a")
    film, clip = store.find(f"film of {job_id}"), store.find("a")
    assert film is not None
    assert clip is not None
    _flip(film)
    finding = _only(store.workspace, read_data=True)
    assert "move the file away" in finding.remedy
    assert store.mend(finding) == finding
    assert film.exists()
    film.unlink()
    assert store.mend(_only(store.workspace, read_data=True)).mended  # a film that is gone is not touched

    _flip(clip)
    finding = _only(store.workspace, read_data=True)
    with store.lease(job_id):
        waiting = store.mend(finding)
        assert waiting.mended == ""
        assert f"job {job_id} is being worked on" in waiting.remedy
        assert clip.exists()
    assert store.mend(finding).mended
    assert not clip.exists()


def test_what_was_cleaned_or_made_again_while_it_was_looked_at_is_not_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = _job(store, "a", done=False), _job(store, "b", done=False)
    path = store.find("b")
    assert path is not None

    overtaken: set[Path] = set()

    def look_and_be_overtaken(found: Path, **given: Any) -> Blemish | None:
        if found in overtaken:
            return look_at(found, **given)
        overtaken.add(found)
        if found != path:
            store.delete_job(first)
            return look_at(found, **given)
        _flip(path)
        blemish = look_at(path, **given)
        again = store.temporary(".bin")
        again.write_bytes(b"content of b")
        again.replace(path)
        return blemish

    monkeypatch.setattr(checked_files_module, "look_at", look_and_be_overtaken)
    assert _faults(store.workspace, read_data=True) == []
    assert len(overtaken) == 2
    assert [job.id for job in store.list_jobs()] == [second]


# --- files that no row knows ---------------------------------------------------------------------


def test_orphans_are_removed_and_foreign_files_are_not(store: Store) -> None:
    _job(store, "a")
    root = store.workspace / "artifacts"
    orphan = root / "ab" / ("ab" * 32 + ".mp4")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left by a crash")
    foreign = [root / "ab" / "notes.txt", root / "ab" / ("cd" * 32 + ".mp4"), root / "mine", root / "README"]
    for path in foreign:
        path.mkdir() if path.name == "mine" else path.write_text("the user's")
    checked = check_workspace(store.workspace)
    assert {(found.fault, found.path) for found in checked.findings} == {
        (Fault.ORPHAN, orphan),
        *((Fault.FOREIGN, path) for path in foreign),
    }
    for finding in checked.findings:
        store.mend(finding)
    assert {found.path for found in check_workspace(store.workspace).findings} == set(foreign)
    assert store.find("a") is not None


def test_what_dead_processes_left_is_found_and_removed(store: Store) -> None:
    folder = store.workspace / "tmp" / DEAD
    folder.mkdir()
    assert _faults(store.workspace) == []  # its owner may be about to lock it
    (folder / "1.part.mp4").write_bytes(b"12345")
    beside = store.films / ".0123456789ab.part.mp4"
    beside.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(beside, (two_days_ago, two_days_ago))
    findings = check_workspace(store.workspace).findings
    assert {(found.fault, found.path) for found in findings} == {
        (Fault.TEMPORARY, folder),
        (Fault.TEMPORARY, beside),
    }
    assert any(
        "1 half-written file, 5 bytes, of process 1 on elsewhere" in found.detail for found in findings
    )
    with Store(store.workspace) as other:
        assert [other.mend(finding).mended for finding in findings] == ["removed", "removed"]
    assert _faults(store.workspace) == []


# --- rows ----------------------------------------------------------------------------------------


def test_a_lease_of_a_dead_process_is_found_and_settled(store: Store) -> None:
    job_id = _job(store)
    soon = datetime.now(UTC) + timedelta(hours=1)
    with store._database.write() as connection:
        values = {"status": JobStatus.RUNNING, "lease_owner": DEAD, "lease_expires_at": soon}
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))
    finding = _only(store.workspace)
    assert (finding.fault, finding.subject) == (Fault.LEASE, job_id)
    assert "process 1 on elsewhere has ended" in finding.detail
    with Store(store.workspace) as other:
        assert other.mend(finding).mended == "the job is interrupted"
    assert _faults(store.workspace) == []


def test_a_running_job_that_nobody_holds_is_found(store: Store) -> None:
    job_id = _job(store)
    with store._database.write() as connection:
        connection.execute(update(jobs).values(status=JobStatus.RUNNING))
    assert _faults(store.workspace) == [(Fault.LEASE, job_id)]


def test_a_film_that_was_moved_is_only_noted(store: Store) -> None:
    job_id = _job(store, "a")
    (store.films / f"{job_id}.mp4").unlink()
    checked = check_workspace(store.workspace)
    assert [(found.fault, found.severity) for found in checked.findings] == [(Fault.FILM, Severity.NOTE)]
    assert f"localvid resume {job_id}" in checked.findings[0].remedy
    assert checked.healthy


def test_an_image_that_a_job_names_is_looked_at(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(b"a picture")
    kept = store.keep_image(tmp_path / "mine.png")
    options = FilmOptions(reference_image=kept)
    job_id = store.create_job(prompt="x", options=options, seed=1).id
    assert _faults(store.workspace, read_data=True) == []
    _flip(kept)
    assert _faults(store.workspace) == []
    assert _faults(store.workspace, read_data=True) == [(Fault.IMAGE, job_id)]
    kept.unlink()
    assert _faults(store.workspace) == [(Fault.IMAGE, job_id)]


def test_a_paid_call_that_waits_for_the_user_is_found_while_its_job_is_there(store: Store) -> None:
    job_id = _job(store, done=False)
    price = Price(usd_per_clip=0.4, is_estimate=True, read_on=date(2026, 11, 26), source="the test")
    order = ClipOrder(host="nobody", model="nobody:nothing", version="1", price=price)
    with store.lease(job_id) as lease:
        calls = lease.paid_calls("a" * 64, Limits(job_usd=1, month_usd=1))
        call = calls.begin(order, {})
        assert _faults(store.workspace) == []
        calls.update(call.id, CallState.NEEDS_CONFIRMATION)
    finding = _only(store.workspace)
    assert (finding.fault, finding.subject) == (Fault.PAID_CALL, job_id)
    assert "$0.40" in finding.detail
    assert f"localvid resume {job_id} --confirm" in finding.remedy
    _execute(store.workspace, "UPDATE paid_calls SET inputs = 'no JSON'")
    assert _faults(store.workspace) == [(Fault.ROW, call.id)]
    _execute(store.workspace, "UPDATE paid_calls SET inputs = '{}'")
    store.delete_job(job_id)
    assert _faults(store.workspace) == []


def test_rows_of_another_version_are_found_one_by_one(store: Store) -> None:
    _whole, future, timeless = (_job(store, f"{number}") for number in range(3))
    _execute(
        store.workspace,
        f"""UPDATE jobs SET options = '{json.dumps({"from": "the future"})}' WHERE id = '{future}'""",
        f"UPDATE jobs SET created_at = 'yesterday' WHERE id = '{timeless}'",
    )
    findings = check_workspace(store.workspace).findings
    assert {(found.fault, found.subject) for found in findings} == {
        (Fault.ROW, future),
        (Fault.ROW, timeless),
    }
    assert any(f"localvid delete-job {future}" in found.remedy for found in findings)


def test_a_batch_is_read_too(store: Store) -> None:
    job_id = _job(store)
    batch = store.create_batch("x.jsonl", [NewEntry(job_id, 1)], [Next(Stage.CLIPS, "local:animatic", 1.0)])
    assert _faults(store.workspace) == []
    _execute(store.workspace, "UPDATE batch_jobs SET stage = 99")
    assert _faults(store.workspace) == [(Fault.ROW, batch.id)]


def test_every_page_of_rows_is_looked_at(store: Store) -> None:
    job_id = _job(store)
    columns = "status, prompt, options, seed, error, hint, updated_at, cancel_requested, notices"
    _execute(
        store.workspace,
        f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO jobs (id, created_at, {columns})
        SELECT printf('x%04d', i), created_at, {columns} FROM jobs, n WHERE id = '{job_id}'""",
        "UPDATE jobs SET seed = -1 WHERE id IN ('x0001', 'x0200', 'x0201', 'x0500')",
    )
    checked = check_workspace(store.workspace)
    assert checked.jobs == 501
    assert {found.subject for found in checked.findings} == {"x0001", "x0200", "x0201", "x0500"}


def test_rows_that_name_what_is_not_there_are_found_and_removed(store: Store) -> None:
    _job(store, "a", "b", "c")
    path = store.find("c")
    assert path is not None
    _execute(
        store.workspace,
        "INSERT INTO job_steps VALUES ('20200101-00000000', 0, 'a', 'clip', '')",
        f"INSERT INTO batch_jobs SELECT 'gone', {_FILM}, NULL, 0, '', '', created_at, NULL, NULL FROM jobs",
        "DELETE FROM artifacts WHERE address IN (SELECT address FROM steps WHERE key = 'a')",
        "DELETE FROM steps WHERE key = 'c'",
    )
    findings = check_workspace(store.workspace).findings
    assert {(found.fault, found.subject) for found in findings if found.fault is not Fault.ORPHAN} == {
        (Fault.REFERENCE, "20200101-00000000"),
        (Fault.REFERENCE, "gone"),
        (Fault.REFERENCE, "a"),
        (Fault.REFERENCE, path.name),
    }
    assert all(store.mend(finding).mended for finding in findings)
    assert _faults(store.workspace) == []
    assert [store.find(key) is not None for key in ("a", "b", "c")] == [False, True, False]
    assert not path.exists()


# --- the database --------------------------------------------------------------------------------


def _forget_uses(workspace: Path) -> None:
    """The tables as the version had them that recorded no uses."""
    _execute(
        workspace,
        "ALTER TABLE artifacts DROP COLUMN used_at",
        "ALTER TABLE jobs DROP COLUMN last_owner",
        *(f"DROP TABLE {table}" for table in ("batch_jobs", "batches", "stage_times")),
        "DELETE FROM schema_version WHERE version > 3",
    )


def _database_fault(workspace: Path) -> Finding:
    """All that is said, since without rows every artifact would pass for left over."""
    finding = _only(workspace)
    assert finding.fault is Fault.DATABASE
    return finding


def test_a_database_that_is_gone_damaged_or_newer_ends_the_check(store: Store) -> None:
    _job(store, "a")
    store.close()
    workspace = store.workspace
    database = workspace / "localvid.sqlite3"
    whole = database.read_bytes()

    _execute(workspace, f"INSERT INTO schema_version VALUES ({len(MIGRATIONS) + 1})")
    assert "newer localvid" in _database_fault(workspace).detail

    database.write_bytes(b"not a database at all, but long enough to be one" * 100)
    assert "is not a database" in _database_fault(workspace).detail

    # A page of a table is lost: the header still promises rows.
    database.write_bytes(whole[: 4096 * 2] + bytes(4096 * 2) + whole[4096 * 4 :])
    assert {found.fault for found in check_workspace(workspace).findings} == {Fault.DATABASE}

    database.unlink()
    gone = _database_fault(workspace)
    assert (gone.severity, gone.mendable) == (Severity.ERROR, False)
    assert not database.exists()


def test_an_older_database_and_a_log_that_cannot_be_trusted_are_settled_by_opening(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _job(store, "a")
    store.close()
    workspace = store.workspace
    _forget_uses(workspace)
    older = _database_fault(workspace)
    assert "an older localvid" in older.detail
    with Store(workspace) as opened:
        assert opened.mend(older).mended
    assert _faults(workspace) == []

    monkeypatch.setattr(database_module.sqlite3, "sqlite_version_info", (3, 40, 1))
    with closing(sqlite3.connect(workspace / "localvid.sqlite3")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    assert "write-ahead log" in _database_fault(workspace).detail
    Store(workspace).close()
    assert _faults(workspace) == []


def test_what_was_made_before_uses_were_recorded_is_as_old_as_its_job(store: Store) -> None:
    job_id = _job(store, "a", done=False)
    moment = datetime(2025, 5, 5, tzinfo=UTC)
    with store._database.write() as connection:
        connection.execute(update(jobs).values(updated_at=moment))
    with store.lease(_job(store, done=False)) as lease:
        _publish(store, lease, "nobody's")
        lease.set_plan([])
    with store._database.write() as connection:
        connection.execute(delete(jobs).where(jobs.c.id != job_id))
    store.close()
    _forget_uses(store.workspace)
    with Store(store.workspace) as opened, opened._database.read() as connection:
        query = steps.join(artifacts).select().with_only_columns(steps.c.key, artifacts.c.used_at)
        used = {row.key: row.used_at for row in connection.execute(query)}
    assert used == {"a": moment, "nobody's": datetime(1970, 1, 1, tzinfo=UTC)}
