from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from localvid.errors import DiskFullError
from localvid.schemas import (
    Activity,
    CallState,
    ClipOrder,
    EntryState,
    FilmOptions,
    JobStatus,
    Price,
    Stage,
)
from localvid.store import Amount, Limits, NewEntry, Next, Store
from localvid.store.space import BALLAST_BYTES
from localvid.store.tables import artifacts, jobs, steps


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


def _job(store: Store, *made: tuple[str, str, bytes], end: JobStatus = JobStatus.DONE) -> str:
    """A job with published steps of (key, kind, content), its film in films/ if it is done."""
    job_id = store.create_job(prompt="x", options=FilmOptions(), seed=1).id
    with store.lease(job_id) as lease:
        lease.set_plan([(key, kind, kind) for key, kind, _ in made])
        for key, kind, content in made:
            if store.find(key) is None:
                partial = store.temporary(".bin")
                partial.write_bytes(content)
                lease.publish(key, kind, partial)
        if end is JobStatus.DONE:
            film = store.films / f"{job_id}.mp4"
            film.write_bytes(b"a film")
            lease.finish(film)
        elif end is JobStatus.FAILED:
            lease.fail("no", "")
    return job_id


def _age(store: Store, job_id: str, age: timedelta) -> None:
    with store._database.write() as connection:
        moment = datetime.now(UTC) - age
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(updated_at=moment))


def _files(store: Store) -> int:
    return sum(path.is_file() for path in (store.workspace / "artifacts").rglob("*"))


def test_usage_counts_each_file_once_by_kind(store: Store) -> None:
    _job(store, ("a", "keyframe", b"1234"), ("b", "clip", b"123456"), ("c", "clip", b"123456"))
    _job(store, ("d", "film", b"12"), end=JobStatus.INTERRUPTED)
    store.temporary(".mp4").write_bytes(b"123")
    usage = store.usage()
    assert usage.jobs == 2
    assert usage.artifacts == {
        "keyframe": Amount(count=1, bytes=4),
        "clip": Amount(count=1, bytes=6),
        "film": Amount(count=1, bytes=2),
    }
    assert usage.films == Amount(count=1, bytes=6)
    assert usage.temporary == Amount(count=1, bytes=3)
    assert usage.database.bytes == sum(
        path.stat().st_size for path in store.workspace.glob("localvid.sqlite3*")
    )
    assert usage.total_bytes == 4 + 6 + 2 + 6 + 3 + usage.database.bytes
    assert usage.reclaimable_bytes == 0


def test_deleting_a_job_takes_what_is_its_own_alone(store: Store, tmp_path: Path) -> None:
    first = _job(store, ("shared", "keyframe", b"shared"), ("own", "clip", b"own clip"))
    _job(store, ("shared", "keyframe", b"shared"))
    (store.films / f"{first}.jpg").write_bytes(b"still")
    (store.films / f"{first}.cut.mp4").write_bytes(b"the user's")
    (store.films / "holiday.mp4").write_bytes(b"the user's")
    (tmp_path / f"{first}.mp4").write_bytes(b"the user's")
    assert store.delete_job(first) == len(b"own clip") + len(b"a film") + len(b"still")
    assert store.find("own") is None
    assert store.find("shared") is not None
    assert _files(store) == 1
    assert not (store.films / f"{first}.mp4").exists()
    assert (tmp_path / f"{first}.mp4").exists()
    assert {path.name for path in store.films.iterdir()} >= {f"{first}.cut.mp4", "holiday.mp4"}
    assert len(store.list_jobs()) == 1


def test_deleting_keeps_bytes_that_another_step_made_too(store: Store) -> None:
    first = _job(store, ("a", "clip", b"the same"))
    _job(store, ("b", "clip", b"the same"))
    assert store.delete_job(first) == len(b"a film")
    found = store.find("b")
    assert found is not None
    assert found.read_bytes() == b"the same"


