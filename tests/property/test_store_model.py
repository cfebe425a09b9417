"""Random lives of a workspace against a model: what jobs refer to is there; after a clean-up nothing else."""

from __future__ import annotations

import hashlib
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from localvid.schemas import FilmOptions
from localvid.store import Store
from localvid.store.jobs import new_id
from localvid.store.tables import UtcTime, artifacts, steps

_KEYS = st.sampled_from("abcdef")
_CONTENTS = st.sampled_from([b"one", b"two", b"three"])


class Workspace(RuleBasedStateMachine):
    """`plans` are the keys each job refers to; `made` the content of each finished step."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name))
        self.plans: dict[str, set[str]] = {}
        self.made: dict[str, bytes] = {}
        self.cleaned = True

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(target=jobs)
    def create(self) -> str:
        job_id = self.store.create_job(prompt="x", options=FilmOptions(), seed=0).id
        self.plans[job_id] = set()
        return job_id

    @rule(job=jobs, keys=st.lists(_KEYS, max_size=4))
    def plan(self, job: str, keys: list[str]) -> None:
        with self.store.lease(job) as lease:
            lease.set_plan([(key, "clip", "") for key in keys])
        self.plans[job] = set(keys)
        self.cleaned = False

    @rule(job=jobs, key=_KEYS, content=_CONTENTS)
    def publish(self, job: str, key: str, content: bytes) -> None:
        with self.store.lease(job) as lease:
            partial = self.store.temporary(".bin")
            partial.write_bytes(content)
            path = lease.publish(key, "clip", partial)
        kept = self.made.setdefault(key, content)
        self.plans[job].add(key)
        assert path.read_bytes() == kept
        assert not partial.exists()

    @rule(key=_KEYS)
    def damage(self, key: str) -> None:
        """A file that is cut short takes every step with it that made these bytes, and no other."""
        path = self.store.find(key)
        if path is not None:
            content = self.made[key]
            path.write_bytes(content[:-1])
            assert self.store.find(key) is None
            self.made = {other: made for other, made in self.made.items() if made != content}
            self.cleaned = False

    @rule(job=consumes(jobs))
    def delete(self, job: str) -> None:
        self.store.delete_job(job)
        own = self.plans.pop(job)
        others = set().union(*self.plans.values())
        self.made = {key: made for key, made in self.made.items() if key not in own - others}

    @rule()
    def clean(self) -> None:
        reclaimable = self.store.usage().reclaimable_bytes
        cleaned = self.store.clean()
        assert cleaned.total_bytes == reclaimable
        referred = set().union(*self.plans.values())
        self.made = {key: made for key, made in self.made.items() if key in referred}
        self.cleaned = True

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(Path(self.folder.name))

    @invariant()
    def every_row_has_its_whole_file(self) -> None:
        with self.store._database.read() as connection:
            query = select(steps.c.key, artifacts).join(artifacts, artifacts.c.address == steps.c.address)
            rows = connection.execute(query).all()
            addresses = set(connection.execute(select(artifacts.c.address)).scalars())
        assert {row.key for row in rows} == set(self.made)
        assert {row.address for row in rows} == addresses
        for row in rows:
            content = self.store._files.path(row.address).read_bytes()
            assert content == self.made[row.key]
            assert (f"{hashlib.sha256(content).hexdigest()}.bin", len(content)) == (row.address, row.bytes)
        if self.cleaned:
            assert {address for address, _ in self.store._files.on_disk()} == addresses

    @invariant()
    def jobs_count_their_steps(self) -> None:
        listed = {job.id: (job.steps_done, set(self.plans[job.id])) for job in self.store.list_jobs()}
        assert set(listed) == set(self.plans)
        for job_id, keys in self.plans.items():
            steps_of = self.store.steps_of(job_id)
            assert {step.key for step in steps_of} == keys
            assert {step.key for step in steps_of if step.done} == keys & set(self.made)


TestWorkspace = Workspace.TestCase
TestWorkspace.settings = settings(
    max_examples=10, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(timedelta(milliseconds=83), timedelta(days=400)),
)
def test_an_older_id_sorts_first(moment: datetime, later: timedelta) -> None:
    assert new_id(moment) < new_id(moment + later)


@given(
    st.datetimes(
        datetime(2024, 1, 2),
        datetime(2099, 1, 1),
        timezones=st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))),
    )
)
@settings(max_examples=50)
def test_times_come_back_in_utc(moment: datetime) -> None:
    kind, dialect = UtcTime(), sqlite.dialect()
    stored = kind.process_bind_param(moment, dialect)
    assert stored is not None
    naive = stored.replace(tzinfo=None)  # as SQLite keeps it
    for read in (naive, stored):
        found = kind.process_result_value(read, dialect)
        assert found == moment
        assert found is not None
        assert found.utcoffset() == timedelta(0)
