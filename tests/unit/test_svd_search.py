"""The search for the fastest settings, against all of them: of a small model, traced without contents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from localvid.pipelines.svd.budget.architecture import build_networks
from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.budget.rehearsal import Rehearsal
from localvid.pipelines.svd.budget.roofline import known_gpus, require_peaks
from localvid.pipelines.svd.budget.search import (
    HOST_PROCESS_BYTES,
    OFF_DEVICE,
    UNET,
    Found,
    Room,
    Search,
)
from localvid.pipelines.svd.budget.stages import (
    clip_stage,
    decode_stage,
    encode_stage,
    map_bytes,
    sample_stage,
)
from localvid.pipelines.svd.plan import DecoderSlices, Maps, Weights

SIZE = ClipSize(width=256, height=192, num_frames=9)
GPU = require_peaks("RTX 3060")
STEPS = 3
ON_DEVICE = (
    DecoderSlices(),
    DecoderSlices(frames=4, pixels=65_536),
    DecoderSlices(frames=1, pixels=16_384),
)


@pytest.fixture(scope="module")
def rehearsal(tiny_svd: Path) -> Rehearsal:
    return Rehearsal(build_networks(tiny_svd, dtype=torch.float16), SIZE, guided=True)


def search(rehearsal: Rehearsal, room: Room, *, chunk_frames: int | None = None) -> Search:
    return Search(
        rehearsal, SIZE, GPU, steps=STEPS, room=room, margin=lambda _peak: 0, chunk_frames=chunk_frames
    )


def every(rehearsal: Rehearsal) -> Iterator[tuple[int, float]]:
    """Peak bytes and seconds of every combination."""
    for weights in Weights:
        before = [stage(rehearsal, weights) for stage in (clip_stage, encode_stage)]
        for unet in UNET:
            sampling = sample_stage(rehearsal, unet, weights, STEPS)
            for slices in (*ON_DEVICE, *OFF_DEVICE):
                stages = [*before, sampling, decode_stage(rehearsal, slices, weights, SIZE)]
                peak = max(stage.trace.peak_bytes for stage in stages)
                yield peak, sum(stage.seconds_on(GPU) for stage in stages)


def test_it_finds_what_no_other_combination_beats(rehearsal: Rehearsal) -> None:
    combinations = list(every(rehearsal))
    peaks = sorted({peak for peak, _ in combinations})
    assert len(peaks) > 10
    for budget in peaks:
        found = search(rehearsal, Room(vram_bytes=budget)).fastest()
        assert found is not None
        assert max(stage.trace.peak_bytes for stage in found.stages) <= budget
        fastest = min(seconds for peak, seconds in combinations if peak <= budget)
        # What keeps more on the device is left only for a gain that an estimate can tell, twice at most.
        assert found.seconds <= fastest * 1.02
    assert search(rehearsal, Room(vram_bytes=peaks[0] - 1)).fastest() is None


def off_device(rehearsal: Rehearsal) -> tuple[int, Found]:
    """A budget for the device under which maps are not kept there, and what is found for it."""
    on_device = min(rehearsal.decode(slices, Weights.STREAM).peak_bytes for slices in ON_DEVICE)
    found = search(rehearsal, Room(vram_bytes=on_device - 1)).fastest()
    assert found is not None
    assert found.decoder.maps is Maps.HOST
    return on_device - 1, found


def test_maps_that_host_memory_does_not_hold_are_kept_in_a_file(rehearsal: Rehearsal) -> None:
    budget, on_host = off_device(rehearsal)
    maps = map_bytes(rehearsal, on_host.decoder)
    weights = 0 if on_host.weights is Weights.RESIDENT else rehearsal.weight_bytes
    enough = maps + weights + HOST_PROCESS_BYTES

    assert search(rehearsal, Room(budget, enough, 0)).fastest() == on_host
    found = search(rehearsal, Room(budget, HOST_PROCESS_BYTES, 2 * maps)).fastest()
    assert found is not None
    assert found.decoder.maps is Maps.DISK
    assert found.seconds > on_host.seconds
    assert search(rehearsal, Room(budget, HOST_PROCESS_BYTES, 0)).fastest() is None


def test_maps_are_what_the_decoder_keeps(rehearsal: Rehearsal) -> None:
    """At the end one map of full size is read while none is written; before, two of different levels."""
    channels = 32  # of the tiny model's last level
    last = SIZE.num_frames * SIZE.width * SIZE.height * channels * 2
    assert last <= map_bytes(rehearsal, OFF_DEVICE[0]) < 2.5 * last


def test_chunks_that_are_asked_for_are_planned_with(rehearsal: Rehearsal) -> None:
    whole, chunked = (search(rehearsal, Room(), chunk_frames=frames).fastest() for frames in (None, 2))
    assert whole is not None
    assert chunked is not None
    assert (whole.decoder.chunk_frames, chunked.decoder.chunk_frames) == (None, 2)
    assert chunked.stages[-1].times == 5
    assert chunked.stages[-1].trace.peak_bytes < whole.stages[-1].trace.peak_bytes


def test_copies_that_are_waited_for_take_time(rehearsal: Rehearsal) -> None:
    decoder = {
        maps: decode_stage(rehearsal, OFF_DEVICE[0].model_copy(update={"maps": maps}), Weights.RESIDENT, SIZE)
        for maps in Maps
    }
    seconds = [decoder[maps].seconds_on(GPU) for maps in (Maps.DEVICE, Maps.HOST, Maps.DISK)]
    assert seconds == sorted(seconds)
    assert decoder[Maps.DEVICE].waited_bytes < decoder[Maps.HOST].waited_bytes
    slow = min(known_gpus(), key=lambda gpu: gpu.host_gbs)
    steps = [sample_stage(rehearsal, UNET[0], weights, STEPS) for weights in Weights]
    resident, model, stream = steps
    assert resident.seconds_on(slow) < model.seconds_on(slow)
    # Once per clip, or beside the work of each step.
    assert (model.ahead_bytes, stream.once_bytes) == (0, 0)
    assert model.once_bytes > 0
    assert stream.ahead_bytes > 0
