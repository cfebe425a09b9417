"""How exact a whole clip is: prediction by prediction, and by what rounding makes of diffusers' own.

A step of diffusers' scheduler adds two numbers of the size of the noise, up to 700 standard deviations, whose
sum may be a latent of size 1. What is left of them has the last digit of the large ones, so the fewer the
steps, the coarser the result, by the same measure for whoever computes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from fixtures_tiny import TINY_SAMPLING, svd_info
from PIL import Image
from torch import Tensor

from localvid.config import Settings
from localvid.pipelines.svd.budget.ladder import ClipSize, Ladder
from localvid.pipelines.svd.engine import SvdEngine
from localvid.pipelines.svd.networks import unet as svd_unet
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.plan import EnginePlan, Guidance, UNetSlices
from localvid.schemas import SamplingSettings

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
NUM_FRAMES, SEED = 4, 7
SLICES = {
    "together": UNetSlices(),
    "passes": UNetSlices(guidance=Guidance.PASSES),
    "tight": UNetSlices(frames=1, pixels=7, guidance=Guidance.PASSES),
}
ROUNDING = 1e-7
"""What is left of a number in single precision is off by 6e-8 of it at most."""


class Call(NamedTuple):
    """What the pipeline called its UNet with, and the prediction it got."""

    sample: Tensor
    timestep: Tensor
    embeddings: Tensor
    time_ids: Tensor
    prediction: Tensor


@pytest.fixture(autouse=True)
def alone_and_sliced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, and slices as they are asked for, which so small maps would not have."""
    monkeypatch.setattr(svd_unet, "SMALLEST", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pipeline(tiny_svd: Path) -> Any:
    from diffusers import StableVideoDiffusionPipeline

    return StableVideoDiffusionPipeline.from_pretrained(
        tiny_svd, variant="fp16", use_safetensors=True, local_files_only=True
    )


def with_steps(count: int) -> SamplingSettings:
    return TINY_SAMPLING.model_copy(update={"num_inference_steps": count})


def run_stock(pipeline: Any, steps: int) -> Tensor:
    """Latents of diffusers' pipeline."""
    sampling = with_steps(steps)
    latents: Tensor = pipeline(
        IMAGE,
        width=IMAGE.width,
        height=IMAGE.height,
        num_frames=NUM_FRAMES,
        num_inference_steps=steps,
        min_guidance_scale=sampling.min_guidance_scale,
        max_guidance_scale=sampling.max_guidance_scale,
        fps=sampling.conditioning_fps,
        motion_bucket_id=sampling.motion_bucket_id,
        noise_aug_strength=sampling.noise_aug_strength,
        generator=torch.Generator().manual_seed(SEED),
        output_type="latent",
    ).frames[0]
    return latents


def run_engine(directory: Path, steps: int, slices: UNetSlices) -> Tensor:
    engine = SvdEngine(svd_info(directory), Settings(device="cpu"))
    size = ClipSize(width=IMAGE.width, height=IMAGE.height, num_frames=NUM_FRAMES)
    return engine.sample(
        IMAGE,
        num_frames=NUM_FRAMES,
        seed=SEED,
        sampling=with_steps(steps),
        ladder=Ladder(EnginePlan(unet=slices), size, on_rung=lambda _: None),
        on_step=lambda _: None,
    )


def furthest(one: Tensor, other: Tensor) -> float:
    return float((one.double() - other.double()).abs().max())


def off_by_rounding(pipeline: Any, steps: int, expected: Tensor) -> float:
    """How far diffusers' pipeline is from itself: with guidance in two passes of its own UNet, and with a
    rounding more of what the UNet is given."""
    forward = pipeline.unet.forward

    def in_passes(sample: Tensor, timestep: Tensor, *, return_dict: bool, **given: Tensor) -> tuple[Tensor]:
        each = [
            forward(
                sample[i : i + 1],
                timestep,
                return_dict=return_dict,
                **{name: tensor[i : i + 1] for name, tensor in given.items()},
            )[0]
            for i in range(len(sample))
        ]
        return (torch.cat(each),)

    def rounded(sample: Tensor, timestep: Tensor, **given: Any) -> Any:
        noise = torch.randn(sample.shape, generator=torch.Generator().manual_seed(1))
        return forward(sample * (1 + ROUNDING * noise), timestep, **given)

    differences = []
    for other in (in_passes, rounded):
        pipeline.unet.forward = other
        differences.append(furthest(run_stock(pipeline, steps), expected))
    pipeline.unet.forward = forward
    return max(differences)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_a_clip_is_as_close_as_stock_is_to_itself(pipeline: Any, tiny_svd: Path, steps: int) -> None:
    expected = run_stock(pipeline, steps)
    own = off_by_rounding(pipeline, steps, expected)

    for slices in SLICES.values():
        difference = furthest(run_engine(tiny_svd, steps, slices), expected)
        assert difference <= 2 * own
        if steps > 2:  # of two, one goes from 700 to 0.002
            assert difference <= 1e-5 * expected.abs().max()


def test_each_prediction_of_a_clip_is_exact(pipeline: Any) -> None:
    calls = recorded_calls(pipeline, steps=5)

    for call in calls:
        for slices in SLICES.values():
            assert furthest(predict(pipeline.unet, call, slices), call.prediction) <= 1e-5


def test_predictions_are_no_further_from_double_precision_than_stock(pipeline: Any) -> None:
    calls = recorded_calls(pipeline, steps=5)
    errors: dict[str, list[Tensor]] = {name: [] for name in ("stock", *SLICES)}
    ours = {name: [predict(pipeline.unet, call, slices) for call in calls] for name, slices in SLICES.items()}
    double = pipeline.unet.double()
    for index, call in enumerate(calls):
        sample, timestep, embeddings, time_ids = (tensor.double() for tensor in call[:4])
        with torch.inference_mode():
            exact = double(sample, timestep, embeddings, time_ids).sample
        errors["stock"].append(call.prediction - exact)
        for name, predictions in ours.items():
            errors[name].append(predictions[index] - exact)

    off = {name: float(torch.stack(each).square().mean().sqrt()) for name, each in errors.items()}
    assert all(0 < off[name] <= 1.1 * off["stock"] for name in SLICES), off


def recorded_calls(pipeline: Any, *, steps: int) -> list[Call]:
    """All that the pipeline asks its UNet for in a clip."""
    calls: list[Call] = []
    forward = pipeline.unet.forward

    def recorded(
        sample: Tensor,
        timestep: Tensor,
        *,
        encoder_hidden_states: Tensor,
        added_time_ids: Tensor,
        **given: Any,
    ) -> Any:
        result = forward(
            sample,
            timestep,
            encoder_hidden_states=encoder_hidden_states,
            added_time_ids=added_time_ids,
            **given,
        )
        calls.append(Call(sample, timestep, encoder_hidden_states, added_time_ids, result[0]))
        return result

    pipeline.unet.forward = recorded
    run_stock(pipeline, steps)
    del pipeline.unet.forward
    assert len(calls) == steps
    return calls


def predict(unet: Any, call: Call, slices: UNetSlices) -> Tensor:
    sliced = SlicedUNet(unet, slices)
    conditions = sliced.condition(call.embeddings, call.time_ids, num_frames=NUM_FRAMES)
    return sliced(call.sample, call.timestep, conditions)
