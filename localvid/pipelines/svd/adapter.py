"""Stable Video Diffusion behind localvid's `VideoModel`: requests in, clips and latents out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from PIL import Image

from localvid.config import Settings
from localvid.errors import CapabilityError, InvalidImageError
from localvid.media.look import ClipLook
from localvid.media.shots import ShotThread
from localvid.pipelines.base import Unfinished, VideoModel
from localvid.pipelines.diffusion import choose_device, free_memory, guarded, use_threads
from localvid.pipelines.svd.budget.ladder import (
    ClipSize,
    ClipStage,
    Ladder,
    lower_of,
    with_less_host_memory,
)
from localvid.pipelines.svd.latents import read_latents, write_latents
from localvid.pipelines.svd.pixels import judge
from localvid.pipelines.svd.plan import EnginePlan
from localvid.schemas import ModelInfo, OnProgress, Progress, SamplingSettings, VideoRequest, ignore_progress

if TYPE_CHECKING:
    import torch

    from localvid.pipelines.svd.budget.choice import Choice
    from localvid.pipelines.svd.engine import SvdEngine

_SILENT_SECONDS = 0.5


class StableVideoDiffusion(VideoModel):
    """`local:svd` and `local:svd-xt`, told apart by their manifests.

    It animates `first_frame`. The networks read no words: whoever planned the request has put the shot's
    energy into `sampling`, and its camera move into `crop_path`. Where memory runs out it goes on with less
    of the clip at once, and says so by `Progress.notice`.
    """

    _engine: SvdEngine | None = None

    def __init__(self, info: ModelInfo, settings: Settings) -> None:
        super().__init__(info, settings)
        self._choices: dict[_Kind, Choice] = {}
        self._sampling_seconds: dict[_Kind, float] = {}
        self._spares_host = False

    def load(self, on_progress: OnProgress = ignore_progress) -> None:
        """Load the networks. Raises NotAvailableError, OutOfMemoryError."""
        self._open_engine(on_progress)

    def check_fits(self, request: VideoRequest, on_progress: OnProgress = ignore_progress) -> None:
        on_progress(Progress(step=0, num_steps=0, message="planning"))
        self._choose(_Kind.of(request, self._sampling(request)), choose_device(self.settings))

    def spare_host_memory(self) -> None:
        self._spares_host = True

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None
            free_memory()

    def _write_latents(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        sampling = self._sampling(request)
        image = _read_first_frame(request)
        engine = self._open_engine(on_progress)
        report = _Report(on_progress, num_steps=sampling.num_inference_steps)
        clip = self._begin(engine, request, sampling, report)
        write_latents(clip.sample(image), output, request, sampling)
        self._sampling_seconds[_Kind.of(request, sampling)] = clip.seconds

    def _write_clip(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> Unfinished:
        sampling = self._sampling(request)
        if request.latents is not None:
            stored = read_latents(request.latents, request, sampling)
            engine = self._open_engine(on_progress)
            report = _Report(on_progress, num_steps=request.num_frames)
            clip = self._begin(engine, request, sampling, report)
            shot = clip.decode(stored, output)
            sampled = self._sampling_seconds.pop(_Kind.of(request, sampling), None)
            if sampled is not None:
                clip.record_seconds(before=sampled)
        else:
            image = _read_first_frame(request)
            engine = self._open_engine(on_progress)
            report = _Report(on_progress, num_steps=sampling.num_inference_steps + request.num_frames)
            clip = self._begin(engine, request, sampling, report)
            shot = clip.decode(clip.sample(image), output)
            clip.record_seconds()
        if self._spares_host:
            self._choices[_Kind.of(request, sampling)].remember_less_host()
        return shot

    def _sampling(self, request: VideoRequest) -> SamplingSettings:
        sampling = request.sampling or self.capabilities.sampling
        if sampling is None:
            raise CapabilityError(
                f"{request.model_id} has no sampling settings",
                hint="give them in the request, or complete [capabilities.sampling] of the model's manifest",
            )
        return sampling

    def _open_engine(self, on_progress: OnProgress) -> SvdEngine:
        if self._engine is None:
            on_progress(Progress(step=0, num_steps=0, message=f"loading {self.info.manifest.title}"))
            self._engine = guarded(self._load_engine, out_of_memory_hint="free some memory first")
        return self._engine

    def _load_engine(self) -> SvdEngine:
        # Not before, and within `guarded`: diffusers gives advice while it is imported.
        from localvid.pipelines.svd.engine import SvdEngine

        use_threads(self.settings)
        return SvdEngine(self.info, self.settings)

    def _begin(
        self, engine: SvdEngine, request: VideoRequest, sampling: SamplingSettings, report: _Report
    ) -> _Clip:
        """The clip under the plan for its size: chosen once, and remembered from one clip to the next."""
        kind = _Kind.of(request, sampling)
        choice = self._choose(kind, engine.device)
        for note in choice.notes:
            report.notice(note)
        if self._spares_host:
            less = with_less_host_memory(choice.plan, on_host=engine.device.type == "cpu")
            if less is not None:
                plan, change = less
                report.notice(f"host memory ran out before; going on with {change}")
                choice = self._choices[kind] = choice._replace(plan=plan)

        def fell(lower: EnginePlan) -> None:
            """The next clip of this kind begins where this one got through."""
            choice.remember(lower)
            self._choices[kind] = choice._replace(plan=lower_of(choice.plan, lower))

        return _Clip(engine, request, sampling, report, choice, on_fall=fell)

    def _choose(self, kind: _Kind, device: torch.device) -> Choice:
        # Not before: it imports diffusers.
        from localvid.pipelines.svd.budget.choice import choose

        if kind not in self._choices:
            self._choices[kind] = guarded(
                lambda: choose(
                    self.info,
                    self.settings,
                    device,
                    kind.size,
                    num_inference_steps=kind.num_inference_steps,
                    guided=kind.guided,
                    chunk_frames=kind.chunk_frames,
                ),
                out_of_memory_hint="free some memory first",
            )
        return self._choices[kind]


class _Kind(NamedTuple):
    """What clips have in common that are made by the same plan."""

    size: ClipSize
    num_inference_steps: int
    guided: bool
    chunk_frames: int | None

    @classmethod
    def of(cls, request: VideoRequest, sampling: SamplingSettings) -> Self:
        return cls(
            size=ClipSize(width=request.width, height=request.height, num_frames=request.num_frames),
            num_inference_steps=sampling.num_inference_steps,
            guided=sampling.max_guidance_scale > 1,
            chunk_frames=sampling.decode_chunk_size,
        )


class _Clip:
    """One clip on its way through the engine."""

    def __init__(
        self,
        engine: SvdEngine,
        request: VideoRequest,
        sampling: SamplingSettings,
        report: _Report,
        choice: Choice,
        *,
        on_fall: Callable[[EnginePlan], None],
    ) -> None:
        self._engine = engine
        self._request = request
        self._sampling = sampling
        self._report = report
        self._choice = choice
        self._ladder = Ladder(
            choice.plan,
            choice.size,
            on_rung=lambda rung: report.notice(rung.notice),
            on_success=on_fall,
            on_host=engine.device.type == "cpu",
        )
        self._started = time.monotonic()

    def sample(self, image: Image.Image) -> torch.Tensor:
        self._report.say("sampling")
        latents = self._engine.sample(
            image,
            num_frames=self._request.num_frames,
            seed=self._request.seed,
            sampling=self._sampling,
            ladder=self._ladder,
            on_step=self._report.step,
        )
        self._report.count_on()
        return latents

    def decode(self, latents: torch.Tensor, output: Path) -> ShotThread:
        """Make the frames, which are written meanwhile; where memory runs out, from the first one again one
        rung lower. Raises GenerationFailedError if they show nothing."""
        self._report.say("decoding")

        def write(plan: EnginePlan) -> ShotThread:
            return self._engine.attempt(lambda: self._write(latents, output, plan))

        self._engine.load(self._ladder)
        return self._ladder.run(ClipStage.DECODE, write)

    @property
    def seconds(self) -> float:
        """Since it was begun."""
        return time.monotonic() - self._started

    def record_seconds(self, *, before: float = 0.0) -> None:
        """Tell how long the whole clip took, `before` included, for later estimates."""
        self._choice.record(self._ladder.plan, before + self.seconds)

    def _write(self, latents: torch.Tensor, output: Path, plan: EnginePlan) -> ShotThread:
        look, request, report = ClipLook(), self._request, self._report
        with ShotThread(output, request, crop_path=request.crop_path) as shot:
            frames = self._engine.decode(latents, plan, on_slice=report.still_here)
            for number, frame in enumerate(frames, start=1):
                look.see(frame)
                shot.write(frame)
                report.step(number)
            judge(look.finding(), report.notice)
        return shot


class _Report:
    """Reports of one clip: steps only ever rise, though a stage may begin again."""

    def __init__(self, on_progress: OnProgress, *, num_steps: int) -> None:
        self._on_progress = on_progress
        self._last = Progress(step=0, num_steps=num_steps)
        self._before = 0
        self._spoke = time.monotonic()

    def say(self, message: str) -> None:
        """What the next reports are about."""
        self._last = self._last.model_copy(update={"message": message})

    def count_on(self) -> None:
        """The numbers that follow begin again from 1."""
        self._before = self._last.step

    def step(self, number: int) -> None:
        """The number of a step that is done, from 1."""
        if self._before + number > self._last.step:
            self._last = self._last.model_copy(update={"step": self._before + number})
            self._send(self._last)

    def still_here(self) -> None:
        """Between two steps, so that the work can be stopped there."""
        if time.monotonic() - self._spoke > _SILENT_SECONDS:
            self._send(self._last)

    def notice(self, text: str) -> None:
        self._send(self._last.model_copy(update={"notice": text}))

    def _send(self, progress: Progress) -> None:
        self._on_progress(progress)
        self._spoke = time.monotonic()


def _read_first_frame(request: VideoRequest) -> Image.Image:
    """The first frame in RGB; it must have the clip's size, for the networks are given nothing fitted here.

    Raises CapabilityError if there is none, InvalidImageError.
    """
    path = request.first_frame
    if path is None:
        raise CapabilityError(f"{request.model_id}: it needs a first frame to sample from")
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.size != (request.width, request.height):
                raise InvalidImageError(
                    f"{path} is {image.width}x{image.height}, the clip {request.width}x{request.height}",
                    hint="the first frame must have the clip's size",
                )
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidImageError(
            f"{path} cannot be read as an image: {error}", hint="use a whole PNG, JPEG or WebP file"
        ) from error
