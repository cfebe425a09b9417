"""Which settings make a clip on a card of so much memory, and what it takes under them.

They are the fastest whose predicted peak fits, by `search`: slices, networks that take turns, streamed
weights, the decoder's feature maps in host memory or in a file. The numbers stay the same under all of them.
Only where none fits are frames decoded in chunks, which shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from localvid.errors import CapabilityError
from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.budget.measured import Calibration, calibrate, read_measured
from localvid.pipelines.svd.budget.roofline import GpuPeaks
from localvid.pipelines.svd.budget.search import OFF_DEVICE, UNET, Found, Room, Search
from localvid.pipelines.svd.budget.stages import StageRun, map_bytes
from localvid.pipelines.svd.plan import Attention, EnginePlan, Maps, Weights
from localvid.schemas import Frozen, ModelInfo

if TYPE_CHECKING:
    from localvid.pipelines.svd.budget.architecture import Networks
    from localvid.pipelines.svd.budget.rehearsal import Rehearsal

GIB = 2**30

CONTEXT_BYTES = GIB // 2
"""Of a CUDA context and the kernels it loads: 0.3 to 0.5 GiB, by card and driver."""

WORKSPACE_BYTES = GIB // 8
"""What cuBLAS keeps (8 MiB, 32 on Hopper: torch's notes on CUBLAS_WORKSPACE_CONFIG) and cuDNN takes for a
convolution; the latter varies, and 1/8 GiB is a guess on the safe side."""

FRAGMENTATION = 0.05
"""Part of the peak that lies between blocks and cannot be used; with expandable segments, which localvid
asks for, little does. A guess: no GPU was at hand."""

_VIDEO_BITS = 1
"""Of a pixel in a clip's file: H.264 of good quality takes less."""
_SPREAD = 1.6
"""By how much a time may be longer or shorter than its estimate; the three clips of `roofline` lie within."""
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
    """Host memory that weights and feature maps take at most, beside the process itself."""
    map_file_bytes: int
    """Of feature maps in a temporary file in the workspace; 0: they are in memory."""
    stages: tuple[StagePlan, ...]
    flops: int
    seconds: float
    seconds_low: float
    seconds_high: float
    calibration: Calibration
    download_bytes: int
    """Weights that are not here yet."""
    disk_bytes: int
    """The download, and what a clip leaves, and needs in files on the way."""
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
        chunk_frames: int | None = None,
        workspace: Path | None = None,
    ) -> None:
        """`guided`: whether guidance is above one anywhere. `chunk_frames`: frames decoded together, None:
        all. `workspace`: where clips were measured before."""
        self._info = info
        self._size = ClipSize(width=width, height=height, num_frames=num_frames)
        self._steps = num_inference_steps
        self._guided = guided
        self._asked = EnginePlan(attention=attention, compile=compile, fp8=fp8)
        self._chunk = chunk_frames
        self._measured = read_measured(workspace) if workspace is not None else ()
        self._networks = _build(info.source)
        self._rehearsal = self._rehearse(self._size)

    def plan(self, gpu: GpuPeaks, room: Room) -> ClipPlan:
        """The fastest plan that fits, the margin included; without limits nothing is sliced.

        Raises CapabilityError if none does: with the largest size that would, or with what is wanted of the
        disk.
        """
        found = self._find(gpu, room)
        size = self._size
        settings = ClipSettings(
            **size.model_dump(),
            num_inference_steps=self._steps,
            guidance=self._guided,
            precision="fp16",
            engine=self._asked.model_copy(
                update={"weights": found.weights, "unet": found.unet, "decoder": found.decoder}
            ),
        )
        calibration = calibrate(
            self._measured, gpu=gpu.name, model_id=self._info.manifest.id, **size.model_dump()
        )
        maps = 0 if found.decoder.maps is Maps.DEVICE else map_bytes(self._rehearsal, found.decoder)
        return _assemble(self._info, settings, gpu, room, found, maps, calibration)

    def _find(self, gpu: GpuPeaks, room: Room) -> Found:
        def search(room: Room) -> Search:
            return Search(
                self._rehearsal,
                self._size,
                gpu,
                steps=self._steps,
                room=room,
                margin=lambda peak: margin_for(peak).total_bytes,
                chunk_frames=self._chunk,
            )

        found = search(room).fastest()
        if found is not None:
            return found
        if room.disk_bytes is not None:
            on_disk = search(room._replace(disk_bytes=None)).fastest()
            if on_disk is not None:
                raise self._no_room(map_bytes(self._rehearsal, on_disk.decoder), room)
        in_chunks = search(room).in_chunks()
        if in_chunks is None:
            raise self._refusal(room.vram_bytes or 0)
        return in_chunks

    def _rehearse(self, size: ClipSize) -> Rehearsal:
        from localvid.pipelines.svd.budget.rehearsal import Rehearsal

        return Rehearsal(self._networks, size, guided=self._guided, fp8=self._asked.fp8)

    def _no_room(self, maps: int, room: Room) -> CapabilityError:
        host, disk = room.host_bytes or 0, room.disk_bytes or 0
        return CapabilityError(
            f"the decoder's feature maps take {maps / GIB:.1f} GiB: too much beside the weights in "
            f"{host / GIB:.1f} GiB of host memory, and for the {disk / GIB:.1f} GiB that are free on disk",
            hint="free some space in the workspace or some memory; with --decode-chunk-size 8 they are "
            "smaller, and seams may show",
        )

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
            rehearsal.step(UNET[-1], weights).peak_bytes,
            rehearsal.decode(OFF_DEVICE[-1], weights).peak_bytes,
        )
        return peak + margin_for(peak).total_bytes


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


