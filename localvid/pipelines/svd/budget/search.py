"""The fastest settings that fit: the card's memory, the host's, and the room for files.

Kinds of weights, the UNet's slices and the decoder's are combined, and what takes more off the device must
gain by it. What a rehearsal would only confirm is not rehearsed: smaller slices of the UNet need no more
memory, smaller slices are no faster, and no way to keep the weights makes the work itself shorter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.budget.roofline import GpuPeaks, seconds_on
from localvid.pipelines.svd.budget.stages import (
    StageRun,
    clip_stage,
    decode_stage,
    encode_stage,
    map_bytes,
    sample_stage,
)
from localvid.pipelines.svd.plan import DecoderSlices, Guidance, Maps, UNetSlices, Weights

if TYPE_CHECKING:
    from localvid.pipelines.svd.budget.rehearsal import Rehearsal

UNET = (
    UNetSlices(),
    UNetSlices(guidance=Guidance.PASSES),
    UNetSlices(frames=4, pixels=4096, guidance=Guidance.PASSES),
    UNetSlices(frames=1, pixels=1024, guidance=Guidance.PASSES),
)
"""From the largest to the smallest, as the two below."""

_ON_DEVICE = (
    DecoderSlices(),
    DecoderSlices(frames=4, pixels=65_536),
    DecoderSlices(frames=1, pixels=16_384),
)
OFF_DEVICE = (
    DecoderSlices(frames=4, pixels=65_536, maps=Maps.HOST),
    DecoderSlices(frames=1, pixels=16_384, maps=Maps.HOST),
    DecoderSlices(frames=1, pixels=4096, maps=Maps.HOST),
)
_CHUNKS = (8, 4, 2, 1)

_GAIN = 0.01
"""Part of the time that must be saved before more is taken off the device: an estimate tells no less apart,
and what the device keeps waits for no copy."""

HOST_PROCESS_BYTES = 3 * 2**29
"""Host memory of the process itself: Python, torch, and CUDA's libraries. 1.5 GiB is a guess on the safe
side; no GPU was at hand."""


class Room(NamedTuple):
    """What a clip may take; None: as much as it needs."""

    vram_bytes: int | None = None
    """Of the card's memory, the margin included."""
    host_bytes: int | None = None
    """Of the host's memory, the process itself included."""
    disk_bytes: int | None = None
    """Of the file system where temporary files of feature maps are made."""


class Found(NamedTuple):
    """Settings, and what they take."""

    weights: Weights
    unet: UNetSlices
    decoder: DecoderSlices
    stages: tuple[StageRun, ...]
    seconds: float


