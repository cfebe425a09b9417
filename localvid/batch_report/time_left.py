"""How long a batch still takes, by what this machine measured."""

from __future__ import annotations

from localvid.schemas import Stage
from localvid.store import BatchRows

_STAGES = tuple(Stage)


def seconds_left(batch: BatchRows, *, processes: int = 1) -> float | None:
    """Seconds until no film waits any more, shared evenly by so many processes; None where a stage that is
    still to come was never done here, so that any number would be a guess.

    The stage that comes next for a film counts by its work and its model's speed; those after it, whose work
    is not known yet, by what they took for other films.
    """
    seconds = 0.0
    for (stage, model_id), units in batch.waiting_units().items():
        pace = batch.seconds_a_unit(stage, model_id)
        if pace is None:
            return None
        seconds += units * pace
    waiting = batch.waiting_films()
    for place, stage in enumerate(_STAGES):
        later = sum(waiting.get(earlier, 0) for earlier in _STAGES[:place])
        if not later:
            continue
        each = batch.seconds_a_film(stage)
        if each is None:
            return None
        seconds += later * each
    return seconds / max(1, processes)
