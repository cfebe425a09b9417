"""What a plan says of itself."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from localvid.pipelines.svd.plan import (
    WHOLE,
    DecoderSlices,
    EnginePlan,
    Guidance,
    Maps,
    UNetSlices,
    Weights,
)


def test_nothing_is_sliced_unless_it_is_asked_for() -> None:
    plan = EnginePlan()

    assert (plan.unet.frames, plan.unet.pixels, plan.decoder.frames, plan.decoder.pixels) == (WHOLE,) * 4
    assert (plan.weights, plan.unet.guidance, plan.decoder.maps) == (
        Weights.RESIDENT,
        Guidance.TOGETHER,
        Maps.DEVICE,
    )


@pytest.mark.parametrize(
    ("plan", "exact"),
    [
        (EnginePlan(), True),
        (EnginePlan(weights=Weights.STREAM, unet=UNetSlices(frames=1, pixels=1)), True),
        (EnginePlan(decoder=DecoderSlices(frames=1, maps=Maps.DISK)), True),
        (EnginePlan(decoder=DecoderSlices(chunk_frames=8)), False),
        (EnginePlan(fp8=True), False),
    ],
)
def test_only_chunks_and_eight_bits_change_the_picture(plan: EnginePlan, exact: bool) -> None:
    assert plan.exact is exact


def test_a_plan_survives_being_written_down() -> None:
    plan = EnginePlan(weights=Weights.STREAM, decoder=DecoderSlices(frames=2, maps=Maps.HOST, chunk_frames=4))

    assert EnginePlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize("values", [{"frames": 0}, {"pixels": 0}, {"chunk_frames": 0}, {"rows": 4}])
def test_what_is_no_slice_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        DecoderSlices.model_validate(values)
