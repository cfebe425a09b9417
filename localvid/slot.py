"""Where one model at a time is open, for one film or for many.

Opening a model closes the one before, unless it is the same: so whoever takes the stages of many films in
turns loads each model once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from localvid import registry
from localvid.config import Settings
from localvid.llm.base import StoryboardWriter
from localvid.pipelines.base import KeyframePainter, VideoModel
from localvid.schemas import IN_THIS_PROCESS, ModelInfo, OnProgress, PeakMemory, VideoRequest

Model = TypeVar("Model", bound=AbstractContextManager[Any])


class ModelSlot:
    """A place for one open model of this machine; a context manager, or emptied with `close`.

    Not for use by several threads. Remote models hold nothing here and are opened elsewhere.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model_id = ""
        self._model: AbstractContextManager[Any] | None = None
        self._used = False
        self._fitting: set[tuple[object, ...]] = set()
        self.loads = 0
        """How many models were opened so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def writer(self, info: ModelInfo) -> StoryboardWriter:
        return self._opened(info, registry.open_writer)

    def painter(self, info: ModelInfo) -> KeyframePainter:
        return self._opened(info, registry.open_painter)

    def video_model(self, info: ModelInfo) -> VideoModel:
        return self._opened(info, registry.open_video_model)

    def check_fits(self, info: ModelInfo, request: VideoRequest, on_progress: OnProgress) -> None:
        """As `registry.check_fits`, once for all clips that take the same memory."""
        takes = (info.manifest.id, request.width, request.height, request.num_frames, request.sampling)
        if takes not in self._fitting:
            registry.check_fits(info, self._settings, request, on_progress)
            self._fitting.add(takes)

    def peak_memory(self) -> PeakMemory:
        """The most memory that the open model's process held at a time since this was last asked.

        Where nothing is open, or nobody used it since, this is IN_THIS_PROCESS: no process but the caller's
        worked. Raises nothing.
        """
        used, self._used = self._used, False
        if not used or self._model is None:
            return IN_THIS_PROCESS
        opened: StoryboardWriter | KeyframePainter | VideoModel
        opened = self._model  # type: ignore[assignment]  # `_opened` opens nothing else
        return opened.peak_memory()

    def close(self) -> None:
        """Close what is open; idempotent."""
        model, self._model, self._model_id = self._model, None, ""
        if model is not None:
            model.__exit__(None, None, None)

    def _opened(self, info: ModelInfo, open_it: Callable[[ModelInfo, Settings], Model]) -> Model:
        if self._model is None or self._model_id != info.manifest.id:
            self.close()
            model = open_it(info, self._settings)
            self._model, self._model_id = model.__enter__(), info.manifest.id
            self.loads += 1
        self._used = True
        opened: Model = self._model  # type: ignore[assignment]  # of the kind that its id names
        return opened
