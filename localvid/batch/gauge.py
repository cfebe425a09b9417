"""The memory that one stage of one film takes."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from localvid import memory
from localvid.schemas import PeakMemory
from localvid.slot import ModelSlot


class MemoryGauge:
    """Notes the peak of what runs while it is entered: of this process and of its model's process, together.

    The peaks of both are added, though they need not come at the same moment, so the sum is no less than
    what was held at a time.

    Entered on the thread that has the models, a stage at a time, and by no other: a process has one peak,
    and whoever begins to count it anew takes it from all. So the joining of films, in a thread beside the
    models', is not measured; what it takes is part of this process, and of the film that is at work then.
    """

    def __init__(self, models: ModelSlot) -> None:
        self._models = models
        self._begun = False
        self.peak = PeakMemory()

    def __enter__(self) -> Self:
        self._begun = memory.reset_peak(os.getpid())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            return  # an interrupt does not wait for a number
        own = memory.peak_bytes(os.getpid()) if self._begun else None
        model = self._models.peak_memory()
        if own is not None and model.host_bytes is not None:
            self.peak = PeakMemory(own + model.host_bytes, model.gpu_bytes)
        else:
            self.peak = PeakMemory(None, model.gpu_bytes)