# --- sizes -------------------------------------------------------------------------------------------


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


def _planned(stage: StageRun, gpu: GpuPeaks, factor: float) -> StagePlan:
    return StagePlan(
        name=stage.name.value,
        peak_bytes=stage.trace.peak_bytes,
        flops=stage.flops,
        seconds=stage.seconds_on(gpu) * factor,
    )


def _assemble(
    info: ModelInfo,
    settings: ClipSettings,
    gpu: GpuPeaks,
    room: Room,
    found: Found,
    maps: int,
    calibration: Calibration,
) -> ClipPlan:
    stages = tuple(_planned(stage, gpu, calibration.factor) for stage in found.stages)
    peak = max(stage.peak_bytes for stage in stages)
    seconds, ends = sum(stage.seconds for stage in stages), _SPREAD
    if calibration.num_clips:
        ends = _MEASURED_SPREAD if calibration.same_size else _SCALED_SPREAD
    download = 0 if info.source is not None else info.manifest.total_bytes
    in_file = maps if found.decoder.maps is Maps.DISK else 0
    return ClipPlan(
        model_id=info.manifest.id,
        gpu=gpu.name,
        budget_bytes=room.vram_bytes,
        settings=settings,
        peak_bytes=peak,
        margin=margin_for(peak),
        host_bytes=_host_bytes(found, maps - in_file),
        map_file_bytes=in_file,
        stages=stages,
        flops=sum(stage.flops for stage in stages),
        seconds=seconds,
        seconds_low=seconds / ends,
        seconds_high=seconds * ends,
        calibration=calibration,
        download_bytes=download,
        disk_bytes=download + _clip_bytes(settings) + in_file,
        notes=tuple(_notes(settings, in_file)),
    )


def _host_bytes(found: Found, maps: int) -> int:
    """Weights are read into host memory whatever becomes of them; a rehearsal of a stage holds its own."""
    clip, encode, sample, _ = (stage.trace.host_peak_bytes for stage in found.stages)
    loaded = clip + encode + sample
    return max(loaded, maps) if found.weights is Weights.RESIDENT else loaded + maps


def _clip_bytes(settings: ClipSettings) -> int:
    """What a clip leaves: its latents (four channels, an eighth of each side) and the clip itself."""
    pixels = settings.width * settings.height * settings.num_frames
    return pixels * 4 * 2 // 64 + pixels * _VIDEO_BITS // 8


def _notes(settings: ClipSettings, map_file_bytes: int) -> Iterator[str]:
    if map_file_bytes:
        yield (
            f"host memory does not hold the decoder's feature maps: {map_file_bytes / GIB:.1f} GiB of them "
            "pass through a temporary file in the workspace"
        )
    chunk = settings.engine.decoder.chunk_frames
    if chunk is not None:
        yield f"{chunk} frames are decoded at a time: seams may show where two chunks meet"
    if settings.engine.fp8:
        yield "weights are stored in eight bits, which is lossy"
