from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from localvid.errors import InvalidRequestError, JobBusyError, JobNotFoundError, WorkspaceError
from localvid.schemas import FilmOptions, JobStatus, Shot, Storyboard, Transition
from localvid.store import Store
from localvid.store.jobs import new_id

STORYBOARD = Storyboard(title="Dämmerung", shots=(Shot(description="a forest at dawn", seed=2**32 - 1),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


def _create(store: Store, prompt: str = "a forest") -> str:
    return store.create_job(prompt=prompt, options=FilmOptions(), seed=1).id


def _sql(store: Store, statement: str, *values: object) -> None:
    connection = sqlite3.connect(store.workspace / "localvid.sqlite3")
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_a_job_reads_back_as_it_was_written(tmp_path: Path) -> None:
    options = FilmOptions(
        model="local:animatic",
        reference_image=Path("/pictures/é.png"),
        transition=Transition.model_validate("crossfade:0.8"),
        output=Path("film.webm"),
    )
    before = datetime.now(UTC)
    with Store(tmp_path) as store:
        made = store.create_job(
            prompt="a forest 木 🌲 \u200d", options=options, seed=2**32 - 1, storyboard=STORYBOARD
        )
    with Store(tmp_path) as store:
        job = store.get_job(made.id)
    assert job == made
    assert (job.status, job.prompt, job.seed) == (JobStatus.PENDING, "a forest 木 🌲 \u200d", 2**32 - 1)
    assert (job.options, job.storyboard) == (options, STORYBOARD)
    assert before <= job.created_at == job.updated_at <= datetime.now(UTC)
    assert job.created_at.utcoffset() == timedelta(0)
    assert (job.output_video_path, job.error, job.hint, job.steps_done, job.steps_total) == (
        None,
        "",
        "",
        0,
        0,
    )


def test_an_id_is_short_safe_and_tells_the_day(store: Store) -> None:
    job = store.get_job(_create(store))
    assert re.fullmatch(r"\d{8}-[0-9a-hjkmnp-tv-z]{8}", job.id)
    assert job.id.startswith(f"{job.created_at:%Y%m%d}-")


def test_ids_sort_by_age() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)
    moments = [start + timedelta(milliseconds=83 * count) for count in range(0, 1_040_000, 997)]
    ids = [new_id(moment) for moment in moments]
    assert ids == sorted(ids)
    assert moments[-1].date() == start.date()


def test_two_jobs_never_share_an_id(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["20261122-aaaaaaaa", "20261122-aaaaaaaa", "20261122-bbbbbbbb"])
    monkeypatch.setattr("localvid.store.jobs.new_id", lambda _now: next(drawn))
    assert [_create(store), _create(store)] == ["20261122-aaaaaaaa", "20261122-bbbbbbbb"]


def test_a_job_is_found_by_what_its_id_begins_with(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["20261122-aabbccdd", "20261122-aaccddee", "20261123-aabb0000"])
    monkeypatch.setattr("localvid.store.jobs.new_id", lambda _now: next(drawn))
    for _ in range(3):
        _create(store)
    for name in ("20261122-aabbccdd", "20261122-AAB", " aac\n", "20261123"):
        assert store.get_job(name).id.startswith(("20261122-aab", "20261122-aac", "20261123"))
    assert store.get_job("aac").id == "20261122-aaccddee"
    assert store.get_job("20261123").id == "20261123-aabb0000"
    with pytest.raises(JobNotFoundError, match="several jobs: 20261123-aabb0000, 20261122-aabbccdd"):
        store.get_job("aabb")
    with pytest.raises(JobNotFoundError, match="several jobs"):
        store.get_job("20261122-a")


@pytest.mark.parametrize("name", ["", "%", "_", "\\", "2026%", "nothing", "木", "x" * 5000, "\udcff", "a'b"])
def test_no_such_job(name: str, store: Store) -> None:
    with pytest.raises(JobNotFoundError) as caught:
        store.get_job(name)
    assert "no jobs yet" in caught.value.hint
    latest = _create(store)
    with pytest.raises(JobNotFoundError) as caught:
        store.get_job(name)
    assert latest in caught.value.hint
    assert len(caught.value.message) < 200


def test_a_mistyped_id_is_met_with_the_one_that_was_meant(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["20261122-aabbccdd", "20261122-nq9xr5xr"])
    monkeypatch.setattr("localvid.store.jobs.new_id", lambda _now: next(drawn))
    for _ in range(2):
        _create(store)
    for typed in ("20261122-aabbccde", "20261122-aabbcdd", "aabccdd", "aabbccde"):
        with pytest.raises(JobNotFoundError) as caught:
            store.get_job(typed)
        assert "did you mean 20261122-aabbccdd?" in caught.value.hint


def test_jobs_are_listed_newest_first_by_page_and_status(store: Store) -> None:
    ids = [_create(store) for _ in range(7)]
    newest_first = ids[::-1]
    store.request_cancel(ids[2])
    store.request_cancel(ids[5])
    assert [job.id for job in store.list_jobs()] == newest_first
    assert [job.id for job in store.list_jobs(limit=3, offset=2)] == newest_first[2:5]
    assert [job.id for job in store.list_jobs(status=JobStatus.CANCELLED)] == [ids[5], ids[2]]
    assert store.list_jobs(status=JobStatus.DONE) == []
    assert store.list_jobs(offset=100) == []


def _instructions(store: Store, **page: Any) -> int:
    """Steps of SQLite's virtual machine that one page takes, in tens."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    def watch(connection: sqlite3.Connection, *_rest: object) -> None:
        connection.set_progress_handler(tick, 10)

    engine = store._database._engine
    event.listen(engine, "checkout", watch)
    store.list_jobs(**page)
    event.remove(engine, "checkout", watch)
    return count


def test_a_page_costs_the_same_with_ten_thousand_jobs(store: Store) -> None:
    for _ in range(60):
        _create(store)
    pages: list[dict[str, Any]] = [{}, {"status": JobStatus.PENDING}]
    few = [_instructions(store, **page) for page in pages]
    _sql(
        store,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
        "INSERT INTO jobs SELECT 'old-' || i, status, prompt, options, seed, storyboard, output, error, "
        "hint, '2020-01-01 00:00:00.' || substr('00000' || i, -6), updated_at, NULL, NULL, 0, notices, NULL "
        "FROM n, (SELECT * FROM jobs LIMIT 1)",
    )
    many = [_instructions(store, **page) for page in pages]
    assert len(store.list_jobs(offset=10_000)) == 50
    assert all(after <= before * 1.1 + 2 for before, after in zip(few, many, strict=True)), (few, many)
    assert few[0] > 20


def test_a_row_of_another_version_is_said_so_and_hides_no_other(store: Store) -> None:
    good, odd, future = _create(store), _create(store), _create(store)
    _sql(store, "UPDATE jobs SET options = '{\"colour\": 1}' WHERE id = ?", odd)
    _sql(store, "UPDATE jobs SET status = 'pondering', storyboard = '{' WHERE id = ?", future)
    with pytest.raises(
        WorkspaceError, match=rf"{odd} was written by another version.*colour: unknown key"
    ) as caught:
        store.get_job(odd)
    assert f"delete-job {odd}" in caught.value.hint
    with pytest.raises(WorkspaceError, match="pondering"):
        store.get_job(future)
    listed = {job.id: job for job in store.list_jobs()}
    assert list(listed) == [future, odd, good]
    assert "another version" in listed[odd].error
    assert listed[good].error == ""
    store.delete_job(odd)
    store.delete_job(future)
    assert [job.id for job in store.list_jobs()] == [good]


def test_what_has_no_utf8_form_is_refused_and_leaves_no_job(store: Store) -> None:
    with pytest.raises(InvalidRequestError, match="prompt is not valid UTF-8"):
        _create(store, "\udcff")
    with pytest.raises(InvalidRequestError, match=r"path or a text .* is not valid UTF-8"):
        store.create_job(prompt="x", options=FilmOptions(output=Path("\udcff.mp4")), seed=1)
    with pytest.raises(InvalidRequestError, match=r"path or a text .* is not valid UTF-8"):
        store.create_job(
            prompt="x",
            options=FilmOptions(),
            seed=1,
            storyboard=Storyboard(shots=(Shot(description="x", reference_image=Path("\udcff.png")),)),
        )
    assert store.list_jobs() == []


def test_an_update_changes_what_is_given_and_makes_the_job_pending(store: Store) -> None:
    job_id = _create(store)
    with store.lease(job_id) as lease:
        lease.fail("no", "mend it")
    failed = store.get_job(job_id)
    updated = store.update_job(job_id, storyboard=STORYBOARD)
    assert updated.model_copy(update={"updated_at": failed.updated_at}) == failed.model_copy(
        update={"status": JobStatus.PENDING, "storyboard": STORYBOARD, "error": "", "hint": ""}
    )
    assert updated.updated_at > failed.updated_at
    options = FilmOptions(width=512)
    again = store.update_job(job_id[:-1], options=options, seed=7)
    assert (again.options, again.seed, again.storyboard) == (options, 7, STORYBOARD)
    assert store.get_job(job_id) == again


def test_a_change_made_from_an_older_reading_is_refused(store: Store) -> None:
    job_id = _create(store)
    first, second = store.get_job(job_id), store.get_job(job_id)
    changed = store.update_job(job_id, seed=7, read_as=first)
    with pytest.raises(JobBusyError, match="changed by another process"):
        store.update_job(job_id, seed=8, read_as=second)
    assert store.get_job(job_id) == changed


def test_a_job_at_work_is_neither_changed_nor_deleted(store: Store) -> None:
    job_id = _create(store)
    with store.lease(job_id), Store(store.workspace) as other:
        for at_work in (store, other):
            with pytest.raises(JobBusyError, match="process"):
                at_work.update_job(job_id, seed=2)
            with pytest.raises(JobBusyError, match="being worked on"):
                at_work.delete_job(job_id)
        assert other.get_job(job_id).status is JobStatus.RUNNING


def test_cancelling(store: Store) -> None:
    job_id = _create(store)
    assert store.request_cancel(job_id) is JobStatus.CANCELLED
    assert store.request_cancel(job_id) is JobStatus.CANCELLED
    assert store.get_job(job_id).status is JobStatus.CANCELLED
    with store.lease(job_id) as lease:
        assert not lease.cancel_requested()
        with Store(store.workspace) as other:
            assert other.request_cancel(job_id) is JobStatus.RUNNING
        lease._next_poll = 0.0
        assert lease.cancel_requested()
        lease.cancel()
    assert store.get_job(job_id).status is JobStatus.CANCELLED
    with store.lease(job_id) as lease:
        assert not lease.cancel_requested()
        lease.finish(store.films / "x.mp4")
    with pytest.raises(InvalidRequestError, match="done already"):
        store.request_cancel(job_id)
    with pytest.raises(JobNotFoundError):
        store.request_cancel("nothing")


def test_a_workspace_can_be_moved(tmp_path: Path) -> None:
    with Store(tmp_path / "old") as store:
        inside, outside = _create(store), _create(store)
        with store.lease(inside) as lease:
            lease.finish(store.films / f"{inside}.mp4")
        with store.lease(outside) as lease:
            lease.finish(tmp_path / "mine.mp4")
    (tmp_path / "old").rename(tmp_path / "new")
    with Store(tmp_path / "new") as store:
        assert store.get_job(inside).output_video_path == tmp_path / "new" / "films" / f"{inside}.mp4"
        assert store.get_job(outside).output_video_path == tmp_path / "mine.mp4"
