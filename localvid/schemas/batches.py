"""Batches: many films in one go, as their rows say."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from localvid.schemas.base import Frozen
from localvid.schemas.progress import Stage


class EntryState(StrEnum):
    """What becomes of one film of a batch."""

    WAITING = "waiting"
    """Its next stage is still to be done, now or once its back-off is over."""
    DONE = "done"
    FAILED = "failed"
    """Set aside: it failed too often, or in a way that no further attempt mends."""
    CANCELLED = "cancelled"


class BatchEntry(Frozen):
    """One film of a batch."""

    number: int
    """From 1, in the order of the file."""
    line: int
    """Of the file, where its row begins."""
    job_id: str
    stage: Stage
    """The one that comes next; of a film that is done, the last."""
    state: EntryState
    attempts: int = 0
    """How often a stage of it failed."""
    error: str = ""
    hint: str = ""
    seconds: float = 0.0
    """Of work on it, all stages and attempts together."""
    host_bytes: int | None = None
    """Most main memory at a time, of the worker's process and its model's together, while a stage before the
    joining ran; over all stages and attempts. None: no stage ran, or the system does not tell."""
    gpu_bytes: int | None = None
    """Most that torch reserved on the GPU at a time; None: no model used one by torch."""
    not_before: datetime | None = None
    """When it may be tried again."""


class StageTime(Frozen):
    """How long one stage of one film took."""

    stage: Stage
    model_id: str
    units: float
    """How much work it was: storyboards, keyframes, millions of pixels in clips, or shots joined."""
    seconds: float


class BatchSummary(Frozen):
    """A batch as a whole."""

    id: str
    source: str
    """The file, or "-"."""
    created_at: datetime
    updated_at: datetime
    waiting: int
    done: int
    failed: int
    cancelled: int

    @property
    def num_jobs(self) -> int:
        return self.waiting + self.done + self.failed + self.cancelled


class Activity(Frozen):
    """What a process does at the moment, for whoever looks on."""

    owner: str
    batch_id: str
    job_id: str
    number: int
    """Of the film in its batch."""
    device: str
    """"cpu", or the GPU's number."""
    stage: Stage
    message: str
    shot: int | None
    num_shots: int | None
    overall: float
    """Share of this film that is done, 0 to 1."""
    loads: int
    """Models that this process has loaded so far."""
    seen_at: datetime
