"""How long what is left will take, from what this machine measured; the more it has made, the surer."""

from __future__ import annotations

from localvid.schemas import Stage
from localvid.store import BatchRows

_AHEAD = (Stage.STORYBOARD, Stage.KEYFRAMES, Stage.CLIPS)
"""Joining runs beside the clips of the next film, so it takes no time of its own."""

_USUAL = {Stage.STORYBOARD: 2.0, Stage.KEYFRAMES: 1.0, Stage.CLIPS: 6.0, Stage.JOIN: 0.5}
"""Seconds of a film in a stage that nothing was measured of: only the bar depends on them."""


class Pace:
    """Estimates for one batch. What was never measured here has no estimate, and so has a sum with it."""

    def __init__(self, batch: BatchRows) -> None:
        self._batch = batch

    def seconds_left(self, *, num_workers: int = 1) -> float | None:
        """Of the whole batch; None: something of it was never done here."""
        total = 0.0
        for (stage, model_id), (films, units) in self._batch.waiting().items():
            rate = self._batch.seconds_a_unit(stage, model_id)
            if stage in _AHEAD:
                if rate is None:
                    return None
                total += units * rate
            for later in _AHEAD[_AHEAD.index(stage) + 1 :] if stage in _AHEAD else ():
                each = self._batch.seconds_a_film(later)
                if each is None:
                    if later is Stage.CLIPS:
                        return None
                    continue  # there may be no keyframes to paint
                total += films * each
        return total / num_workers

    def share_done(self) -> float:
        """Of the whole batch, 0 to 1, by the time that stages take where that is known."""
        weights = {stage: self._batch.seconds_a_film(stage) or _USUAL[stage] for stage in Stage}
        whole, before, total = sum(weights.values()), 0.0, {}
        for stage in Stage:
            total[stage], before = before / whole, before + weights[stage]
        summary = self._batch.summary()
        done = float(summary.num_jobs - summary.waiting)
        done += sum(films * total[stage] for (stage, _), (films, _) in self._batch.waiting().items())
        return done / summary.num_jobs if summary.num_jobs else 1.0