class Search:
    """The settings of one size of clip on one card; what was rehearsed serves every search."""

    def __init__(
        self,
        rehearsal: Rehearsal,
        size: ClipSize,
        gpu: GpuPeaks,
        *,
        steps: int,
        room: Room,
        margin: Callable[[int], int],
        chunk_frames: int | None = None,
    ) -> None:
        """`margin`: bytes that a peak needs of the card beside itself. `chunk_frames`: as the user asks."""
        self._rehearsal = rehearsal
        self._size = size
        self._gpu = gpu
        self._steps = steps
        self._room = room
        self._margin = margin
        self._chunk = chunk_frames

    def fastest(self) -> Found | None:
        """The fastest without a seam that was not asked for; None where nothing fits."""
        best: Found | None = None
        for weights in self._rehearsal.kinds:
            if not self._fits(self._rehearsal.least_bytes(weights)):
                continue
            before = (clip_stage(self._rehearsal, weights), encode_stage(self._rehearsal, weights))
            if not all(self._fits(stage.trace.peak_bytes) for stage in before):
                continue
            # The decoder first: its rehearsal is the shorter, and it is what mostly does not fit.
            decoder = self._fastest_decoder(weights, self._chunk)
            if decoder is not None:
                best = self._with_unet(weights, before, decoder, best)
        return best

    def in_chunks(self) -> Found | None:
        """The most frames decoded together that fit, everything else at its smallest."""
        weights = self._rehearsal.kinds[-1]
        before = (clip_stage(self._rehearsal, weights), encode_stage(self._rehearsal, weights))
        if not all(self._fits(stage.trace.peak_bytes) for stage in before):
            return None
        for frames in _CHUNKS:
            if frames < (self._chunk or self._size.num_frames):
                decoder = self._off_device(weights, frames, slices=OFF_DEVICE[-1:])
                if decoder is not None:
                    return self._with_unet(weights, before, decoder, None)
        return None

    def _with_unet(
        self,
        weights: Weights,
        before: tuple[StageRun, ...],
        decoder: tuple[DecoderSlices, StageRun],
        best: Found | None,
    ) -> Found | None:
        """The fastest with these weights and this decoder, if it gains enough on `best`."""
        slices, decoding = decoder
        others = sum(stage.seconds_on(self._gpu) for stage in (*before, decoding))
        enough = math.inf if best is None else best.seconds * (1 - _GAIN)
        unets = [unet for unet in UNET if others + self._least_seconds(unet) < enough]
        unet = _largest(unets, lambda unet: self._fits(self._rehearsal.step(unet, weights).peak_bytes))
        if unet is None:
            return best
        sampling = sample_stage(self._rehearsal, unet, weights, self._steps)
        seconds = others + sampling.seconds_on(self._gpu)
        if seconds >= enough:
            return best
        return Found(weights, unet, slices, (*before, sampling, decoding), seconds)

    def _least_seconds(self, unet: UNetSlices) -> float:
        """Of the sampling, whatever is done with the weights; 0 where it is not known."""
        known = self._rehearsal.known_step(unet)
        return 0.0 if known is None else self._steps * seconds_on(self._gpu, known.kernels)

    # --- the decoder ------------------------------------------------------------------------------

    def _fastest_decoder(
        self, weights: Weights, chunk_frames: int | None
    ) -> tuple[DecoderSlices, StageRun] | None:
        on_device = self._largest_decoder(weights, _ON_DEVICE, chunk_frames)
        if on_device is not None and on_device[0].frames >= OFF_DEVICE[0].frames:
            return on_device
        off_device = self._off_device(weights, chunk_frames)
        found = [decoder for decoder in (on_device, off_device) if decoder is not None]
        return min(found, key=lambda decoder: decoder[1].seconds_on(self._gpu), default=None)

    def _off_device(
        self, weights: Weights, chunk_frames: int | None, *, slices: Sequence[DecoderSlices] = OFF_DEVICE
    ) -> tuple[DecoderSlices, StageRun] | None:
        """With feature maps in host memory; in a file, where that does not hold them and there is room."""
        found = self._largest_decoder(weights, slices, chunk_frames)
        if found is None:
            return None
        decoder, _ = found
        taken = map_bytes(self._rehearsal, decoder)
        stored = 0 if weights is Weights.RESIDENT else self._rehearsal.weight_bytes
        if _is_within(taken + stored + HOST_PROCESS_BYTES, self._room.host_bytes):
            return found
        if not _is_within(taken, self._room.disk_bytes):
            return None
        decoder = decoder.model_copy(update={"maps": Maps.DISK})
        return decoder, decode_stage(self._rehearsal, decoder, weights, self._size)

    def _largest_decoder(
        self, weights: Weights, slices: Sequence[DecoderSlices], chunk_frames: int | None
    ) -> tuple[DecoderSlices, StageRun] | None:
        run = partial(self._rehearsal.decode, weights=weights)
        candidates = [
            decoder
            for decoder in (each.model_copy(update={"chunk_frames": chunk_frames}) for each in slices)
            # So that nobody waits for the rehearsal of what its feature maps alone forbid.
            if self._fits(self._rehearsal.least_map_bytes(decoder))
        ]
        decoder = next((each for each in candidates if self._fits(run(each).peak_bytes)), None)
        if decoder is None:
            return None
        return decoder, decode_stage(self._rehearsal, decoder, weights, self._size)

    def _fits(self, peak_bytes: int) -> bool:
        return _is_within(peak_bytes + self._margin(peak_bytes), self._room.vram_bytes)


def _is_within(needed_bytes: int, room_bytes: int | None) -> bool:
    return room_bytes is None or needed_bytes <= room_bytes


def _largest(unets: Sequence[UNetSlices], fits: Callable[[UNetSlices], bool]) -> UNetSlices | None:
    """The first that fits, where all after one that fits do, too; few are asked."""
    found, low, high = None, 0, len(unets)
    while low < high:
        middle = (low + high - 1) // 2
        if fits(unets[middle]):
            found, high = unets[middle], middle
        else:
            low = middle + 1
    return found
