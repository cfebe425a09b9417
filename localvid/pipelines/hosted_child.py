"""The side of a hosted model that runs in the child process: the adapter itself, called by method name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from localvid.config import Settings
from localvid.errors import NotAvailableError
from localvid.pipelines.base import KeyframePainter, VideoModel
from localvid.schemas import KeyframeRequest, ModelInfo, ModelManifest, OnProgress, Progress, VideoRequest


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

    def write_clip(self, request: dict[str, Any], output: str) -> None:
        self._video_model()._write_clip(VideoRequest.model_validate(request), Path(output), self._report)

    def write_latents(self, request: dict[str, Any], output: str) -> None:
        self._video_model()._write_latents(VideoRequest.model_validate(request), Path(output), self._report)

    def write_keyframe(self, request: dict[str, Any], output: str) -> None:
        assert isinstance(self.adapter, KeyframePainter)
        self.adapter._write_keyframe(KeyframeRequest.model_validate(request), Path(output), self._report)

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