def test_cleaning_takes_only_what_no_job_refers_to(store: Store) -> None:
    job_id = _job(store, ("a", "clip", b"kept"), ("b", "clip", b"first take"))
    store.update_job(job_id, seed=2)
    with store.lease(job_id) as lease:
        lease.set_plan([("a", "clip", ""), ("c", "clip", "")])
    orphan = store.workspace / "artifacts" / "ab" / ("ab" * 32 + ".mp4")
    orphan.parent.mkdir()
    orphan.write_bytes(b"left by a crash")
    foreign = store.workspace / "artifacts" / "ab" / "notes.txt"
    foreign.write_text("the user's")
    expected = Amount(count=2, bytes=len(b"first take") + len(b"left by a crash"))
    assert store.usage().reclaimable_bytes == expected.bytes
    dry = store.clean(dry_run=True)
    assert (dry.artifacts, dry.dry_run, dry.total_bytes) == (expected, True, expected.bytes)
    assert orphan.exists()
    assert store.find("b") is not None
    done = store.clean()
    assert (done.artifacts, done.dry_run) == (expected, False)
    assert not orphan.exists()
    assert foreign.exists()
    assert store.find("b") is None
    assert store.find("a") is not None
    assert store.clean().total_bytes == 0


def test_cleaning_by_age_takes_what_old_films_were_made_of_and_never_a_film(store: Store) -> None:
    old = _job(store, ("k", "keyframe", b"old"), ("shared", "clip", b"shared"), ("f", "film", b"film"))
    _job(store, ("shared", "clip", b"shared"), ("n", "keyframe", b"new"))
    failed = _job(store, ("x", "clip", b"resumable"), end=JobStatus.FAILED)
    for job_id in (old, failed):
        _age(store, job_id, timedelta(days=40))
    assert store.clean(older_than=timedelta(days=50)).artifacts.count == 0
    cleaned = store.clean(older_than=timedelta(days=30))
    assert cleaned.artifacts == Amount(count=1, bytes=3)
    assert [store.find(key) is not None for key in ("k", "shared", "f", "n", "x")] == [
        False,
        True,
        True,
        True,
        True,
    ]
    job = store.get_job(old)
    assert (job.status, job.steps_done, job.steps_total) == (JobStatus.DONE, 3, 3)
    assert job.output_video_path is not None
    assert job.output_video_path.exists()


def test_cleaning_everything_spares_films_and_work(store: Store) -> None:
    _job(store, ("a", "clip", b"done"), ("f", "film", b"film"))
    _job(store, ("b", "clip", b"failed"), end=JobStatus.FAILED)
    recent = _job(store, ("r", "clip", b"recent"), end=JobStatus.INTERRUPTED)
    at_work = store.create_job(prompt="x", options=FilmOptions(), seed=1).id
    with store.lease(at_work) as lease:
        partial = store.temporary(".bin")
        partial.write_bytes(b"work")
        lease.publish("w", "clip", partial)
        for job in store.list_jobs():
            if job.id != recent:
                _age(store, job.id, timedelta(days=2))
        aged = store.clean(dry_run=True, everything_unused=True, older_than=timedelta(days=1))
        assert aged.artifacts == Amount(count=2, bytes=len(b"done") + len(b"failed"))
        cleaned = store.clean(everything_unused=True)
        assert cleaned.artifacts == Amount(count=3, bytes=aged.artifacts.bytes + len(b"recent"))
        assert store.find("w") is not None
    assert store.find("f") is not None
    assert len(list(store.films.iterdir())) == 1


def test_cleaning_sweeps_abandoned_files_beside_films(store: Store) -> None:
    abandoned = store.films / ".20261122-aabbccdd.77.part.mp4"
    fresh = store.films / ".20261122-aabbccde.78.part.mp4"
    hidden = store.films / ".mine.mp4"
    for path in (abandoned, fresh, hidden):
        path.write_bytes(b"12345")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(abandoned, (two_days_ago, two_days_ago))
    os.utime(hidden, (two_days_ago, two_days_ago))
    assert store.usage().temporary == Amount(count=2, bytes=10)
    assert store.clean().temporary == Amount(count=1, bytes=5)
    assert {path.name for path in store.films.iterdir()} == {fresh.name, hidden.name}


def test_a_file_published_while_a_clean_up_runs_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = _job(store, ("a", "clip", b"again"))
    with store._database.write() as connection:
        connection.execute(delete(steps))
    real = store._upkeep.remove_files

    def publish_first(candidates: dict[str, int]) -> Amount:
        assert len(candidates) == 1
        with Store(store.workspace) as other, other.lease(job_id) as lease:
            partial = other.temporary(".bin")
            partial.write_bytes(b"again")
            lease.publish("a", "clip", partial)
        return real(candidates)

    monkeypatch.setattr(store._upkeep, "remove_files", publish_first)
    assert store.clean().artifacts == Amount()
    found = store.find("a")
    assert found is not None
    assert found.read_bytes() == b"again"


