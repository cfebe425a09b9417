"""The way down when memory runs out: which rungs, in which order, and what is tried again."""

from __future__ import annotations

import gc
import time
import weakref
from itertools import pairwise

import pytest

from localvid.errors import DeviceFailedError, GenerationFailedError, OutOfMemoryError
from localvid.pipelines.svd.budget.ladder import ClipSize, ClipStage, Ladder, Rung, lower_of, next_rung
from localvid.pipelines.svd.plan import (
    Attention,
    DecoderSlices,
    EnginePlan,
    Guidance,
    Maps,
    UNetSlices,
    Weights,
)

FULL = ClipSize(width=1024, height=576, num_frames=25)


def way_down(stage: ClipStage, plan: EnginePlan | None = None, size: ClipSize = FULL) -> list[Rung]:
    rungs: list[Rung] = []
    lower = next_rung(plan or EnginePlan(), stage, size)
    while lower is not None:
        rungs.append(lower)
        lower = next_rung(lower.plan, stage, size)
    return rungs


def changes(stage: ClipStage, plan: EnginePlan | None = None, size: ClipSize = FULL) -> list[str]:
    return [rung.change for rung in way_down(stage, plan, size)]


def test_the_way_down_of_the_sampling() -> None:
    assert changes(ClipStage.SAMPLE) == [
        "guidance in two passes",
        "slices of 6 frames and 2,304 pixels",
        "slices of 1 frame and 1,024 pixels",
        "one network at a time on the device",
        "streamed weights",
    ]


def test_the_way_down_of_the_decoding() -> None:
    assert changes(ClipStage.DECODE) == [
        "slices of 6 frames and 147,456 pixels",
        "slices of 1 frame and 36,864 pixels",
        "slices of 1 frame and 9,216 pixels",
        "feature maps in host memory",
        "one network at a time on the device",
        "feature maps in a temporary file",
        "13 frames decoded together: a seam may show where two such chunks meet",
        "7 frames decoded together: a seam may show where two such chunks meet",
        "4 frames decoded together: a seam may show where two such chunks meet",
        "2 frames decoded together: a seam may show where two such chunks meet",
        "1 frame decoded together: a seam may show where two such chunks meet",
    ]


@pytest.mark.parametrize("stage", [ClipStage.LOAD, ClipStage.CLIP, ClipStage.ENCODE])
def test_what_has_no_slices_moves_its_weights(stage: ClipStage) -> None:
    assert changes(stage) == ["one network at a time on the device", "streamed weights"]


@pytest.mark.parametrize("stage", list(ClipStage))
def test_the_picture_stays_as_it_is_until_nothing_else_is_left(stage: ClipStage) -> None:
    exact = [rung.plan.exact for rung in way_down(stage)]
    assert exact == sorted(exact, reverse=True)
    if stage is not ClipStage.DECODE:
        assert all(exact)


def test_a_stage_changes_only_what_concerns_it() -> None:
    plan = EnginePlan()
    assert {rung.plan.decoder for rung in way_down(ClipStage.SAMPLE, plan)} == {plan.decoder}
    assert {rung.plan.unet for rung in way_down(ClipStage.DECODE, plan)} == {plan.unet}


def test_what_the_user_chose_stays() -> None:
    plan = EnginePlan(attention=Attention.XFORMERS, fp8=True, compile=True)
    bottom = way_down(ClipStage.SAMPLE, plan)[-1].plan
    assert (bottom.attention, bottom.fp8, bottom.compile) == (Attention.XFORMERS, True, False)


@pytest.mark.parametrize("stage", list(ClipStage))
def test_eight_bits_descend_like_others_and_are_entered_by_no_rung(stage: ClipStage) -> None:
    exact, lossy = (way_down(stage, EnginePlan(fp8=fp8)) for fp8 in (False, True))
    assert not any(rung.plan.fp8 for rung in exact)
    assert all(rung.plan.fp8 for rung in lossy)
    # As soon as its weights leave the device in eight bits, they come unit by unit.
    streamed = [rung.change for rung in exact if rung.change == "streamed weights"]
    assert [rung.change for rung in lossy] == [
        rung.change for rung in exact if rung.change != "streamed weights"
    ]
    assert len(streamed) == (stage is not ClipStage.DECODE)


def test_slices_larger_than_the_clip_are_cut_to_it_first() -> None:
    tiny = ClipSize(width=64, height=64, num_frames=2)
    plan = EnginePlan(unet=UNetSlices(frames=1000, pixels=1000, guidance=Guidance.PASSES))
    assert changes(ClipStage.SAMPLE, plan, tiny) == [
        "slices of 1 frame and 64 pixels",
        "one network at a time on the device",
        "streamed weights",
    ]


def test_chunks_go_on_shrinking_from_what_the_user_chose() -> None:
    plan = EnginePlan(
        weights=Weights.STREAM,
        decoder=DecoderSlices(frames=1, pixels=64, maps=Maps.DISK, chunk_frames=3),
    )
    assert [rung.plan.decoder.chunk_frames for rung in way_down(ClipStage.DECODE, plan)] == [2, 1]


# --- the loop ----------------------------------------------------------------------------------------


