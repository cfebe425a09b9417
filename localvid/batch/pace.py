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
        """Of the whole batch; None: something of it was never done here, or none of its films has come to
        its clips so far, so that nobody knows how large they are."""
        seconds, films = dict.fromkeys(Stage, 0.0), dict.fromkeys(Stage, 0)
        for (stage, model_id), (count, units) in self._batch.waiting().items():
            films[stage] += count
            if stage in _AHEAD:
                rate = self._batch.stage_rate(stage, model_id)
                if rate is None or (each := rate.seconds(units / count)) is None:
                    return None
                seconds[stage] += count * each
        if before := films[Stage.STORYBOARD] + films[Stage.KEYFRAMES]:
            if films[Stage.CLIPS]:  # as large as those of which it is known
                seconds[Stage.CLIPS] *= 1 + before / films[Stage.CLIPS]
            else:
                each = self._batch.seconds_a_film(Stage.CLIPS)
                if each is None or before == self._batch.summary().num_jobs:
                    return None
                seconds[Stage.CLIPS] = before * each
        # There may be no keyframes to paint.
        painting = self._batch.seconds_a_film(Stage.KEYFRAMES) or 0.0
        return (sum(seconds.values()) + films[Stage.STORYBOARD] * painting) / num_workers

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
