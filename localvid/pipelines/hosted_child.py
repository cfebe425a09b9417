"""The side of a hosted model that runs in the child process: the adapter itself, called by method name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from localvid.config import Settings
from localvid.errors import NotAvailableError
from localvid.files import as_workspace_error
from localvid.host import Later
from localvid.pipelines.base import KeyframePainter, Unfinished, VideoModel
from localvid.schemas import (
    KeyframeRequest,
    ModelInfo,
    ModelManifest,
    OnProgress,
    Progress,
    VideoRequest,
    ignore_progress,
)


class HostedModel:
    """One adapter, opened for as long as the process lives. Arguments are JSON, as ChildHost sends them."""

    def __init__(self, report: OnProgress, *, info: dict[str, Any], settings: dict[str, Any]) -> None:
        """Import the adapter; the networks are loaded by `load` or by the first request.

        Raises NotAvailableError if a package that it needs is missing or broken.
        """
        self._report = report
        described = ModelInfo.model_validate(info)
        report(Progress(step=0, num_steps=0, message=f"loading {described.manifest.title}"))
        self.adapter = import_adapter(described.manifest)(described, Settings.model_validate(settings))

    def load(self) -> None:
        self.adapter.load(self._report)

    def spare_host_memory(self) -> None:
        self.adapter.spare_host_memory()

    def check_fits(self, request: dict[str, Any]) -> None:
        self._video_model().check_fits(VideoRequest.model_validate(request), self._report)

    def write_clip(self, request: dict[str, Any], output: str) -> Later | None:
        path = Path(output)
        with _disk_faults(path):
            model, wanted = self._video_model(), VideoRequest.model_validate(request)
            unfinished = model._write_clip(wanted, path, self._report)

        def finish(unfinished: Unfinished) -> None:
            with _disk_faults(path):
                unfinished.wait(ignore_progress)

        return None if unfinished is None else Later(partial(finish, unfinished))

    def write_latents(self, request: dict[str, Any], output: str) -> None:
        path = Path(output)
        with _disk_faults(path):
            self._video_model()._write_latents(VideoRequest.model_validate(request), path, self._report)

    def write_keyframe(self, request: dict[str, Any], output: str) -> None:
        assert isinstance(self.adapter, KeyframePainter)
        path = Path(output)
        with _disk_faults(path):
            self.adapter._write_keyframe(KeyframeRequest.model_validate(request), path, self._report)

    def take_peak_gpu_bytes(self) -> int | None:
        """The most that torch reserved on the GPU at a time since this was last asked; None: it used none."""
        torch = sys.modules.get("torch")  # where the adapter did not import it, nothing is there to be asked
        if torch is None or not torch.cuda.is_initialized():
            return None
        peak: int = torch.cuda.max_memory_reserved()
        torch.cuda.reset_peak_memory_stats()
        return peak or None

    def _video_model(self) -> VideoModel:
        assert isinstance(self.adapter, VideoModel)
        return self.adapter


@contextmanager
def _disk_faults(path: Path) -> Iterator[None]:
    """Where the parent's own `writing` would say them, they have become an error of this process."""
    try:
        yield
    except OSError as error:
        raise as_workspace_error(error, path) from error


def import_adapter(manifest: ModelManifest) -> type[Any]:
    """The adapter's class. Raises NotAvailableError if a package that it imports is missing or broken."""
    module, _, name = manifest.adapter.partition(":")
    try:
        adapter: type[Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NotAvailableError(
            f"{manifest.id} does not load: {error}",
            hint='a package that it needs is missing or broken: `pip install "localvid[diffusion]"`',
        ) from error
    return adapter