class Device:
    """Work that needs a plan no higher than `fits`, and remembers what was tried."""

    def __init__(self, fits: int) -> None:
        self.fits = fits
        self.tried: list[EnginePlan] = []

    def work(self, plan: EnginePlan) -> str:
        self.tried.append(plan)
        if len(self.tried) <= self.fits:
            raise OutOfMemoryError("out of memory: injected")
        return "done"


def make_ladder(told: list[object]) -> Ladder:
    return Ladder(
        EnginePlan(),
        FULL,
        on_rung=told.append,
        on_success=lambda plan: told.append(("success", plan)),
    )


def test_without_a_fault_nothing_is_told() -> None:
    told: list[object] = []
    device = Device(0)
    assert make_ladder(told).run(ClipStage.SAMPLE, device.work) == "done"
    assert (device.tried, told) == ([EnginePlan()], [])


@pytest.mark.parametrize(
    ("stage", "fits"),
    [(stage, fits) for stage in ClipStage for fits in range(1, len(way_down(stage)) + 1)],
)
def test_rungs_are_told_before_they_are_tried_and_the_one_that_worked_after(
    stage: ClipStage, fits: int
) -> None:
    told: list[object] = []
    ladder, device = make_ladder(told), Device(fits)
    assert ladder.run(stage, device.work) == "done"

    expected = way_down(stage)[:fits]
    assert told == [*expected, ("success", expected[-1].plan)]
    assert device.tried == [EnginePlan(), *(rung.plan for rung in expected)]
    assert ladder.plan == expected[-1].plan
    assert expected[0].change in expected[0].notice


def test_each_stage_goes_on_from_the_plan_of_the_one_before() -> None:
    told: list[object] = []
    ladder = make_ladder(told)
    sampling, decoding = Device(4), Device(1)
    ladder.run(ClipStage.SAMPLE, sampling.work)
    ladder.run(ClipStage.DECODE, decoding.work)

    assert decoding.tried[0] == sampling.tried[-1]
    assert decoding.tried[0].weights is Weights.MODEL
    assert len(sampling.tried) == 5  # the decoding's fault cost no sampling


def test_at_the_bottom_the_error_says_what_is_left_to_do() -> None:
    told: list[object] = []
    device = Device(1000)
    with pytest.raises(OutOfMemoryError, match="the decoding has nothing left to save") as caught:
        make_ladder(told).run(ClipStage.DECODE, device.work)
    assert len(device.tried) == len(way_down(ClipStage.DECODE)) + 1
    assert "smaller clip" in caught.value.hint
    assert not any(isinstance(entry, tuple) for entry in told)


@pytest.mark.parametrize("error", [DeviceFailedError("poisoned"), GenerationFailedError("NaN"), ValueError()])
def test_other_faults_pass_at_once(error: Exception) -> None:
    told: list[object] = []

    def work(_plan: EnginePlan) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        make_ladder(told).run(ClipStage.SAMPLE, work)
    assert caught.value is error
    assert told == []


def test_nothing_of_the_failed_attempt_is_held_when_the_next_begins() -> None:
    class Activations:
        pass

    held: list[weakref.ref[Activations]] = []

    def work(_plan: EnginePlan) -> int:
        alive = sum(reference() is not None for reference in held)
        if len(held) == 3:
            return alive
        activations = Activations()
        held.append(weakref.ref(activations))
        raise OutOfMemoryError("out of memory")

    gc.disable()
    try:
        assert make_ladder([]).run(ClipStage.SAMPLE, work) == 0
    finally:
        gc.enable()


def test_the_next_rung_comes_within_a_second() -> None:
    began: list[float] = []

    def work(_plan: EnginePlan) -> None:
        began.append(time.monotonic())
        if len(began) < 5:
            raise OutOfMemoryError("out of memory")

    make_ladder([]).run(ClipStage.DECODE, work)
    assert max(later - earlier for earlier, later in pairwise(began)) < 1


def test_what_a_listener_raises_stops_the_way_down() -> None:
    def stop(_rung: Rung) -> None:
        raise KeyboardInterrupt

    ladder = Ladder(EnginePlan(), FULL, on_rung=stop)
    with pytest.raises(KeyboardInterrupt):
        ladder.run(ClipStage.SAMPLE, Device(1).work)


# --- together with a remembered plan -----------------------------------------------------------------


def test_the_lower_of_two_plans_is_lower_in_everything() -> None:
    one = EnginePlan(
        weights=Weights.STREAM,
        unet=UNetSlices(frames=2, pixels=5000),
        decoder=DecoderSlices(frames=8, pixels=100),
        attention=Attention.XFORMERS,
        compile=True,
    )
    other = EnginePlan(
        weights=Weights.MODEL,
        unet=UNetSlices(frames=4, pixels=1000, guidance=Guidance.PASSES),
        decoder=DecoderSlices(frames=4, pixels=400, maps=Maps.HOST, chunk_frames=7),
    )
    assert lower_of(one, other) == EnginePlan(
        weights=Weights.STREAM,
        unet=UNetSlices(frames=2, pixels=1000, guidance=Guidance.PASSES),
        decoder=DecoderSlices(frames=4, pixels=100, maps=Maps.HOST, chunk_frames=7),
        attention=Attention.XFORMERS,
    )
