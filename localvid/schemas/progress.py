"""Reports of progress; there is one kind, everywhere."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from pydantic import Field

from localvid.schemas.base import Frozen


class Stage(StrEnum):
    """The stages of a film, in the order in which they run."""

    STORYBOARD = "storyboard"
    KEYFRAMES = "keyframes"
    CLIPS = "clips"
    JOIN = "join"


class Progress(Frozen):
    """One report of progress; the only kind there is.

    A model reports `step` of `num_steps` and a `message`; the orchestrator adds the stage and the shot.
    """

    step: int = Field(ge=0)
    num_steps: int = Field(ge=0)
    """0: not known, only that work goes on."""
    message: str = ""
    stage: Stage | None = None
    shot: int | None = None
    """From 1."""
    num_shots: int | None = None
    cached: bool = False
    """The step's artifact was there already, nothing ran."""
    notice: str = ""
    """What the user did not ask for and should know, in one sentence; each is reported once."""
    overall: float = Field(default=0.0, ge=0, le=1)
    """Share of the whole film that is done, by a rough measure of time."""

    @property
    def fraction(self) -> float:
        """0 to 1 within the current step; 0 where the number of steps is not known."""
        return min(1.0, self.step / self.num_steps) if self.num_steps else 0.0


OnProgress = Callable[[Progress], None]
"""Called often, on the thread that works. Raising from it stops the work at that point: this is how a
job is cancelled, so whoever calls it must leave nothing half-done behind."""


def ignore_progress(_progress: Progress) -> None:
    """An `OnProgress` for callers that do not listen."""
