"""What each stage of a clip takes under given settings: bytes, operations, and seconds on a card.

Copies count as follows. What comes in turn with a stage's work is added to it: weights that come a network at
a time, feature maps that lie in host memory, and the reading and writing of those that lie in a file. Weights
that are streamed come while the unit before them works, so they count only where they take longer than it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from localvid.pipelines.svd.budget.ladder import ClipSize, ClipStage
from localvid.pipelines.svd.budget.roofline import GpuPeaks, disk_seconds, seconds_on
from localvid.pipelines.svd.plan import DecoderSlices, Maps, UNetSlices, Weights

if TYPE_CHECKING:
    from localvid.pipelines.svd.budget.rehearsal import Rehearsal
    from localvid.pipelines.svd.budget.tracing import Trace


class StageRun(NamedTuple):
    """One stage under its settings."""

    name: ClipStage
    trace: Trace
    times: int = 1
    """How often the work is done: steps, chunks."""
    once_bytes: int = 0
    """Weights that are waited for, once per clip."""
    waited_bytes: int = 0
    """Copied and waited for, each time."""
    ahead_bytes: int = 0
    """Copied beside the work, each time."""
    file_bytes: int = 0
    """Written to a file or read from it, each time."""

    @property
    def flops(self) -> int:
        return self.trace.flops * self.times

    def seconds_on(self, gpu: GpuPeaks) -> float:
        """Likely seconds, all times together."""
        each = seconds_on(
            gpu, self.trace.kernels, copied_bytes=self.waited_bytes, ahead_bytes=self.ahead_bytes
        )
        once = seconds_on(gpu, {}, copied_bytes=self.once_bytes)
        return (each + disk_seconds(self.file_bytes)) * self.times + once


def clip_stage(rehearsal: Rehearsal, weights: Weights) -> StageRun:
    trace = rehearsal.clip(weights)
    return StageRun(ClipStage.CLIP, trace, once_bytes=trace.copied_bytes if _is_brought(weights) else 0)


def encode_stage(rehearsal: Rehearsal, weights: Weights) -> StageRun:
    trace = rehearsal.encode(weights)
    return StageRun(ClipStage.ENCODE, trace, once_bytes=trace.copied_bytes if _is_brought(weights) else 0)


def sample_stage(rehearsal: Rehearsal, slices: UNetSlices, weights: Weights, steps: int) -> StageRun:
    trace = rehearsal.step(slices, weights)
    stage = StageRun(ClipStage.SAMPLE, trace, times=steps)
    if not _is_brought(weights):
        return stage
    if rehearsal.comes_in_units(weights):
        return stage._replace(ahead_bytes=trace.copied_bytes)
    return stage._replace(once_bytes=trace.copied_bytes)


def decode_stage(rehearsal: Rehearsal, slices: DecoderSlices, weights: Weights, size: ClipSize) -> StageRun:
    trace, brought = rehearsal.decode(slices, weights), rehearsal.encode(weights).copied_bytes
    maps = trace.copied_bytes - brought
    return StageRun(
        ClipStage.DECODE,
        trace,
        times=-(-size.num_frames // (slices.chunk_frames or size.num_frames)),
        once_bytes=brought if _is_brought(weights) else 0,
        waited_bytes=maps,
        file_bytes=maps if slices.maps is Maps.DISK else 0,
    )


def map_bytes(rehearsal: Rehearsal, slices: DecoderSlices) -> int:
    """What the decoder's feature maps take at most where they are kept, if that is not the device."""
    both, weights = rehearsal.decode(slices, Weights.MODEL), rehearsal.encode(Weights.MODEL)
    return both.host_peak_bytes - weights.host_peak_bytes


def _is_brought(weights: Weights) -> bool:
    """Whether weights come to the device for each clip; the rehearsal always brings them."""
    return weights is not Weights.RESIDENT
