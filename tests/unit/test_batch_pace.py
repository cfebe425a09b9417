"""The time left of a batch, by how large its own films are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from batches import new_batch

from localvid.batch.pace import Pace
from localvid.schemas import Stage, StageTime
from localvid.store import Next, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


def test_the_time_left_is_that_of_films_as_large_as_its_own(store: Store) -> None:
    batch, jobs = new_batch(store, ["a fox", "a whale", "a castle"])
    measured = [(Stage.STORYBOARD, "outline", 1.0, 2.0), *[(Stage.CLIPS, "m", 0.3, 0.5)] * 9]
    measured.append((Stage.CLIPS, "m", 100.0, 9.0))
    with store._database.write() as connection:
        for stage, model_id, units, seconds in measured:
            batch.add_time(
                connection, StageTime(stage=stage, model_id=model_id, units=units, seconds=seconds)
            )
    pace = Pace(batch)
    assert pace.seconds_left() is None  # no film's clips are known

    with store._database.write() as connection:
        batch.advance(connection, jobs[0].id, Next(Stage.CLIPS, "m", 100.0), seconds=2.0)
    assert pace.seconds_left() == pytest.approx(2 * 2 + 3 * 9, rel=0.01)
    assert pace.seconds_left(num_workers=2) == pytest.approx((2 * 2 + 3 * 9) / 2, rel=0.01)

    with store._database.write() as connection:
        batch.advance(connection, jobs[0].id, Next(Stage.JOIN, "join", 1.0), seconds=9.0)
    assert pace.seconds_left() == pytest.approx(2 * 2 + 2 * 0.5)  # as films took lately, most of them tiny

    with store._database.write() as connection:
        for job in jobs:
            batch.advance(connection, job.id, Next(Stage.CLIPS, "m", 5000.0), seconds=2.0)
    assert pace.seconds_left() is None  # nothing so large was measured
