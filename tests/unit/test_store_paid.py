"""Rows of paid calls: written once, counted against limits, closed with the clip."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from localvid.errors import JobBusyError, SpendLimitError
from localvid.schemas import CallState, ClipOrder, FilmOptions, Price
from localvid.store import JobLease, Limits, MadeMeanwhileError, Store

ORDER = ClipOrder(
    host="nobody",
    model="nobody:nothing",
    version="1",
    price=Price(usd_per_clip=0.4, is_estimate=True, read_on=date(2026, 11, 26), source="the test"),
)
LIMITS = Limits(job_usd=1.0, month_usd=1.5)
KEY = "a" * 64


@pytest.fixture
def store(workspace: Path) -> Iterator[Store]:
    with Store(workspace) as store:
        yield store


def leased(store: Store) -> JobLease:
    return store.lease(store.create_job(prompt="x", options=FilmOptions(), seed=1).id)


def test_a_call_is_open_until_it_ends(store: Store) -> None:
    with leased(store) as lease:
        calls = lease.paid_calls(KEY, LIMITS)
        assert calls.current() is None
        call = calls.begin(ORDER, {"seed": 1, "image": "https://nobody.example/1"})
        assert calls.current() == call
        assert (call.state, call.estimated_usd, call.cost_usd, call.run_id) == (
            CallState.INTENT,
            0.4,
            None,
            None,
        )
        calls.update(call.id, CallState.RUNNING, run_id="r1")
        assert store.has_open_call(KEY)
        calls.update(call.id, CallState.FAILED, cost_usd=0.3, detail="no")
        assert calls.current() is None
        (row,) = store.calls_of(lease.job.id)
    assert (row.state, row.run_id, row.cost_usd, row.detail) == (CallState.FAILED, "r1", 0.3, "no")
    assert row.inputs == {"seed": 1, "image": "https://nobody.example/1"}
    assert store.get_job(lease.job.id).cost_usd == pytest.approx(0.3)


def test_what_was_set_aside_and_spent_counts_against_the_jobs_limit(store: Store) -> None:
    with leased(store) as lease:
        first = lease.paid_calls("b" * 64, LIMITS).begin(ORDER, {})
        second = lease.paid_calls("c" * 64, LIMITS)
        call = second.begin(ORDER, {})
        third = lease.paid_calls("d" * 64, LIMITS)
        with pytest.raises(SpendLimitError, match=r"\$0.80 are spent or set aside"):
            third.begin(ORDER, {})
        # What it really cost stands in for what was set aside.
        second.update(call.id, CallState.MADE, cost_usd=0.2)
        third.begin(ORDER, {})
        with pytest.raises(SpendLimitError):
            lease.check_spend(0.1, LIMITS, what="a clip")
        lease.paid_calls("b" * 64, LIMITS).update(first.id, CallState.NOT_CREATED, cost_usd=0.0)
        lease.check_spend(0.4, LIMITS, what="a clip")


def test_the_months_limit_counts_all_jobs(store: Store) -> None:
    for number in range(3):
        with leased(store) as lease:
            lease.paid_calls(f"{number}" * 64, LIMITS).begin(ORDER, {})
    with leased(store) as lease, pytest.raises(SpendLimitError, match="for the month"):
        lease.paid_calls(KEY, LIMITS).begin(ORDER, {})


def test_of_two_processes_one_sends(store: Store, workspace: Path) -> None:
    with Store(workspace) as other, leased(store) as mine, leased(other) as theirs:
        sent = mine.paid_calls(KEY, LIMITS).begin(ORDER, {})
        found = theirs.paid_calls(KEY, LIMITS)
        late = found.begin(ORDER, {})
        assert (late.id, late.held_elsewhere) == (sent.id, True)
        current = found.current()
        assert current is not None and current.held_elsewhere
        assert [call.id for call in store.calls_of(mine.job.id)] == [sent.id]
        assert other.calls_of(theirs.job.id) == []
    with leased(store) as lease:  # it is this process's own again, once the other is gone
        again = lease.paid_calls(KEY, LIMITS).current()
    assert again is not None and not again.held_elsewhere


def test_what_another_job_has_published_meanwhile_is_not_begun(store: Store) -> None:
    def published(lease: JobLease) -> None:
        partial = store.temporary(".mp4")
        partial.write_bytes(b"a clip")
        lease.publish(KEY, "clip", partial)

    with leased(store) as mine, leased(store) as theirs:
        calls = mine.paid_calls(KEY, LIMITS)
        published(theirs)
        with pytest.raises(MadeMeanwhileError):
            calls.begin(ORDER, {})
        assert store.calls_of(mine.job.id) == []
        # Whoever has it made once more, for a picture that is gone, knows that it is there.
        assert mine.paid_calls(KEY, LIMITS).begin(ORDER, {}).state is CallState.INTENT


def test_publishing_the_clip_closes_its_call(store: Store) -> None:
    with leased(store) as lease:
        calls = lease.paid_calls(KEY, LIMITS)
        calls.update(calls.begin(ORDER, {}).id, CallState.MADE, run_id="r1", cost_usd=0.1)
        partial = store.temporary(".mp4")
        partial.write_bytes(b"a clip")
        lease.publish(KEY, "clip", partial)
        assert [call.state for call in store.calls_of(lease.job.id)] == [CallState.DONE]


def test_only_what_needs_confirmation_is_confirmed(store: Store) -> None:
    with leased(store) as lease:
        for state in (CallState.NEEDS_CONFIRMATION, CallState.RUNNING):
            calls = lease.paid_calls(state.value, LIMITS)
            calls.update(calls.begin(ORDER, {}).id, state)
    assert store.confirm_calls(lease.job.id) == 1
    assert [call.state for call in store.calls_of(lease.job.id)] == [CallState.REPEATED, CallState.RUNNING]
    assert store.get_job(lease.job.id).cost_usd == pytest.approx(0.8)


def test_nothing_is_begun_without_the_lease(store: Store) -> None:
    with leased(store) as lease:
        calls = lease.paid_calls(KEY, LIMITS)
        call = calls.begin(ORDER, {})
    with pytest.raises(JobBusyError):
        lease.paid_calls("e" * 64, LIMITS).begin(ORDER, {})
    calls.update(call.id, CallState.RUNNING, run_id="r1")  # what was sent is recorded all the same
    assert store.calls_of(lease.job.id)[0].run_id == "r1"