def test_many_files_are_removed_in_parts(store: Store) -> None:
    folder = store.workspace / "artifacts" / "00"
    folder.mkdir()
    for number in range(450):
        (folder / f"00{number:062x}").write_bytes(b"1")
    assert store.clean().artifacts == Amount(count=450, bytes=450)
    assert _files(store) == 0


def _use(store: Store, **ages: timedelta) -> None:
    """Set when the artifacts of steps were last used."""
    with store._database.write() as connection:
        for key, age in ages.items():
            address = select(steps.c.address).where(steps.c.key == key).scalar_subquery()
            moment = datetime.now(UTC) - age
            connection.execute(update(artifacts).where(artifacts.c.address == address).values(used_at=moment))


def _made(store: Store, *keys: str) -> str:
    return "".join(key for key in keys if store.find(key) is not None)


def _held(store: Store) -> int:
    return store.usage().total_bytes


def test_what_was_used_longest_ago_goes_first_until_the_quota_is_met(store: Store) -> None:
    _job(store, ("a", "keyframe", bytes([1]) * 5000), ("b", "clip", bytes([2]) * 5000))
    _job(store, ("c", "clip", bytes([3]) * 5000), ("f", "film", bytes(5000)), end=JobStatus.FAILED)
    days = {"a": 2, "b": 4, "c": 3, "f": 9}
    _use(store, **{key: timedelta(days=number) for key, number in days.items()})
    held = _held(store)
    for quota in (held, held + 1, None):
        assert store.clean(quota_bytes=quota).total_bytes == 0
    dry = store.clean(quota_bytes=held - 5001, dry_run=True)
    assert (dry.artifacts, dry.over_quota_bytes) == (Amount(count=2, bytes=10_000), 0)
    assert _made(store, *"abcf") == "abcf"
    assert store.clean(quota_bytes=held - 1).artifacts == Amount(count=1, bytes=5000)
    assert _made(store, *"abcf") == "acf"
    assert store.clean(quota_bytes=held - 5001).artifacts == Amount(count=1, bytes=5000)
    assert _made(store, *"abcf") == "af"
    assert _held(store) <= held - 5001
    assert _files(store) == 2


def test_making_and_reusing_are_uses(store: Store) -> None:
    _job(store, ("a", "clip", b"a"), ("b", "clip", b"b"), ("c", "clip", b"c"))
    _use(store, **dict.fromkeys("abc", timedelta(days=1)))
    job_id = store.create_job(prompt="x", options=FilmOptions(), seed=1).id
    with store.lease(job_id) as lease:
        lease.reuse("a")
        partial = store.temporary(".bin")
        partial.write_bytes(b"b")
        lease.publish("the same bytes as b", "clip", partial)
    held = _held(store)
    assert store.clean(quota_bytes=held - 1).artifacts.count == 1
    assert _made(store, *"abc") == "ab"


def test_a_quota_that_cannot_be_met_is_said_and_films_and_work_stay(store: Store) -> None:
    job_id = _job(store, ("a", "clip", bytes(5000)), ("f", "film", bytes([1]) * 3000))
    film = store.films / f"{job_id}.mp4"
    film.write_bytes(bytes(7000))
    at_work = store.create_job(prompt="x", options=FilmOptions(), seed=1).id
    with store.lease(at_work) as lease:
        partial = store.temporary(".bin")
        partial.write_bytes(bytes([2]) * 2000)
        lease.publish("w", "clip", partial)
        lease.set_plan([("w", "clip", ""), ("a", "clip", "")])
        assert store.clean(quota_bytes=0).artifacts == Amount()
        lease.set_plan([("w", "clip", "")])
        _use(store, w=timedelta(days=9))
        dry = store.clean(quota_bytes=10_000, dry_run=True)
        cleaned = store.clean(quota_bytes=10_000)
        assert cleaned.artifacts == dry.artifacts == Amount(count=1, bytes=5000)
        assert cleaned.over_quota_bytes == dry.over_quota_bytes == _held(store) - 10_000
        assert cleaned.over_quota_bytes >= 7000 + 3000 + 2000 - 10_000
        assert _made(store, *"afw") == "fw"
        assert film.exists()
    store.clean(quota_bytes=0)
    assert _made(store, *"afw") == "f"  # the other job has ended, unfinished: it makes its clip again


