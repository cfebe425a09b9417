"""Stable Video Diffusion behind localvid's `VideoModel`: requests in, clips and latents out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from localvid.errors import CapabilityError, InvalidImageError
from localvid.media.encode import ClipWriter
from localvid.pipelines.base import VideoModel
from localvid.pipelines.diffusion import free_memory, guarded, use_threads
from localvid.pipelines.svd.latents import read_latents, write_latents
from localvid.schemas import OnProgress, Progress, SamplingSettings, VideoRequest, ignore_progress

if TYPE_CHECKING:
    import torch

    from localvid.pipelines.svd.engine import StockEngine

_OUT_OF_MEMORY_HINT = (
    "decode fewer frames together (decode_chunk_size = 1 takes least), or ask for a smaller clip "
    "(--width, --height, --num-frames)"
)


class StableVideoDiffusion(VideoModel):
    """`local:svd` and `local:svd-xt`, told apart by their manifests.

    It animates `first_frame`. The networks read no words: whoever planned the request has put the shot's
    camera and energy into `sampling`.
    """

    _engine: StockEngine | None = None

    def load(self, on_progress: OnProgress = ignore_progress) -> None:
        """Load the networks. Raises NotAvailableError, OutOfMemoryError."""
        self._open_engine(on_progress)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None
            free_memory()

    def _write_latents(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        sampling = self._sampling(request)
        image = _read_first_frame(request)
        report = _counting(on_progress, sampling.num_inference_steps)

        def write(engine: StockEngine) -> None:
            latents = _sample(engine, image, request, sampling, report)
            write_latents(latents, output, request, sampling)

        self._run(write, on_progress)

    def _write_clip(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        sampling = self._sampling(request)
        num_chunks = -(-request.num_frames // sampling.decode_chunk_size)
        if request.latents is not None:
            stored = read_latents(request.latents, request, sampling)
            report = _counting(on_progress, num_chunks)
            self._run(lambda engine: _decode(engine, stored, request, sampling, output, report), on_progress)
            return
        image = _read_first_frame(request)
        report = _counting(on_progress, sampling.num_inference_steps + num_chunks)

        def make(engine: StockEngine) -> None:
            latents = _sample(engine, image, request, sampling, report)
            _decode(engine, latents, request, sampling, output, report)

        self._run(make, on_progress)

    def _sampling(self, request: VideoRequest) -> SamplingSettings:
        sampling = request.sampling or self.capabilities.sampling
        if sampling is None:
            raise CapabilityError(
                f"{request.model_id} has no sampling settings",
                hint="give them in the request, or complete [capabilities.sampling] of the model's manifest",
            )
        return sampling

    def _run(self, work: Callable[[StockEngine], None], on_progress: OnProgress) -> None:
        """Load if need be, work, and leave the GPU whatever happens."""
        engine = self._open_engine(on_progress)
        guarded(lambda: work(engine), rest=engine.rest, out_of_memory_hint=_OUT_OF_MEMORY_HINT)

    def _open_engine(self, on_progress: OnProgress) -> StockEngine:
        if self._engine is None:
            on_progress(Progress(step=0, num_steps=0, message=f"loading {self.info.manifest.title}"))
            self._engine = guarded(self._load_engine, out_of_memory_hint="free some memory first")
        return self._engine

    def _load_engine(self) -> StockEngine:
        # Not before, and within `guarded`: diffusers gives advice while it is imported.
        from localvid.pipelines.svd.engine import StockEngine

        use_threads(self.settings)
        return StockEngine(self.info, self.settings)


def _sample(
    engine: StockEngine,
    image: Image.Image,
    request: VideoRequest,
    sampling: SamplingSettings,
    report: Callable[[str], None],
) -> torch.Tensor:
    return engine.sample(
        image,
        num_frames=request.num_frames,
        seed=request.seed,
        sampling=sampling,
        on_step=lambda: report("sampling"),
    )


def _decode(
    engine: StockEngine,
    latents: torch.Tensor,
    request: VideoRequest,
    sampling: SamplingSettings,
    output: Path,
    report: Callable[[str], None],
) -> None:
    with ClipWriter(output, width=request.width, height=request.height, fps=request.fps) as clip:
        for frames in engine.decode(latents, chunk_size=sampling.decode_chunk_size):
            for frame in frames:
                clip.write(frame)
            report("decoding")


def _counting(on_progress: OnProgress, num_steps: int) -> Callable[[str], None]:
    """A report that counts its own calls, from 1 to `num_steps`."""
    steps = itertools.count(1)
    return lambda message: on_progress(Progress(step=next(steps), num_steps=num_steps, message=message))


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
