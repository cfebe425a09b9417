"""The ladder from any plan: it ends, it never goes up, and nothing asks for more than before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localvid.errors import OutOfMemoryError
from localvid.pipelines.svd.budget.ladder import ClipSize, ClipStage, Ladder, Rung, lower_of, next_rung
from localvid.pipelines.svd.plan import (
    WHOLE,
    Attention,
    DecoderSlices,
    EnginePlan,
    Guidance,
    Maps,
    UNetSlices,
    Weights,
)

sizes = st.builds(
    ClipSize,
    width=st.integers(1, 2048),
    height=st.integers(1, 2048),
    num_frames=st.integers(1, 64),
)
slices = st.one_of(st.just(WHOLE), st.integers(1, 3_000_000))
plans = st.builds(
    EnginePlan,
    weights=st.sampled_from(Weights),
    unet=st.builds(UNetSlices, frames=slices, pixels=slices, guidance=st.sampled_from(Guidance)),
    decoder=st.builds(
        DecoderSlices,
        frames=slices,
        pixels=slices,
        maps=st.sampled_from(Maps),
        chunk_frames=st.one_of(st.none(), st.integers(1, 80)),
    ),
    attention=st.sampled_from(Attention),
    compile=st.booleans(),
    fp8=st.booleans(),
)
stages = st.sampled_from(ClipStage)


def height(plan: EnginePlan, size: ClipSize) -> tuple[int, ...]:
    """How high the plan stands in each respect, for a clip of that size."""
    together = min(plan.decoder.chunk_frames or WHOLE, size.num_frames)
    latent_pixels = -(-size.width // 8) * -(-size.height // 8)
    return (
        -list(Weights).index(plan.weights),
        min(plan.unet.frames, size.num_frames),
        min(plan.unet.pixels, latent_pixels),
        -list(Guidance).index(plan.unet.guidance),
        together,
        min(plan.decoder.frames, together),
        min(plan.decoder.pixels, size.width * size.height),
        -list(Maps).index(plan.decoder.maps),
        plan.compile,
    )


@given(plan=plans, stage=stages, size=sizes)
def test_it_ends_and_every_rung_is_lower_in_something_and_higher_in_nothing(
    plan: EnginePlan, stage: ClipStage, size: ClipSize
) -> None:
    for _ in range(40):
        rung = next_rung(plan, stage, size)
        if rung is None:
            return
        before, after = height(plan, size), height(rung.plan, size)
        assert all(lower <= higher for lower, higher in zip(after, before, strict=True))
        assert after != before
        assert (rung.plan.attention, rung.plan.fp8) == (plan.attention, plan.fp8)
        assert rung.stage is stage
        assert "seam" in rung.change if plan.exact and not rung.plan.exact else True
        plan = rung.plan
    raise AssertionError("no end after 40 rungs")


@given(plan=plans, stage=stages, size=sizes, failures=st.integers(0, 45))
def test_the_loop_ends_with_a_result_or_at_the_bottom(
    plan: EnginePlan, stage: ClipStage, size: ClipSize, failures: int
) -> None:
    tried: list[EnginePlan] = []
    told: list[Rung] = []
    succeeded: list[EnginePlan] = []

    def work(current: EnginePlan) -> EnginePlan:
        tried.append(current)
        if len(tried) <= failures:
            raise OutOfMemoryError("out of memory")
        return current

    ladder = Ladder(plan, size, on_rung=told.append, on_success=succeeded.append)
    try:
        result = ladder.run(stage, work)
    except OutOfMemoryError:
        assert next_rung(tried[-1], stage, size) is None
        assert succeeded == []
    else:
        assert result == ladder.plan == tried[-1]
        assert len(tried) == failures + 1
        assert succeeded == ([result] if failures else [])
    assert [rung.plan for rung in told] == tried[1:]


@given(one=plans, other=plans, size=sizes)
def test_the_lower_of_two_is_below_both(one: EnginePlan, other: EnginePlan, size: ClipSize) -> None:
    lower = height(lower_of(one, other), size)
    expected = map(min, height(one, size), height(other, size))
    assert list(lower) == list(expected)
