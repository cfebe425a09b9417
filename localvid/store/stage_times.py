"""How long stages took on this machine, for estimates."""

from __future__ import annotations

import statistics
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, select

from localvid.schemas import Stage, StageTime
from localvid.store.tables import stage_times

_RECENT = 20
"""As many of a model's latest times make an estimate: the machine may do other work by now."""


def add(connection: Connection, time: StageTime) -> None:
    connection.execute(
        insert(stage_times).values(
            stage=time.stage, model=time.model_id, units=time.units, seconds=time.seconds
        )
    )


def seconds_a_unit(connection: Connection, stage: Stage, model_id: str) -> float | None:
    """What this machine took lately, the median; None: it never did this."""
    alike = and_(stage_times.c.stage == stage, stage_times.c.model == model_id)
    return _latest(connection, stage_times.c.seconds / stage_times.c.units, alike)


def seconds_a_film(connection: Connection, stage: Stage) -> float | None:
    """What a film took lately in that stage, the median, whatever model; None: none ever did."""
    return _latest(connection, stage_times.c.seconds, stage_times.c.stage == stage)


def _latest(connection: Connection, value: Any, where: ColumnElement[bool]) -> float | None:
    query = select(value).where(where).order_by(stage_times.c.id.desc()).limit(_RECENT)
    found = [float(each) for each in connection.execute(query).scalars()]
    return statistics.median(found) if found else None
