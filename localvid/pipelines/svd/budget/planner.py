"""Which settings make a clip on a card of so much memory: the fastest whose predicted peak fits.

Settings are tried in the order of what they cost. Nothing is sliced if all of it fits; then slices get
smaller, networks take turns, the decoder's feature maps go to host memory, and weights are streamed: the
numbers stay the same. Only then are frames decoded in chunks, which shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from localvid.errors import CapabilityError
from localvid.pipelines.svd.budget.ladder import ClipSize, ClipStage
from localvid.pipelines.svd.budget.measured import Calibration, calibrate, read_measured
from localvid.pipelines.svd.budget.roofline import GpuPeaks, seconds_on
from localvid.pipelines.svd.plan import (
    Attention,
    DecoderSlices,
    EnginePlan,
    Guidance,
    Maps,
    UNetSlices,
    Weights,
)
from localvid.schemas import Frozen, ModelInfo

if TYPE_CHECKING:
    from localvid.pipelines.svd.budget.architecture import Networks
    from localvid.pipelines.svd.budget.rehearsal import Rehearsal
    from localvid.pipelines.svd.budget.tracing import Trace

_Settings = TypeVar("_Settings", UNetSlices, DecoderSlices)

GIB = 2**30

CONTEXT_BYTES = GIB // 2
"""Of a CUDA context and the kernels it loads: 0.3 to 0.5 GiB, by card and driver."""

WORKSPACE_BYTES = GIB // 8
"""What cuBLAS keeps (8 MiB, 32 on Hopper: torch's notes on CUBLAS_WORKSPACE_CONFIG) and cuDNN takes for a
convolution; the latter varies, and 1/8 GiB is a guess on the safe side."""

FRAGMENTATION = 0.05
"""Part of the peak that lies between blocks and cannot be used; with expandable segments, which localvid
asks for, little does. A guess: no GPU was at hand."""

_UNET = (
    UNetSlices(),
    UNetSlices(guidance=Guidance.PASSES),
    UNetSlices(frames=4, pixels=4096, guidance=Guidance.PASSES),
    UNetSlices(frames=1, pixels=1024, guidance=Guidance.PASSES),
)
_DECODER_ON_DEVICE = (
    DecoderSlices(),
    DecoderSlices(frames=4, pixels=65_536),
    DecoderSlices(frames=1, pixels=16_384),
)
_DECODER_ON_HOST = (
    DecoderSlices(frames=4, pixels=65_536, maps=Maps.HOST),
    DecoderSlices(frames=1, pixels=16_384, maps=Maps.HOST),
    DecoderSlices(frames=1, pixels=4096, maps=Maps.HOST),
)
_CHUNKS = (8, 4, 2, 1)
_VIDEO_BITS = 1
"""Of a pixel in a clip's file: H.264 of good quality takes less."""
_SPREAD = 1.5
"""By how much a time may be longer or shorter than its estimate: a guess, see `roofline`."""
_SCALED_SPREAD = 1.3
"""As above, where clips of other sizes were measured. A guess."""
_MEASURED_SPREAD = 1.15
"""As above, where clips of this size were. A guess."""
_ROUND = 64
"""Sizes that are proposed are multiples of so many pixels."""


class Margin(Frozen):
    """What a process takes of the card beside what was counted."""

    context_bytes: int
    workspace_bytes: int
    fragmentation_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.context_bytes + self.workspace_bytes + self.fragmentation_bytes


class StagePlan(Frozen):
    """One stage of a clip."""

    name: str
    peak_bytes: int
    flops: int
    seconds: float


class ClipSettings(Frozen):
    """What is made, and how."""

    width: int
    height: int
    num_frames: int
    num_inference_steps: int
    guidance: bool
    precision: str
    engine: EnginePlan


class ClipPlan(Frozen):
    """What one clip takes under the settings that were chosen."""

    model_id: str
    gpu: str
    """The card that the seconds are for."""
    budget_bytes: int | None
    """The card's memory; None: as much as there may be."""
    settings: ClipSettings
    peak_bytes: int
    """Largest of the stages', weights included, without the margin."""
    margin: Margin
    host_bytes: int
    """Host memory that weights and feature maps take at most."""
    stages: tuple[StagePlan, ...]
    flops: int
    seconds: float
    seconds_low: float
    seconds_high: float
    calibration: Calibration
    download_bytes: int
    """Weights that are not here yet."""
    disk_bytes: int
    """The download, and what a clip leaves or needs in files on the way."""
    notes: tuple[str, ...] = ()

    @property
    def engine(self) -> EnginePlan:
        return self.settings.engine

    @property
    def needed_bytes(self) -> int:
        """Memory of a card on which it fits."""
        return self.peak_bytes + self.margin.total_bytes


class ClipPlanner:
    """Plans of one clip on cards of any memory; what was traced for one serves the others."""

    def __init__(
        self,
        info: ModelInfo,
        *,
        width: int,
        height: int,
        num_frames: int,
        num_inference_steps: int,
        guided: bool,
        attention: Attention = Attention.SDPA,
        compile: bool = False,
        fp8: bool = False,
        workspace: Path | None = None,
    ) -> None:
        """`guided`: whether guidance is above one anywhere. `workspace`: where clips were measured before."""
        self._info = info
        self._size = ClipSize(width=width, height=height, num_frames=num_frames)
        self._steps = num_inference_steps
        self._guided = guided
        self._asked = EnginePlan(attention=attention, compile=compile, fp8=fp8)
        self._measured = read_measured(workspace) if workspace is not None else ()
        self._networks = _build(info.source)
        self._rehearsal = self._rehearse(self._size)

    def plan(self, gpu: GpuPeaks, vram_bytes: int | None) -> ClipPlan:
        """The fastest plan that fits `vram_bytes`, the margin included; None: nothing is sliced.

        Raises CapabilityError, which names the largest size that would fit, if none does.
        """
        chosen = _choose(self._rehearsal, self._size, vram_bytes)
        if chosen is None:
            raise self._refusal(vram_bytes or 0)
        engine = self._asked.model_copy(update=chosen._asdict())
        size = self._size
        settings = ClipSettings(
            **size.model_dump(),
            num_inference_steps=self._steps,
            guidance=self._guided,
            precision="fp16",
            engine=engine,
        )
        calibration = calibrate(
            self._measured, gpu=gpu.name, model_id=self._info.manifest.id, **size.model_dump()
        )
        stages = _stages(self._rehearsal, chosen, self._steps, size)
        return _assemble(self._info, settings, gpu, vram_bytes, stages, calibration)

    def _rehearse(self, size: ClipSize) -> Rehearsal:
        from localvid.pipelines.svd.budget.rehearsal import Rehearsal

        return Rehearsal(self._networks, size, guided=self._guided, fp8=self._asked.fp8)

    def _refusal(self, vram_bytes: int) -> CapabilityError:
        size, model = self._size, self._info.manifest.id
        largest = self._largest_size(vram_bytes)
        if largest is None:
            hint = f"{model} needs a card with more memory, whatever the size"
        else:
            hint = f"the largest of this shape that fits is --width {largest.width} --height {largest.height}"
        return CapabilityError(
            f"{model} does not fit {vram_bytes / GIB:.1f} GiB at {size.width}x{size.height} with "
            f"{size.num_frames} frames, even in the smallest slices with streamed weights",
            hint=hint,
        )

    def _largest_size(self, vram_bytes: int) -> ClipSize | None:
        """The largest size of about this shape that fits.

        A peak is nearly a constant and so much a pixel, so the search starts where a line through the size
        that was asked for and the smallest one says.
        """
        sizes = _smaller_sizes(self._size)
        needed = cache(self._least_needed)
        if not sizes or needed(sizes[-1]) > vram_bytes:
            return None
        small, large = sizes[-1], self._size
        slope = (needed(large) - needed(small)) / max(1, _pixels(large) - _pixels(small))
        room = _pixels(small) + (vram_bytes - needed(small)) / max(slope, 1e-9)
        index = next((i for i, size in enumerate(sizes) if _pixels(size) <= room), len(sizes) - 1)
        while needed(sizes[index]) > vram_bytes:
            index += 1
        while index > 0 and needed(sizes[index - 1]) <= vram_bytes:
            index -= 1
        return sizes[index]

    def _least_needed(self, size: ClipSize) -> int:
        """Memory of a card on which a clip of that size fits in the smallest slices."""
        rehearsal, weights = self._rehearse(size), Weights.STREAM
        peak = max(
            rehearsal.clip(weights).peak_bytes,
            rehearsal.encode(weights).peak_bytes,
            rehearsal.step(_UNET[-1], weights).peak_bytes,
            rehearsal.decode(_DECODER_ON_HOST[-1], weights).peak_bytes,
        )
        return peak + margin_for(peak).total_bytes


class _Choice(NamedTuple):
    weights: Weights
    unet: UNetSlices
    decoder: DecoderSlices


class _Stage(NamedTuple):
    name: ClipStage
    trace: Trace
    times: int


def margin_for(peak_bytes: int) -> Margin:
    """The margin beside a peak."""
    return Margin(
        context_bytes=CONTEXT_BYTES,
        workspace_bytes=WORKSPACE_BYTES,
        fragmentation_bytes=round(peak_bytes * FRAGMENTATION),
    )


def _build(source: Path | None) -> Networks:
    import torch

    from localvid.pipelines.svd.budget.architecture import build_networks

    return build_networks(source, dtype=torch.float16)


# --- the choice --------------------------------------------------------------------------------------


def _choose(rehearsal: Rehearsal, size: ClipSize, vram_bytes: int | None) -> _Choice | None:
    """The first of each stage's settings that fits, under the first kind of weights for which all do."""
    for weights, decoders in _attempts(size):
        if not _fits(rehearsal.least_bytes(weights), vram_bytes):
            continue
        if not all(_fits(run(weights).peak_bytes, vram_bytes) for run in (rehearsal.clip, rehearsal.encode)):
            continue
        # The decoder first: its rehearsal is the shorter, and it is what mostly does not fit.
        possible = _decodes(rehearsal, decoders, vram_bytes)
        decoder = _first(possible, partial(_decode_bytes, rehearsal, weights), vram_bytes)
        if decoder is None:
            continue
        unet = _first(_UNET, partial(_step_bytes, rehearsal, weights), vram_bytes)
        if unet is not None:
            return _Choice(weights, unet, decoder)
    return None


def _step_bytes(rehearsal: Rehearsal, weights: Weights, slices: UNetSlices) -> int:
    return rehearsal.step(slices, weights).peak_bytes


def _decode_bytes(rehearsal: Rehearsal, weights: Weights, slices: DecoderSlices) -> int:
    return rehearsal.decode(slices, weights).peak_bytes


def _decodes(
    rehearsal: Rehearsal, decoders: tuple[DecoderSlices, ...], vram_bytes: int | None
) -> tuple[DecoderSlices, ...]:
    """Those whose feature maps alone do not forbid them, so that nobody waits for their rehearsal."""
    return tuple(slices for slices in decoders if _fits(rehearsal.least_map_bytes(slices), vram_bytes))


def _attempts(size: ClipSize) -> Iterator[tuple[Weights, tuple[DecoderSlices, ...]]]:
    """Kinds of weights and the decoder's settings under them, from fast to slow."""
    yield Weights.RESIDENT, _DECODER_ON_DEVICE
    yield Weights.MODEL, _DECODER_ON_DEVICE
    yield Weights.MODEL, _DECODER_ON_HOST
    yield Weights.STREAM, _DECODER_ON_DEVICE + _DECODER_ON_HOST
    smallest = _DECODER_ON_HOST[-1]
    chunks = [frames for frames in _CHUNKS if frames < size.num_frames]
    yield Weights.STREAM, tuple(smallest.model_copy(update={"chunk_frames": frames}) for frames in chunks)


def _fits(peak_bytes: int, vram_bytes: int | None) -> bool:
    return vram_bytes is None or peak_bytes + margin_for(peak_bytes).total_bytes <= vram_bytes


def _first(
    settings: tuple[_Settings, ...], peak: Callable[[_Settings], int], vram_bytes: int | None
) -> _Settings | None:
    """The first whose peak fits."""
    return next((slices for slices in settings if _fits(peak(slices), vram_bytes)), None)


def _pixels(size: ClipSize) -> int:
    return size.width * size.height


def _smaller_sizes(size: ClipSize) -> list[ClipSize]:
    """Sizes of about the same shape, the largest first."""
    found = []
    for width in range((size.width - 1) // _ROUND * _ROUND, 0, -_ROUND):
        height = max(_ROUND, round(width * size.height / size.width / _ROUND) * _ROUND)
        found.append(ClipSize(width=width, height=min(height, size.height), num_frames=size.num_frames))
    return found


# --- the plan ----------------------------------------------------------------------------------------


def _stages(rehearsal: Rehearsal, chosen: _Choice, steps: int, size: ClipSize) -> list[_Stage]:
    weights, unet, decoder = chosen
    chunks = -(-size.num_frames // (decoder.chunk_frames or size.num_frames))
    return [
        _Stage(ClipStage.CLIP, rehearsal.clip(weights), 1),
        _Stage(ClipStage.ENCODE, rehearsal.encode(weights), 1),
        _Stage(ClipStage.SAMPLE, rehearsal.step(unet, weights), steps),
        _Stage(ClipStage.DECODE, rehearsal.decode(decoder, weights), chunks),
    ]


def _planned(stage: _Stage, gpu: GpuPeaks, factor: float) -> StagePlan:
    seconds = seconds_on(gpu, stage.trace.kernels, copied_bytes=stage.trace.copied_bytes)
    return StagePlan(
        name=stage.name.value,
        peak_bytes=stage.trace.peak_bytes,
        flops=stage.trace.flops * stage.times,
        seconds=seconds * stage.times * factor,
    )


def _assemble(
    info: ModelInfo,
    settings: ClipSettings,
    gpu: GpuPeaks,
    vram_bytes: int | None,
    taken: list[_Stage],
    calibration: Calibration,
) -> ClipPlan:
    stages = tuple(_planned(stage, gpu, calibration.factor) for stage in taken)
    peak = max(stage.peak_bytes for stage in stages)
    seconds, ends = sum(stage.seconds for stage in stages), _SPREAD
    if calibration.num_clips:
        ends = _MEASURED_SPREAD if calibration.same_size else _SCALED_SPREAD
    download = 0 if info.source is not None else info.manifest.total_bytes
    return ClipPlan(
        model_id=info.manifest.id,
        gpu=gpu.name,
        budget_bytes=vram_bytes,
        settings=settings,
        peak_bytes=peak,
        margin=margin_for(peak),
        host_bytes=max(stage.trace.host_peak_bytes for stage in taken),
        stages=stages,
        flops=sum(stage.flops for stage in stages),
        seconds=seconds,
        seconds_low=seconds / ends,
        seconds_high=seconds * ends,
        calibration=calibration,
        download_bytes=download,
        disk_bytes=download + _clip_bytes(settings),
        notes=tuple(_notes(settings)),
    )


def _clip_bytes(settings: ClipSettings) -> int:
    """What a clip leaves: its latents (four channels, an eighth of each side) and the clip itself."""
    pixels = settings.width * settings.height * settings.num_frames
    return pixels * 4 * 2 // 64 + pixels * _VIDEO_BITS // 8


def _notes(settings: ClipSettings) -> Iterator[str]:
    chunk = settings.engine.decoder.chunk_frames
    if chunk is not None:
        yield f"{chunk} frames are decoded at a time: seams may show where two chunks meet"
    if settings.engine.fp8:
        yield "weights are stored in eight bits, which is lossy"
