"""Opening a model: its adapter's module is imported here, late and by the name in its manifest."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from localvid.config import Settings
from localvid.errors import DeviceFailedError, ModelProcessError, NotAvailableError
from localvid.gpu import detect_cuda
from localvid.llm.base import StoryboardWriter
from localvid.pipelines.base import KeyframePainter, VideoModel
from localvid.pipelines.hosted import HostedPainter, HostedVideoModel
from localvid.registry.availability import install_command
from localvid.registry.choice import require
from localvid.remote.hosts import PaidCalls
from localvid.schemas import ModelInfo, ModelKind, OnProgress, VideoRequest

_logger = logging.getLogger(__name__)


def open_video_model(info: ModelInfo, settings: Settings) -> VideoModel:
    """The video model of this machine, not yet loaded; to be used as a context manager.

    Raises NotAvailableError. A remote model is opened by `open_remote_model`: it must not run unrecorded.
    """
    if info.manifest.is_remote:
        raise TypeError(f"{info.manifest.id} is a remote model and was opened as one of this machine")
    if _is_hosted(info, ModelKind.VIDEO):
        return HostedVideoModel(info, settings)
    adapter: VideoModel = _construct(info, settings, ModelKind.VIDEO)
    return adapter


def open_remote_model(info: ModelInfo, settings: Settings, calls: PaidCalls) -> VideoModel:
    """A remote video model for one clip, whose calls are recorded in `calls`; nothing is sent yet.

    To be used as a context manager. Raises NotAvailableError, also where the user gave no leave.
    """
    adapter: VideoModel = _construct(info, settings, ModelKind.VIDEO, calls)
    return adapter


def check_fits(info: ModelInfo, settings: Settings, request: VideoRequest, on_progress: OnProgress) -> None:
    """Raise CapabilityError, with what would fit, if the GPU's memory cannot hold the request.

    Where no GPU is used nothing is checked. In a process of its own, which takes some seconds; if that
    process breaks the clip is tried all the same. What `on_progress` raises passes.
    """
    if _is_hosted(info, ModelKind.VIDEO) and settings.device != "cpu" and detect_cuda().gpus:
        with HostedVideoModel(info, settings) as model:
            try:
                model.check_fits(request, on_progress)
            except (ModelProcessError, DeviceFailedError) as error:
                _logger.warning("whether the clip fits was not checked: %s", error)


def open_painter(info: ModelInfo, settings: Settings) -> KeyframePainter:
    """The keyframe painter, not yet loaded; to be used as a context manager. Raises NotAvailableError."""
    if _is_hosted(info, ModelKind.KEYFRAME):
        return HostedPainter(info, settings)
    adapter: KeyframePainter = _construct(info, settings, ModelKind.KEYFRAME)
    return adapter


def open_writer(info: ModelInfo, settings: Settings) -> StoryboardWriter:
    """The storyboard writer, not yet loaded; to be used as a context manager. Raises NotAvailableError."""
    adapter: StoryboardWriter = _construct(info, settings, ModelKind.STORYBOARD)
    return adapter


def _is_hosted(info: ModelInfo, kind: ModelKind) -> bool:
    """Whether the model gets a process of its own: what runs on a GPU can break it for the whole process,
    and gives its memory back only with it."""
    _check(info, kind)
    return "torch" in info.manifest.requires


def _check(info: ModelInfo, kind: ModelKind) -> None:
    if info.manifest.kind is not kind:
        raise TypeError(
            f"{info.manifest.id} is a {info.manifest.kind} model and was opened as a {kind} model"
        )
    require(info)


def _construct(info: ModelInfo, settings: Settings, kind: ModelKind, *more: object) -> Any:
    manifest = info.manifest
    _check(info, kind)
    module_name, _, class_name = manifest.adapter.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "localvid"):
            raise NotAvailableError(
                f"{manifest.id} does not load: {error}", hint="install localvid anew"
            ) from error
        raise NotAvailableError(
            f"{manifest.id} does not load: the package {package} is missing or broken ({error})",
            hint=install_command(package),
        ) from error
    adapter = getattr(module, class_name, None)
    if adapter is None:
        raise NotAvailableError(
            f"{manifest.id}: {module_name} has no {class_name}", hint="mend the manifest's adapter"
        )
    return adapter(info, settings, *more)
