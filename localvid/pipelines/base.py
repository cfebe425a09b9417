"""The interfaces behind which everything that makes pictures stands.

`VideoModel` makes clips, `KeyframePainter` makes stills. An adapter's one duty is to write the artifact;
the base classes check the request, give the result its final name only when it is whole, and describe it
by reading the file back.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from localvid.config import Settings
from localvid.errors import CapabilityError, GenerationFailedError
from localvid.files import writing
from localvid.planning import check_request
from localvid.schemas import (
    IN_THIS_PROCESS,
    IntRange,
    KeyframeRequest,
    ModelCapabilities,
    ModelInfo,
    OnProgress,
    PeakMemory,
    Progress,
    VideoGenerationResult,
    VideoInfo,
    VideoRequest,
    ignore_progress,
)


class _Model:
    """Something that is opened, used and closed; weights are held between the two."""

    def __init__(self, info: ModelInfo, settings: Settings) -> None:
        self.info = info
        self.settings = settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(self, on_progress: OnProgress = ignore_progress) -> None:
        """Load the weights, reporting "loading …" as often as is known; idempotent.

        `generate`, `sample` and `paint` load by themselves; this exists so that a stage can show it.
        """

    def spare_host_memory(self) -> None:
        """Keep less in host memory from now on, if it can: an earlier process was killed for lack of it."""

    def peak_memory(self) -> PeakMemory:
        """The most memory that its process held at a time since this was last asked; raises nothing.

        A model in this very process holds what the process does, and says IN_THIS_PROCESS.
        """
        return IN_THIS_PROCESS

    def close(self) -> None:
        """Free everything that `load` took, device memory included; idempotent."""


class Unfinished(Protocol):
    """A clip of which all frames are made and that is still being written, beside whatever is made next."""

    def is_done(self) -> bool:
        """Whether it is written, or failed; cheap, and maybe late."""
        ...

    def wait(self, on_progress: OnProgress) -> None:
        """Return when it is written. Raises what the writing raised, WorkLostError if its process ended
        before, and whatever `on_progress` raises."""
        ...

    def give_up(self) -> None:
        """Return when nothing is written any more; raises nothing."""
        ...


class BegunClip:
    """A clip of which all frames are made: the model may be given its next request.

    `result` or `close` ends it. From another thread `result` may be called after `wait`, or once `is_written`
    says so.
    """

    def __init__(
        self,
        unfinished: Unfinished | None,
        names: ExitStack,
        *,
        last_report: Progress,
        describe: Callable[[], VideoGenerationResult],
    ) -> None:
        self._unfinished = unfinished
        self._names = names
        self._last_report = last_report
        self._describe = describe

    def is_written(self) -> bool:
        """Whether nothing is left to wait for; cheap, and maybe late."""
        return self._unfinished is None or self._unfinished.is_done()

    def wait(self, on_progress: OnProgress = ignore_progress) -> None:
        """Return when all its frames are written; `on_progress` is told the last report again meanwhile.

        Raises as `result` does, and whatever `on_progress` raises.
        """
        if self._unfinished is not None:
            self._unfinished.wait(lambda _report: on_progress(self._last_report))

    def result(self) -> VideoGenerationResult:
        """Wait for it, look at what was written, and give it its name. Raises as `generate` does, and
        WorkLostError."""
        with self._names.pop_all():
            self.wait()
            return self._describe()

    def close(self) -> None:
        """Give it up: nothing of it is left. Idempotent, and nothing after `result`."""
        with suppress(_NamelessError), self._names.pop_all():
            if self._unfinished is not None:
                self._unfinished.give_up()
            raise _NamelessError


class _NamelessError(Exception):
    """Ends the blocks in which files get their names, without one."""


class VideoModel(_Model, ABC):
    """A model that turns a `VideoRequest` into an mp4 clip.

    Guarantees of every implementation, held by the contract suite:

    - A request outside the capabilities raises CapabilityError before any work and before any loading.
    - The file under `request.output` is complete whenever it exists, whatever happens meanwhile.
    - The clip has exactly the frames, size and fps that were asked for, H.264 in yuv420p, BT.709.
    - A request with `hand_over` gives the picture for the next shot too, from frames that were not yet
      encoded; the clip ends with the frame before it, and the PNG is there whenever the clip is.
    - The same request gives the same frames on the same machine, where `takes_seed`.
    - `on_progress` is called at every step with rising `step`, and may be told the last step again, and what
      is being done, while nothing new comes; whatever it raises stops the work, passes through unchanged, and
      leaves the model usable. Where a broken process is replaced, the steps begin anew after a `notice` that
      says so.
    """

    @property
    def capabilities(self) -> ModelCapabilities:
        capabilities = self.info.manifest.capabilities
        assert capabilities is not None  # the manifest's validator holds this for video models
        return capabilities

    def generate(
        self, request: VideoRequest, on_progress: OnProgress = ignore_progress
    ) -> VideoGenerationResult:
        """Make the clip and describe it by reading the file back.

        Raises CapabilityError, InvalidRequestError if `output` exists already, GenerationFailedError if
        what was written is not the clip that was asked for, and whatever `on_progress` raises.
        """
        begun = self.begin(request, on_progress)
        try:
            begun.wait(on_progress)
            return begun.result()
        finally:
            begun.close()

    def begin(self, request: VideoRequest, on_progress: OnProgress = ignore_progress) -> BegunClip:
        """As `generate`, but return when all frames are made: they may be written beside the next request.

        A caller ends it with `BegunClip.result`. What is begun is lost when the model is closed before that.
        """
        check_request(request, self.capabilities)
        started = time.monotonic()
        notices: list[str] = []
        last = Progress(step=0, num_steps=0)

        def listen(progress: Progress) -> None:
            nonlocal last
            last = progress.model_copy(update={"notice": ""})
            if progress.notice and progress.notice not in notices:
                notices.append(progress.notice)
            on_progress(progress)

        with ExitStack() as names:
            partial = names.enter_context(writing(request.output))
            handing_over = names.enter_context(_handing_over(request))
            unfinished = self._write_clip(handing_over, partial, listen)
            kept = names.pop_all()

        def describe() -> VideoGenerationResult:
            from localvid.media import probe

            video = probe(partial)
            _check_clip(video, request)
            return VideoGenerationResult(
                model_id=request.model_id,
                seed=request.seed,
                video=video.model_copy(update={"path": request.output}),
                seconds=time.monotonic() - started,
                notices=tuple(notices),
            )

        return BegunClip(unfinished, kept, last_report=last, describe=describe)

    def sample(self, request: VideoRequest, output: Path, on_progress: OnProgress = ignore_progress) -> None:
        """Write the request's latents to `output` (safetensors), for `generate` to decode later.

        Only for models whose capabilities say `stores_latents`; others raise CapabilityError.
        """
        if not self.capabilities.stores_latents:
            raise CapabilityError(f"{self.info.manifest.id} keeps no latents")
        check_request(request, self.capabilities)
        with writing(output) as partial:
            self._write_latents(request, partial, on_progress)

    def check_fits(self, request: VideoRequest, on_progress: OnProgress = ignore_progress) -> None:
        """Raise CapabilityError, with what would fit, if this machine's memory cannot hold the request.

        It may take seconds, and loads no weights.
        """

    def announce(self, request: VideoRequest) -> None:
        """Say what `generate` will be asked for next, so that work may begin beside the present clip's.

        A hint: it changes no frame, and nothing need follow it.
        """

    @abstractmethod
    def _write_clip(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> Unfinished | None:
        """Write the clip to `output`, a temporary name that ends in .mp4; the request is valid.

        What is returned is waited for before anybody looks at `output`, or at the picture that the request
        hands over.
        """

    def _write_latents(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        raise NotImplementedError(f"{type(self).__name__} says stores_latents and does not write them")


@contextmanager
def _handing_over(request: VideoRequest) -> Iterator[VideoRequest]:
    """The request with a temporary name for the picture that it hands over, which gets its own in the end."""
    if request.hand_over is None:
        yield request
        return
    with writing(request.hand_over.output) as partial:
        hand_over = request.hand_over.model_copy(update={"output": partial})
        yield request.model_copy(update={"hand_over": hand_over})


def _check_clip(video: VideoInfo, request: VideoRequest) -> None:
    """Raise GenerationFailedError for a clip that is not the one that was asked for."""
    frames = IntRange(minimum=request.least_frames, maximum=request.most_frames)
    if (video.width, video.height) != (request.width, request.height) or video.num_frames not in frames:
        asked = f"{frames.maximum}" if frames.minimum == frames.maximum else f"{frames}"
        raise GenerationFailedError(
            f"{request.model_id} wrote {video.num_frames} frames of {video.width}x{video.height} "
            f"in place of {asked} of {request.width}x{request.height}",
            hint="try again; if it happens again, report it with `localvid doctor`",
        )


class KeyframePainter(_Model, ABC):
    """A model that turns a `KeyframeRequest` into a PNG of exactly the size that was asked for."""

    def paint(self, request: KeyframeRequest, on_progress: OnProgress = ignore_progress) -> None:
        """Write the keyframe; a reference image is fitted to the frame (cropped, never stretched).

        Raises InvalidImageError for a reference image that cannot be read, GenerationFailedError where
        the painter makes nothing, and whatever `on_progress` raises.
        """
        from localvid.media.images import fit_image

        with writing(request.output) as partial:
            if request.reference_image is not None:
                fit_image(request.reference_image, partial, width=request.width, height=request.height)
                on_progress(Progress(step=1, num_steps=1, message="fitting the reference image"))
            else:
                self._write_keyframe(request, partial, on_progress)

    @abstractmethod
    def _write_keyframe(self, request: KeyframeRequest, output: Path, on_progress: OnProgress) -> None:
        """Write the keyframe from words to `output`, a temporary name that ends in .png."""