def test_what_waits_in_a_batch_that_is_worked_on_stays(store: Store) -> None:
    """Between two stages a film of a batch is under no lease."""
    first, second, alone = (
        _job(store, (key, "clip", key.encode()), end=JobStatus.INTERRUPTED) for key in "abc"
    )
    following = Next(Stage.JOIN, "", 1.0)
    batch = store.create_batch("x", [NewEntry(first, 1), NewEntry(second, 2)], [following, following])
    with store.lease(first):
        assert store.clean(quota_bytes=0).artifacts.count == 1
        assert store.clean(everything_unused=True).artifacts.count == 0
        assert _made(store, *"abc") == "ab"
    activity = Activity(
        owner=store.owner,
        batch_id=batch.id,
        job_id=first,
        number=1,
        device="cpu",
        stage=Stage.CLIPS,
        message="",
        shot=None,
        num_shots=None,
        overall=0,
        loads=0,
        seen_at=datetime.now(UTC),
    )
    store.show_activity(activity)
    assert store.clean(quota_bytes=0).artifacts.count == 0
    batch.fail(second, EntryState.FAILED, error="no", hint="", attempts=3)
    assert store.clean(quota_bytes=0).artifacts.count == 1
    assert _made(store, *"abc") == "a"
    store.forget_activity()
    assert store.clean(quota_bytes=0).artifacts.count == 1
    assert store.get_job(alone).status is JobStatus.INTERRUPTED


def test_bytes_that_a_job_at_work_made_too_stay(store: Store) -> None:
    _job(store, ("a", "clip", b"the same"))
    job_id = store.create_job(prompt="x", options=FilmOptions(), seed=1).id
    with store.lease(job_id) as lease:
        partial = store.temporary(".bin")
        partial.write_bytes(b"the same")
        lease.publish("b", "clip", partial)
        assert store.clean(quota_bytes=0).artifacts == Amount()
        assert _made(store, "a", "b") == "ab"


def test_what_was_paid_for_goes_last(store: Store) -> None:
    price = Price(usd_per_clip=0.1, is_estimate=True, read_on=date(2026, 11, 26), source="the test")
    order = ClipOrder(host="nobody", model="nobody:nothing", version="1", price=price)
    job_id = _job(store, ("a", "clip", bytes(5000)), end=JobStatus.INTERRUPTED)
    with store.lease(job_id) as lease:
        calls = lease.paid_calls("paid", Limits(job_usd=1, month_usd=1))
        calls.update(calls.begin(order, {}).id, CallState.MADE)
        partial = store.temporary(".bin")
        partial.write_bytes(bytes([1]) * 5000)
        lease.publish("paid", "clip", partial)
    _use(store, paid=timedelta(days=9))
    assert store.clean(quota_bytes=_held(store) - 1).artifacts.count == 1
    assert _made(store, "a", "paid") == "paid"
    assert store.clean(quota_bytes=_held(store) - 1).artifacts.count == 1


def test_a_quota_counts_what_goes_anyway(store: Store) -> None:
    job_id = _job(store, ("a", "clip", bytes(5000)), ("old", "clip", bytes([1]) * 5000))
    store.update_job(job_id, seed=2)
    with store.lease(job_id) as lease:
        lease.set_plan([("a", "clip", "")])
    for dry_run in (True, False):
        cleaned = store.clean(quota_bytes=_held(store) - 5000, dry_run=dry_run)
        assert cleaned.artifacts == Amount(count=1, bytes=5000)
    assert _made(store, "a", "old") == "a"


def test_too_little_space_is_said_before_a_step(tmp_path: Path) -> None:
    with Store(tmp_path, min_free_bytes=2**60) as store:
        with pytest.raises(DiskFullError, match=r"MiB free in .*, 1,099,511,627,776 MiB wanted") as caught:
            store.check_space()
        assert "localvid clean" in caught.value.hint
    with Store(tmp_path) as store:
        store.check_space()


def test_a_reserve_is_kept_and_spent_once(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        ballast = tmp_path / "ballast"
        assert ballast.stat().st_size == BALLAST_BYTES
        calls = []

        def record() -> str:
            calls.append(ballast.exists())
            if ballast.exists():
                raise DiskFullError("full")
            return "recorded"

        assert store._space.spend(record) == "recorded"
        assert calls == [True, False]

        def fail() -> None:
            raise DiskFullError("still full")

        with pytest.raises(DiskFullError, match="still full"):
            store._space.spend(fail)
    Store(tmp_path).close()
    assert ballast.stat().st_size == BALLAST_BYTES
