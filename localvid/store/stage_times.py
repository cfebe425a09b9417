"""How long stages took on this machine, for estimates."""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from localvid.schemas import Stage, StageTime
from localvid.store.tables import stage_times

_RECENT = 20
"""As many of a model's latest times make an estimate: the machine may do other work by now."""
_APART = 2.0
"""Films whose work differs by less than so many times do not tell what grows with it from what does not."""
_FAR = 4.0
"""Of what is more than so many times as large, or as small, as all that was measured these tell little."""


class StageRate(NamedTuple):
    """How long a stage takes here with one model: a part for each film, and one for each unit of work."""

    seconds_a_film: float
    seconds_a_unit: float
    least_units: float
    """Of the smallest film that was measured."""
    most_units: float
    """Of the largest."""

    def seconds(self, units: float) -> float | None:
        """An estimate for a film with so much work; None: nothing of about its size was measured."""
        if not self.least_units / _FAR <= units <= self.most_units * _FAR:
            return None
        return self.seconds_a_film + units * self.seconds_a_unit

    def units_within(self, seconds: float) -> float:
        """The most work that a film may have to be done in that time; without end, where there is time for
        the largest film that has an estimate. So one that has none is begun, and measured."""
        if not self.seconds_a_unit:
            return math.inf if seconds >= self.seconds_a_film else 0.0
        units = (seconds - self.seconds_a_film) / self.seconds_a_unit
        return units if units < self.most_units * _FAR else math.inf


def add(connection: Connection, time: StageTime) -> None:
    connection.execute(
        insert(stage_times).values(
            stage=time.stage, model=time.model_id, units=time.units, seconds=time.seconds
        )
    )


def rate(connection: Connection, stage: Stage, model_id: str) -> StageRate | None:
    """What this machine took lately; None: it never did this.

    A line through the latest times by the estimator of Theil (1950) and Sen (1968): the median of the
    slopes between two films, and the median of what is left of each film's time. Films of about one size
    have no slope; all of their time is taken to grow with the work.
    """
    query = (
        select(stage_times.c.units, stage_times.c.seconds)
        .where(stage_times.c.stage == stage, stage_times.c.model == model_id, stage_times.c.units > 0)
        .order_by(stage_times.c.id.desc())
        .limit(_RECENT)
    )
    found = [(float(units), float(seconds)) for units, seconds in connection.execute(query)]
    if not found:
        return None
    slopes = [
        (longer - shorter) / (more - fewer)
        for fewer, shorter in found
        for more, longer in found
        if more >= _APART * fewer
    ]
    if slopes:
        a_unit = max(0.0, statistics.median(slopes))
        a_film = max(0.0, statistics.median(seconds - a_unit * units for units, seconds in found))
    else:
        a_unit, a_film = statistics.median(seconds / units for units, seconds in found), 0.0
    sizes = [units for units, _ in found]
    return StageRate(a_film, a_unit, least_units=min(sizes), most_units=max(sizes))


def seconds_a_film(connection: Connection, stage: Stage) -> float | None:
    """What a film took lately in that stage, the median, whatever model; None: none ever did."""
    query = (
        select(stage_times.c.seconds)
        .where(stage_times.c.stage == stage)
        .order_by(stage_times.c.id.desc())
        .limit(_RECENT)
    )
    found = [float(seconds) for seconds in connection.execute(query).scalars()]
    return statistics.median(found) if found else None
