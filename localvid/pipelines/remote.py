"""A video model at a host, behind the same interface: what holds for every host.

The first frame is uploaded, the call is paid for once (`localvid.remote.paying`), the result is fetched, and
its frames are made into a clip like those that are made here: same encoding, so that a film does not show it.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from localvid.config import Settings
from localvid.errors import CapabilityError, InvalidImageError
from localvid.media.check import check_clip
from localvid.media.fit import fit_clip
from localvid.media.images import read_image
from localvid.pipelines.base import VideoModel
from localvid.remote.hosts import Host, PaidCalls
from localvid.remote.http import HostSettings
from localvid.remote.paying import obtain, park
from localvid.schemas import ClipOrder, ModelInfo, OnProgress, Progress, SamplingSettings, VideoRequest

_PERCENT = 100
"""Steps of a clip at the host; its frames count on from there."""


class RemoteVideoModel(VideoModel):
    """The base of every host's models. `calls` are the rows of the one clip that it makes.

    An adapter gives the host and the inputs, and refuses what the host cannot do.
    """

    def __init__(self, info: ModelInfo, settings: Settings, calls: PaidCalls) -> None:
        super().__init__(info, settings)
        self._calls = calls
        self._opened: Host | None = None

    @abstractmethod
    def _open_host(self) -> Host:
        """The host, for this model; nothing is asked of it yet."""

    @abstractmethod
    def _inputs(self, request: VideoRequest, sampling: SamplingSettings) -> dict[str, Any]:
        """The request in the host's words, without its image. Raises CapabilityError."""

    @abstractmethod
    def _with_image(self, inputs: dict[str, Any], address: str) -> dict[str, Any]:
        """The inputs with the address of the uploaded first frame."""

    @property
    def host(self) -> Host:
        if self._opened is None:
            self._opened = self._open_host()
        return self._opened

    def _write_clip(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        sampling = request.sampling or self.capabilities.sampling
        if sampling is None:
            raise CapabilityError(
                f"{request.model_id} has no sampling settings",
                hint="complete [capabilities.sampling] of the model's manifest",
            )
        inputs, image = self._inputs(request, sampling), _first_frame(request)
        report = _Report(on_progress, num_frames=request.num_frames)
        call, run = obtain(
            self.host,
            self._calls,
            self._order(),
            lambda: self._with_image(inputs, self.host.upload(image, report)),
            report,
            HostSettings.of(self.settings),
        )
        fetched = output.with_name(f"{output.stem}.fetched.mp4")
        try:
            if run.output is None or not self.host.download(run.output, fetched, report):
                park(self._calls, call, f"{self.host.name} has deleted the result of {run.id}")
            fit_clip(fetched, output, request, on_frame=report.frame)
        finally:
            fetched.unlink(missing_ok=True)
        finding = check_clip(output)
        if finding is not None and finding.kind == "frozen":
            report.notice(f"the picture stands still: {finding.detail}")
        self.host.forget(call.inputs)

    def _order(self) -> ClipOrder:
        manifest = self.info.manifest
        assert manifest.price is not None  # the manifest's validator holds both for remote models
        assert manifest.revision is not None
        return ClipOrder(
            host=manifest.host, model=manifest.id, version=manifest.revision, price=manifest.price
        )


class _Report:
    """Reports of one clip: steps only ever rise, whatever a host says of how far it is."""

    def __init__(self, on_progress: OnProgress, *, num_frames: int) -> None:
        self._on_progress = on_progress
        self._num_steps = _PERCENT + num_frames
        self._last: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """A report of the host's: percents of its own work, or words alone."""
        if progress.num_steps:
            self._count(min(progress.step, _PERCENT - 1), progress.message)
        else:
            self._on_progress(progress)

    def frame(self, number: int) -> None:
        self._count(_PERCENT + number, "writing the clip")

    def notice(self, text: str) -> None:
        self._on_progress(Progress(step=0, num_steps=0, notice=text))

    def _count(self, step: int, message: str) -> None:
        if self._last is None or step > self._last.step:
            self._last = Progress(step=step, num_steps=self._num_steps, message=message)
        self._on_progress(self._last)


def _first_frame(request: VideoRequest) -> bytes:
    """The first frame as a PNG of pixels alone: no profile, no text, no place where it was taken.

    Raises CapabilityError if there is none, InvalidImageError if it cannot be read or has another size.
    """
    if request.first_frame is None:
        raise CapabilityError(f"{request.model_id}: it needs a first frame")
    image = read_image(request.first_frame)
    if image.size != (request.width, request.height):
        raise InvalidImageError(
            f"{request.first_frame} is {image.width}x{image.height}, "
            f"the clip {request.width}x{request.height}",
            hint="the first frame must have the clip's size",
        )
    written = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(written, format="PNG")
    return written.getvalue()
