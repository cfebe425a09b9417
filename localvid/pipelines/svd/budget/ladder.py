"""The way down when memory runs out: the next plan to try, and the loop that tries it.

Every rung but the last ones leaves the picture as it is: smaller slices, feature maps in host memory, one
network at a time on the device, streamed weights, feature maps in a file. Only then frames are decoded in
chunks, which shows as a seam where two of them meet, and is said. A clip never gets fewer frames or pixels,
nor weights in eight bits: those are lossy, and for the user alone to ask for.

No torch here: whoever calls turns the device's errors into OutOfMemoryError, with nothing of the failed
attempt held any more, as `diffusion.guarded` does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from pydantic import Field

from localvid.errors import OutOfMemoryError
from localvid.pipelines.svd.plan import (
    WHOLE,
    DecoderSlices,
    EnginePlan,
    Guidance,
    Maps,
    UNetSlices,
    Weights,
)
from localvid.schemas import Frozen

Result = TypeVar("Result")
Slices = TypeVar("Slices", UNetSlices, DecoderSlices)
_logger = logging.getLogger(__name__)

_SHRINK = 4
"""A rung divides the slices by this: each try may cost a whole step, so few rungs must reach the bottom."""
_LEAST_UNET_PIXELS = 1024
_LEAST_DECODER_PIXELS = 9216
"""Of a slice over time. Less gains next to nothing: at 1024x576 and 25 frames in half precision a step is
predicted to need 1.17 GiB with streamed weights at 1,024 pixels and 1.14 at 256 or 64, and the decoding 4.33
GiB with 9,216, 2,304 or 1,024. Single frames in spatial layers are then what takes most."""
_LATENT_SCALE = 8


class ClipStage(StrEnum):
    """What a clip goes through; each is tried again alone, on what the ones before it made."""

    LOAD = "load"
    CLIP = "clip"
    ENCODE = "encode"
    SAMPLE = "sample"
    DECODE = "decode"


class ClipSize(Frozen):
    """What slices are parts of."""

    width: int = Field(ge=1)
    height: int = Field(ge=1)
    num_frames: int = Field(ge=1)


class Rung(Frozen):
    """One step down: what ran out of memory, what changes, and the plan with that change."""

    stage: ClipStage
    change: str
    """In one clause: "feature maps in host memory"."""
    plan: EnginePlan

    @property
    def notice(self) -> str:
        """What the user is told."""
        return f"memory ran out in the {_TITLES[self.stage]}; going on with {self.change}"


_TITLES = {
    ClipStage.LOAD: "loading",
    ClipStage.CLIP: "reading of the first frame by CLIP",
    ClipStage.ENCODE: "encoding of the first frame",
    ClipStage.SAMPLE: "sampling",
    ClipStage.DECODE: "decoding",
}

_Step = Callable[[EnginePlan, ClipSize], tuple[EnginePlan, str] | None]


def next_rung(plan: EnginePlan, stage: ClipStage, size: ClipSize, *, on_host: bool = False) -> Rung | None:
    """The mildest change to `plan` that makes `stage` need less memory; None at the bottom.

    `on_host`: the device is the processor itself, so that moving to host memory saves nothing.
    """
    for step in _STEPS[stage]:
        if on_host and step in _TO_HOST:
            continue
        lower = step(plan, size)
        if lower is not None:
            changed, change = lower
            return Rung(stage=stage, change=change, plan=changed)
    return None


def with_less_host_memory(plan: EnginePlan, *, on_host: bool = False) -> tuple[EnginePlan, str] | None:
    """The plan with what it keeps in host memory on disk, and the change in one clause; None where there is
    nothing to put there. `on_host`: the device is the processor itself, and its memory the host's.

    What is in pinned memory the system cannot swap out, so it is killed for: a process so killed cannot
    descend by itself, and the one in its place begins here.
    """
    kept_there = plan.decoder.maps is Maps.HOST or (on_host and plan.decoder.maps is Maps.DEVICE)
    return _maps_to(Maps.DISK, plan) if kept_there else None


def lower_of(one: EnginePlan, other: EnginePlan) -> EnginePlan:
    """`one`, with everything that `other` keeps smaller or further from the device.

    What is no matter of memory (`attention`, `fp8`) is taken from `one`.
    """
    chunks = [plan.decoder.chunk_frames for plan in (one, other) if plan.decoder.chunk_frames is not None]
    return one.model_copy(
        update={
            "weights": max(one.weights, other.weights, key=list(Weights).index),
            "unet": UNetSlices(
                frames=min(one.unet.frames, other.unet.frames),
                pixels=min(one.unet.pixels, other.unet.pixels),
                guidance=max(one.unet.guidance, other.unet.guidance, key=list(Guidance).index),
            ),
            "decoder": DecoderSlices(
                frames=min(one.decoder.frames, other.decoder.frames),
                pixels=min(one.decoder.pixels, other.decoder.pixels),
                maps=max(one.decoder.maps, other.decoder.maps, key=list(Maps).index),
                chunk_frames=min(chunks, default=None),
            ),
            "compile": one.compile and other.compile,
        }
    )


class Ladder:
    """The plan in force for one clip, and its way down.

    `on_rung` is told of every rung before it is tried, `on_success` of the plan once a stage that ran out
    of memory has gone through: that is the one to remember. What either raises stops the work.
    """

    def __init__(
        self,
        plan: EnginePlan,
        size: ClipSize,
        *,
        on_rung: Callable[[Rung], None],
        on_success: Callable[[EnginePlan], None] = lambda _plan: None,
        on_host: bool = False,
    ) -> None:
        self.plan = plan
        self._on_host = on_host
        self._size = size
        self._on_rung = on_rung
        self._on_success = on_success

    def run(self, stage: ClipStage, work: Callable[[EnginePlan], Result]) -> Result:
        """Do `work` under the plan in force, one rung lower each time that it raises OutOfMemoryError.

        `work` must be able to start again: a stage from its inputs, sampling from the step that failed.
        The rung stays in force for what follows. Raises OutOfMemoryError at the bottom, and whatever else
        `work` raises, at once.
        """
        fell = False
        while True:
            try:
                result = work(self.plan)
            except OutOfMemoryError as error:
                # Not the exception itself: the frames of its traceback hold what the attempt held.
                failure = error.message
            else:
                break
            self._fall(stage, failure)
            fell = True
        if fell:
            self._on_success(self.plan)
        return result

    def _fall(self, stage: ClipStage, failure: str) -> None:
        rung = next_rung(self.plan, stage, self._size, on_host=self._on_host)
        if rung is None:
            raise OutOfMemoryError(
                f"{failure}; the {_TITLES[stage]} has nothing left to save",
                hint="free some memory, or ask for a smaller clip (--width, --height, --num-frames); "
                "`localvid plan` predicts what fits",
            )
        _logger.warning("%s (%s)", rung.notice, failure)
        self.plan = rung.plan
        self._on_rung(rung)


# --- the steps ---------------------------------------------------------------------------------------


def _guidance_in_passes(plan: EnginePlan, _size: ClipSize) -> tuple[EnginePlan, str] | None:
    if plan.unet.guidance is Guidance.PASSES:
        return None
    unet = plan.unet.model_copy(update={"guidance": Guidance.PASSES})
    return plan.model_copy(update={"unet": unet}), "guidance in two passes"


def _smaller_unet_slices(plan: EnginePlan, size: ClipSize) -> tuple[EnginePlan, str] | None:
    pixels = -(-size.width // _LATENT_SCALE) * -(-size.height // _LATENT_SCALE)
    smaller = _shrunk(plan.unet, size.num_frames, pixels, _LEAST_UNET_PIXELS)
    return (plan.model_copy(update={"unet": smaller}), _slices_text(smaller)) if smaller else None


def _smaller_decoder_slices(plan: EnginePlan, size: ClipSize) -> tuple[EnginePlan, str] | None:
    num_frames = min(plan.decoder.chunk_frames or WHOLE, size.num_frames)
    smaller = _shrunk(plan.decoder, num_frames, size.width * size.height, _LEAST_DECODER_PIXELS)
    return (plan.model_copy(update={"decoder": smaller}), _slices_text(smaller)) if smaller else None


def _shrunk(slices: Slices, most_frames: int, most_pixels: int, least_pixels: int) -> Slices | None:
    """Smaller slices of a clip that has `most_frames` and `most_pixels`; None where both are at their least.

    A slice that holds all there is counts as large as that, whatever its number says.
    """
    frames, pixels = min(slices.frames, most_frames), min(slices.pixels, most_pixels)
    least_pixels = min(pixels, least_pixels)
    if frames == 1 and pixels == least_pixels:
        return None
    return slices.model_copy(
        update={"frames": max(1, frames // _SHRINK), "pixels": max(least_pixels, pixels // _SHRINK)}
    )


def _slices_text(slices: UNetSlices | DecoderSlices) -> str:
    return f"slices of {_count(slices.frames)} and {slices.pixels:,} pixels"


def _count(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


def _maps_to_host(plan: EnginePlan, _size: ClipSize) -> tuple[EnginePlan, str] | None:
    return _maps_to(Maps.HOST, plan) if plan.decoder.maps is Maps.DEVICE else None


def _maps_to_disk(plan: EnginePlan, _size: ClipSize) -> tuple[EnginePlan, str] | None:
    return _maps_to(Maps.DISK, plan) if plan.decoder.maps is not Maps.DISK else None


def _maps_to(place: Maps, plan: EnginePlan) -> tuple[EnginePlan, str]:
    decoder = plan.decoder.model_copy(update={"maps": place})
    where = {Maps.DEVICE: "on the device", Maps.HOST: "in host memory", Maps.DISK: "in a temporary file"}
    return plan.model_copy(update={"decoder": decoder}), f"feature maps {where[place]}"


def _without_compile(plan: EnginePlan, _size: ClipSize) -> tuple[EnginePlan, str] | None:
    return (plan.model_copy(update={"compile": False}), "nothing compiled") if plan.compile else None


def _model_at_a_time(plan: EnginePlan, _size: ClipSize) -> tuple[EnginePlan, str] | None:
    if plan.weights is not Weights.RESIDENT:
        return None
    return plan.model_copy(update={"weights": Weights.MODEL}), "one network at a time on the device"


def _streamed_weights(plan: EnginePlan, _size: ClipSize) -> tuple[EnginePlan, str] | None:
    if plan.weights is Weights.STREAM or (plan.fp8 and plan.weights is Weights.MODEL):
        return None  # in eight bits the UNet comes unit by unit as soon as it is not resident
    return plan.model_copy(update={"weights": Weights.STREAM}), "streamed weights"


def _fewer_frames_a_chunk(plan: EnginePlan, size: ClipSize) -> tuple[EnginePlan, str] | None:
    together = min(plan.decoder.chunk_frames or WHOLE, size.num_frames)
    if together == 1:
        return None
    frames = -(-together // 2)
    decoder = plan.decoder.model_copy(
        update={"chunk_frames": frames, "frames": min(plan.decoder.frames, frames)}
    )
    change = f"{_count(frames)} decoded together: a seam may show where two such chunks meet"
    return plan.model_copy(update={"decoder": decoder}), change


# Only the UNet's weights are streamed. In the stages before it that frees nothing, yet they are tried again
# with an emptied cache, and what comes after takes less.
_WEIGHTS: tuple[_Step, ...] = (_model_at_a_time, _streamed_weights)

_TO_HOST: tuple[_Step, ...] = (_maps_to_host, *_WEIGHTS)

_STEPS: dict[ClipStage, tuple[_Step, ...]] = {
    ClipStage.LOAD: _WEIGHTS,
    ClipStage.CLIP: _WEIGHTS,
    ClipStage.ENCODE: _WEIGHTS,
    ClipStage.SAMPLE: (
        _guidance_in_passes,
        _smaller_unet_slices,
        _without_compile,
        *_WEIGHTS,
    ),
    ClipStage.DECODE: (
        _smaller_decoder_slices,
        _maps_to_host,
        _without_compile,
        _model_at_a_time,
        _maps_to_disk,
        _fewer_frames_a_chunk,
    ),
}
