"""A video model or a keyframe painter in a process of its own, behind the same interface.

The process is started by the first use, holds the networks from shot to shot, and takes its memory with it
when it ends. Requests, reports and errors cross the border, and paths; tensors never do, and torch is not
imported on this side.

A process that can work no more (its GPU failed, it died, it hung) is replaced, and what it was doing is
tried once more in the new one. If the system killed it for lack of host memory, the new one is told so, and
keeps less there.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from localvid import memory
from localvid.config import Settings
from localvid.errors import DeviceFailedError, LocalvidError, ModelProcessError, WorkLostError
from localvid.host import ChildHost, LaterWork
from localvid.pipelines.base import KeyframePainter, Unfinished, VideoModel
from localvid.schemas import (
    KeyframeRequest,
    ModelInfo,
    OnProgress,
    PeakMemory,
    Progress,
    VideoGenerationResult,
    VideoRequest,
    ignore_progress,
)

_logger = logging.getLogger(__name__)

Result = TypeVar("Result")

CHILD = "localvid.pipelines.hosted_child:HostedModel"
_SILENCE_SECONDS = 120.0
"""A process that is swapping, or importing on a slow disk, may give no sign of life for a while."""
_CHECK_SECONDS = 300.0
_STOP_SECONDS = 10.0
"""Most that a stop waits for the end of a step, so that the loaded networks are kept; then the process is
killed."""
_KEPT_HERE = {
    "hf_token",
    *("openai_base_url", "openai_api_key", "anthropic_base_url", "anthropic_api_key"),
    *("replicate_base_url", "replicate_api_token"),
}
"""Settings of downloads, of storyboard writers and of hosts; none of these is spoken to there."""
_ENVIRONMENT = {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
"""Less fragmentation: slices of changing size leave gaps that whole segments cannot use."""
_CRASH_HINT = "`localvid doctor` checks the driver and what is installed; LOCALVID_DEVICE=cpu needs no GPU"


class ModelProcess:
    """The process of one adapter: started when needed, replaced when it can work no more."""

    def __init__(self, info: ModelInfo, settings: Settings, *, target: str = CHILD) -> None:
        self._host = ChildHost(
            target,
            {
                "info": info.model_dump(mode="json"),
                "settings": settings.model_dump(mode="json", exclude=_KEPT_HERE),
            },
            name=f"the process of {info.manifest.id}",
            silence_seconds=_SILENCE_SECONDS,
            stall_seconds=settings.model_stall_seconds,
            stop_seconds=_STOP_SECONDS,
            crash_hint=_CRASH_HINT,
            environment=_ENVIRONMENT,
        )
        self._title = info.manifest.title

    @property
    def pid(self) -> int | None:
        """Process id; None where there is none."""
        return self._host.pid

    def load(self, on_progress: OnProgress) -> None:
        """Start the process and load the networks there; idempotent.

        Raises what the adapter's `load` raises, and ModelProcessError.
        """
        self._twice(lambda: self._call("load", {}, on_progress), on_progress)

    def write(
        self, method: str, request: VideoRequest | KeyframeRequest, output: Path, on_progress: OnProgress
    ) -> LaterWork | None:
        """Have the adapter write `output`; a second time, in a new process, if the first one broke.

        What is returned is waited for before anybody looks at `output`. Raises what the adapter raises, and
        ModelProcessError if the second process breaks too.
        """
        arguments = {"request": request.model_dump(mode="json"), "output": str(output)}

        def work() -> LaterWork | None:
            output.unlink(missing_ok=True)  # what a process that broke may have left
            later: LaterWork | None = self._call(method, arguments, on_progress)
            return later

        return self._twice(work, on_progress)

    def check_fits(self, request: VideoRequest, on_progress: OnProgress) -> None:
        """Have the adapter check the request. Raises CapabilityError, ModelProcessError."""
        arguments = {"request": request.model_dump(mode="json")}
        self._host.call("check_fits", arguments, on_progress=on_progress, timeout_seconds=_CHECK_SECONDS)

    def peak_memory(self) -> PeakMemory:
        """The most that the process held at a time since this was last asked; raises nothing.

        Of one that is gone nothing can be told, and none is started for it.
        """
        pid = self._host.pid
        if pid is None:
            return PeakMemory()
        host_bytes = memory.take_peak_bytes(pid)
        try:
            gpu_bytes = self._host.call("take_peak_gpu_bytes", {}, timeout_seconds=_SILENCE_SECONDS)
        except LocalvidError as error:  # what it was used for is done: a number less costs no film
            _logger.info("its memory on the GPU is not known: %s", error)
            gpu_bytes = None
        return PeakMemory(host_bytes=host_bytes, gpu_bytes=gpu_bytes)

    def close(self) -> None:
        """End the process, which returns its memory; idempotent."""
        self._host.close()

    def _call(self, method: str, arguments: dict[str, Any], on_progress: OnProgress) -> Any:
        if self._host.pid is None:
            on_progress(Progress(step=0, num_steps=0, message=f"loading {self._title}"))
        return self._host.call(method, arguments, on_progress=on_progress, timeout_seconds=math.inf)

    def _twice(self, work: Callable[[], Result], on_progress: OnProgress) -> Result:
        kills = memory.oom_kills()
        try:
            return work()
        except (DeviceFailedError, ModelProcessError) as error:
            if not self._is_broken(error):
                raise
            failure = error.message
        self._host.close()
        starved = kills is not None and kills < (memory.oom_kills() or 0)
        if starved:
            failure += ", for the host's memory ran out"
        notice = f"{failure}; trying once more in a new process"
        on_progress(Progress(step=0, num_steps=0, message=f"loading {self._title} again", notice=notice))
        try:
            if starved:
                self._call("spare_host_memory", {}, on_progress)
            return work()
        except DeviceFailedError:
            self._host.close()  # so that the next shot finds no poisoned process
            raise

    def _is_broken(self, error: LocalvidError) -> bool:
        """Whether the process is gone or can work no more; an error that it only reported leaves it well."""
        return isinstance(error, DeviceFailedError) or self._host.pid is None


class HostedVideoModel(VideoModel):
    """Any video model's adapter, in a process of its own."""

    def __init__(self, info: ModelInfo, settings: Settings, *, target: str = CHILD) -> None:
        super().__init__(info, settings)
        self.process = ModelProcess(info, settings, target=target)

    def load(self, on_progress: OnProgress = ignore_progress) -> None:
        self.process.load(on_progress)

    def generate(
        self, request: VideoRequest, on_progress: OnProgress = ignore_progress
    ) -> VideoGenerationResult:
        try:
            return super().generate(request, on_progress)
        except WorkLostError as error:
            notice = f"{error.message}; trying once more in a new process"
            on_progress(Progress(step=0, num_steps=0, notice=notice))
            result = super().generate(request, on_progress)
            return result.model_copy(update={"notices": (notice, *result.notices)})

    def peak_memory(self) -> PeakMemory:
        return self.process.peak_memory()

    def close(self) -> None:
        self.process.close()

    def check_fits(self, request: VideoRequest, on_progress: OnProgress = ignore_progress) -> None:
        self.process.check_fits(request, on_progress)

    def _write_clip(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> Unfinished | None:
        return self.process.write("write_clip", request, output, on_progress)

    def _write_latents(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        self.process.write("write_latents", request, output, on_progress)


class HostedPainter(KeyframePainter):
    """Any keyframe painter's adapter, in a process of its own."""

    def __init__(self, info: ModelInfo, settings: Settings, *, target: str = CHILD) -> None:
        super().__init__(info, settings)
        self.process = ModelProcess(info, settings, target=target)

    def load(self, on_progress: OnProgress = ignore_progress) -> None:
        self.process.load(on_progress)

    def peak_memory(self) -> PeakMemory:
        return self.process.peak_memory()

    def close(self) -> None:
        self.process.close()

    def _write_keyframe(self, request: KeyframeRequest, output: Path, on_progress: OnProgress) -> None:
        self.process.write("write_keyframe", request, output, on_progress)
