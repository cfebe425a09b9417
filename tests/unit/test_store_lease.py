from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from localvid.errors import InvalidRequestError, JobBusyError, WorkspaceError
from localvid.schemas import FilmOptions, JobStatus, Shot, Storyboard
from localvid.store import JobLease, JobStep, Store
from localvid.store.tables import artifacts, jobs, steps

KEY, OTHER_KEY = "1" * 64, "2" * 64


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture
def job_id(store: Store) -> str:
    return store.create_job(prompt="a forest", options=FilmOptions(), seed=1).id


def _partial(store: Store, content: bytes = b"a clip", suffix: str = ".mp4") -> Path:
    partial = store.temporary(suffix)
    partial.write_bytes(content)
    return partial


def _address(content: bytes, suffix: str = ".mp4") -> str:
    return hashlib.sha256(content).hexdigest() + suffix


def _take_over(store: Store, job_id: str, owner: str = "elsewhere-1-0123456789ab") -> None:
    """What another process does to the row when this one stood still."""
    with store._database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(lease_owner=owner))


def test_a_publication_is_there_under_its_sha256(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        partial = _partial(store)
        path = lease.publish(KEY, "clip", partial)
    digest = hashlib.sha256(b"a clip").hexdigest()
    assert path == store.workspace / "artifacts" / digest[:2] / f"{digest}.mp4"
    assert path.read_bytes() == b"a clip"
    assert not partial.exists()
    assert store.find(KEY) == path
    assert store.find(OTHER_KEY) is None


def test_bytes_then_name_then_folder_then_row(
    store: Store, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        calls.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').resolve().name}")
        real_fsync(descriptor)

    def replace(source: Path, target: Path) -> None:
        calls.append(f"replace {Path(source).name} {Path(target).name}")
        with store._database.read() as connection:
            assert connection.execute(select(steps.c.key)).first() is None
        real_replace(source, target)

    with store.lease(job_id) as lease:
        partial = _partial(store)
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        monkeypatch.setattr(os, "rename", replace)
        final = lease.publish(KEY, "clip", partial)
        monkeypatch.undo()
    assert calls == [
        f"fsync {partial.name}",
        f"replace {partial.name} {final.name}",
        f"fsync {final.parent.name}",
        "fsync artifacts",
    ]


def test_a_second_publication_of_a_step_keeps_the_first(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        first = lease.publish(KEY, "clip", _partial(store, b"first"))
        again = _partial(store, b"second")
        assert lease.publish(KEY, "clip", again) == first
    assert not again.exists()
    assert first.read_bytes() == b"first"
    assert [path.name for path in (store.workspace / "artifacts").rglob("*.mp4")] == [first.name]


def test_a_second_publication_takes_the_place_of_a_damaged_first(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        first = lease.publish(KEY, "clip", _partial(store, b"first"))
        first.write_bytes(b"fir")
        second = lease.publish(KEY, "clip", _partial(store, b"second"))
    assert second.read_bytes() == b"second"
    assert store.find(KEY) == second
    with store._database.read() as connection:
        assert connection.execute(select(artifacts.c.address)).scalars().all() == [second.name]


def test_two_steps_may_have_made_the_same_bytes(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        paths = {lease.publish(key, "clip", _partial(store)) for key in (KEY, OTHER_KEY)}
    assert paths == {store.find(KEY)} == {store.find(OTHER_KEY)}


@pytest.mark.parametrize("damage", ["gone", "short", "long", "folder gone"])
def test_a_step_whose_file_is_damaged_counts_as_not_made(damage: str, store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        path = lease.publish(KEY, "clip", _partial(store))
    if damage == "gone":
        path.unlink()
    elif damage == "folder gone":
        path.unlink()
        path.parent.rmdir()
    else:
        path.write_bytes(b"a cli" if damage == "short" else b"a clip and more")
    assert store.find(KEY) is None
    with store._database.read() as connection:
        assert connection.execute(select(steps)).all() == connection.execute(select(artifacts)).all() == []
    with store.lease(job_id) as lease:
        assert lease.publish(KEY, "clip", _partial(store)).read_bytes() == b"a clip"


@pytest.mark.parametrize("suffix", [".MP4", ".a b", ".%2e", ".abcdefghijklmnopq"])
def test_an_odd_suffix_is_refused(suffix: str, store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease, pytest.raises(ValueError, match="not a suffix"):
        lease.publish(KEY, "clip", _partial(store, suffix=suffix))
    assert store.find(KEY) is None


def test_a_file_that_was_never_written_is_an_error_and_no_row(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease, pytest.raises(WorkspaceError, match="No such file"):
        lease.publish(KEY, "clip", store.temporary(".mp4"))
    assert store.find(KEY) is None


def test_the_plan_counts_what_is_done(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        lease.set_plan(
            [(KEY, "keyframe", "keyframe 1"), (OTHER_KEY, "clip", "clip 1"), (KEY, "keyframe", "2")]
        )
        lease.publish(KEY, "keyframe", _partial(store, suffix=".png"))
        job = store.get_job(job_id)
        assert (job.steps_done, job.steps_total) == (2, 3)
        assert store.steps_of(job_id) == [
            JobStep(key=KEY, kind="keyframe", label="keyframe 1", done=True),
            JobStep(key=OTHER_KEY, kind="clip", label="clip 1", done=False),
            JobStep(key=KEY, kind="keyframe", label="2", done=True),
        ]
        lease.set_plan([(OTHER_KEY, "clip", "clip 1")])
        assert (store.get_job(job_id).steps_done, store.get_job(job_id).steps_total) == (0, 1)
        lease.set_plan([])
        assert store.steps_of(job_id) == []


def test_reuse_refers_to_a_step_of_another_job(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        path = lease.publish(KEY, "clip", _partial(store))
    second = store.create_job(prompt="the same", options=FilmOptions(), seed=1).id
    with store.lease(second) as lease:
        lease.reuse(KEY)
        lease.reuse(KEY)
        with pytest.raises(InvalidRequestError, match="no finished step"):
            lease.reuse(OTHER_KEY)
    assert [step.key for step in store.steps_of(second)] == [KEY]
    store.delete_job(job_id)
    assert store.find(KEY) == path


def test_the_storyboard_is_in_the_row_and_in_the_lease(store: Store, job_id: str) -> None:
    storyboard = Storyboard(shots=(Shot(description="trees"),))
    with store.lease(job_id) as lease:
        lease.set_storyboard(storyboard)
        assert lease.job.storyboard == storyboard == store.get_job(job_id).storyboard


def test_notices_are_kept_once_each_and_outlive_the_lease(store: Store, job_id: str) -> None:
    said = ("shot 1: memory ran out in the decoding", 'shot 2: «é» "quoted"')
    with store.lease(job_id) as lease:
        assert [lease.add_notice(notice) for notice in (*said, said[0])] == [True, True, False]
        assert lease.job.notices == said
    assert store.get_job(job_id).notices == said
    with store.lease(job_id) as lease:
        lease.add_notice("again")
        assert lease.add_notice("a bell\a")
        assert not lease.add_notice("a bell\a")
    assert len(store.get_job(job_id).notices) == 4


@pytest.mark.parametrize(
    ("end", "status", "error", "hint"),
    [
        (lambda lease: lease.fail("it broke", "mend it"), JobStatus.FAILED, "it broke", "mend it"),
        (lambda lease: lease.cancel(), JobStatus.CANCELLED, "", "localvid resume {id}"),
        (lambda lease: lease.interrupt(), JobStatus.INTERRUPTED, "", "localvid resume {id}"),
        (lambda _lease: None, JobStatus.INTERRUPTED, "", "localvid resume {id}"),
    ],
)
def test_the_ends_of_a_job_and_its_next_start(
    end: object, status: JobStatus, error: str, hint: str, store: Store, job_id: str
) -> None:
    assert callable(end)
    with store.lease(job_id) as lease:
        assert lease.job.status is JobStatus.RUNNING
        end(lease)
    job = store.get_job(job_id)
    assert (job.status, job.error, job.hint) == (status, error, hint.format(id=job_id))
    with store.lease(job_id):
        job = store.get_job(job_id)
        assert (job.status, job.error, job.hint) == (JobStatus.RUNNING, "", "")


def test_a_finished_job_has_its_film_and_all_its_steps(store: Store, job_id: str, tmp_path: Path) -> None:
    with store.lease(job_id) as lease:
        lease.set_plan([(KEY, "clip", "clip 1")])
        lease.finish(tmp_path / "film.mp4")
        with pytest.raises(RuntimeError, match="ended already"):
            lease.fail("too", "late")
    job = store.get_job(job_id)
    assert (job.status, job.output_video_path) == (JobStatus.DONE, tmp_path / "film.mp4")
    assert (job.steps_done, job.steps_total) == (1, 1)


def test_an_exception_leaves_the_job_interrupted_and_passes(store: Store, job_id: str) -> None:
    with pytest.raises(ZeroDivisionError), store.lease(job_id):
        raise ZeroDivisionError
    assert store.get_job(job_id).status is JobStatus.INTERRUPTED


def test_a_failure_that_quotes_an_odd_file_name_is_recorded(store: Store, job_id: str) -> None:
    with store.lease(job_id) as lease:
        lease.fail("cannot read \udcff.png", "")
    assert store.get_job(job_id).error == "cannot read \\udcff.png"


def test_one_owner_at_a_time(store: Store, job_id: str) -> None:
    with store.lease(job_id), Store(store.workspace) as other:
        for taker in (store, other):
            with pytest.raises(JobBusyError, match=f"process {os.getpid()} on") as caught:
                taker.lease(job_id)
            assert f"localvid cancel {job_id}" in caught.value.hint
    with store.lease(job_id) as lease:
        lease.interrupt()
        with pytest.raises(JobBusyError, match="this process"):
            store.lease(job_id)
    store.lease(job_id).release()


def test_a_lease_that_is_not_renewed_is_taken_over_and_the_first_owner_changes_nothing(
    store: Store, job_id: str
) -> None:
    lease = store.lease(job_id, heartbeat_seconds=1000, lease_seconds=0.01)
    mine = _partial(store, b"mine")
    time.sleep(0.02)
    with Store(store.workspace) as other, other.lease(job_id) as theirs:
        their_path = theirs.publish(KEY, "clip", _partial(other, b"theirs"))
        for write in (
            lambda: lease.publish(KEY, "clip", mine),
            lambda: lease.publish(OTHER_KEY, "clip", mine),
            lambda: lease.set_plan([]),
            lambda: lease.reuse(KEY),
            lambda: lease.finish(store.films / "x.mp4"),
            lease.cancel_requested,
        ):
            with pytest.raises(JobBusyError, match="lost the lease"):
                write()
        lease.fail("too late", "")
        lease.release()
        assert mine.read_bytes() == b"mine"
        assert not (store.workspace / "artifacts" / _address(b"mine")[:2] / _address(b"mine")).exists()
        assert other.find(KEY) == their_path
        assert other.find(OTHER_KEY) is None
        assert other.get_job(job_id).status is JobStatus.RUNNING
        theirs.finish(other.films / "theirs.mp4")
    job = store.get_job(job_id)
    assert (job.status, job.error) == (JobStatus.DONE, "")


def test_the_heartbeat_keeps_a_lease(store: Store, job_id: str) -> None:
    with (
        store.lease(job_id, heartbeat_seconds=0.05, lease_seconds=0.5),
        Store(store.workspace) as other,
    ):
        deadline = time.monotonic() + 1.2
        while time.monotonic() < deadline:
            with pytest.raises(JobBusyError):
                other.lease(job_id)
            time.sleep(0.1)


def test_the_heartbeat_stops_with_the_lease(store: Store, job_id: str) -> None:
    lease = store.lease(job_id, heartbeat_seconds=0.01)
    assert lease._heart.is_alive()
    lease.release()
    lease.release()
    assert not lease._heart.is_alive()


def test_polling_for_a_cancellation_reads_the_row_twice_a_second_at_most(
    store: Store, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.lease(job_id) as lease:
        now = 100.0
        monkeypatch.setattr("localvid.store.lease.time.monotonic", lambda: now)
        assert not lease.cancel_requested()
        store.request_cancel(job_id)
        now = 100.4
        assert not lease.cancel_requested()
        now = 100.6
        assert lease.cancel_requested()
        monkeypatch.undo()


def _dead_row(store: Store, job_id: str, **values: object) -> None:
    with store._database.write() as connection:
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                status="running",
                lease_owner="gpu01-4711-0123456789ab",
                lease_expires_at=datetime.now(UTC) + timedelta(hours=1),
                **values,
            )
        )


def test_a_job_whose_process_died_says_so_and_is_free_at_once(store: Store, job_id: str) -> None:
    _dead_row(store, job_id)
    job = store.get_job(job_id)
    assert (job.status, job.error) == (
        JobStatus.INTERRUPTED,
        "process 4711 on gpu01 ended before the film did",
    )
    assert job.hint == f"localvid resume {job_id}"
    _dead_row(store, job_id)
    assert store.list_jobs(status=JobStatus.INTERRUPTED)[0].id == job_id
    _dead_row(store, job_id)
    with store.lease(job_id) as lease:
        assert lease.job.status is JobStatus.RUNNING
    _dead_row(store, job_id)
    assert store.request_cancel(job_id) is JobStatus.CANCELLED
    _dead_row(store, job_id, cancel_requested=True)
    assert store.get_job(job_id).status is JobStatus.CANCELLED
    _dead_row(store, job_id)
    assert store.update_job(job_id, seed=3).status is JobStatus.PENDING
    _dead_row(store, job_id)
    assert store.delete_job(job_id) == 0


def test_the_row_of_a_taken_job_is_never_ended_by_its_former_owner(store: Store, job_id: str) -> None:
    lease: JobLease = store.lease(job_id)
    with Store(store.workspace) as other:
        other._owner.folder()
        _take_over(store, job_id, other.owner)
        lease.release()
        assert store.get_job(job_id).status is JobStatus.RUNNING
