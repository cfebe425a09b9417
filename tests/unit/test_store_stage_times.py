"""Estimates of the time that a stage takes, from times of films of one size and of several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from localvid.schemas import Stage, StageTime
from localvid.store import StageRate, Store, stage_times


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


def rate_of(store: Store, *times: tuple[float, float]) -> StageRate:
    """After films of so many units that took so many seconds."""
    with store._database.write() as connection:
        for units, seconds in times:
            stage_times.add(
                connection, StageTime(stage=Stage.CLIPS, model_id="m", units=units, seconds=seconds)
            )
    rate = store.stage_rate(Stage.CLIPS, "m")
    assert rate is not None
    return rate


def test_of_what_was_never_done_there_is_no_rate(store: Store) -> None:
    rate_of(store, (1, 1))
    assert store.stage_rate(Stage.CLIPS, "other") is None
    assert store.stage_rate(Stage.KEYFRAMES, "m") is None


def test_after_films_of_one_size_all_time_grows_with_the_work(store: Store) -> None:
    rate = rate_of(store, (10, 5), (10, 6), (11, 90), (10, 5), (9, 4.5))  # one film had to wait
    assert rate.seconds(10) == pytest.approx(5)
    assert rate.seconds(30) == pytest.approx(15)


@pytest.mark.parametrize("tiny_first", [True, False])
def test_tiny_films_and_large_ones_are_told_apart(store: Store, tiny_first: bool) -> None:
    tiny, large = [(0.3, 0.4), (0.3, 0.5), (0.3, 0.6)] * 3, [(113.0, 9.1), (110.0, 8.9)]
    rate = rate_of(store, *(tiny + large if tiny_first else large + tiny))
    assert rate.seconds(0.3) == pytest.approx(0.5, rel=0.1)
    assert rate.seconds(113) == pytest.approx(9.1, rel=0.1)
    assert rate.seconds(50) == pytest.approx(4.3, rel=0.1)


def test_one_slow_film_of_several_sizes_spoils_nothing(store: Store) -> None:
    rate = rate_of(store, *[(10.0 * size, 2.0 + size) for size in range(1, 10)], (50.0, 700.0))
    assert rate.seconds(40) == pytest.approx(6, rel=0.1)
    assert rate.seconds(90) == pytest.approx(11, rel=0.1)


def test_larger_films_that_took_less_time_make_no_estimate_below_nothing(store: Store) -> None:
    rate = rate_of(store, (1, 30), (100, 9))
    assert rate.seconds(0.5) == rate.seconds(400) == pytest.approx(19.5)
    assert rate.units_within(20) == math.inf
    assert rate.units_within(19) == 0


def test_of_films_of_a_far_other_size_there_is_no_estimate(store: Store) -> None:
    rate = rate_of(store, (0.3, 0.5))
    assert rate.seconds(113) is None
    assert rate.seconds(0.05) is None
    assert rate.seconds(1.1) is not None


def test_a_far_larger_film_may_be_begun_where_one_of_a_known_size_may(store: Store) -> None:
    rate = rate_of(store, (0.3, 0.5))
    assert rate.units_within(60) == math.inf
    assert rate.units_within(1) == pytest.approx(0.6)
    rate = rate_of(store, (113, 9))  # one was made
    assert rate.units_within(4) == pytest.approx(46, rel=0.1)
    assert rate.units_within(-1) < 0
