"""The engine against diffusers' own pipeline, and against numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures_tiny import TINY_SAMPLING, svd_info
from numpy.typing import NDArray
from PIL import Image

from localvid.config import Settings
from localvid.errors import GenerationFailedError, OutOfMemoryError
from localvid.pipelines.svd.budget.ladder import ClipSize, Ladder, Rung
from localvid.pipelines.svd.engine import SvdEngine
from localvid.pipelines.svd.networks import decoder as svd_decoder
from localvid.pipelines.svd.networks import unet as svd_unet
from localvid.pipelines.svd.plan import (
    DecoderSlices,
    EnginePlan,
    Guidance,
    Maps,
    UNetSlices,
    Weights,
)
from localvid.schemas import SamplingSettings

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8))
UNUSUAL = SamplingSettings(
    num_inference_steps=3,
    motion_bucket_id=40,
    noise_aug_strength=0.4,
    min_guidance_scale=1.5,
    max_guidance_scale=4.0,
    conditioning_fps=12,
)
"""Nowhere the default of diffusers or of the tiny manifest."""

WHOLE_PLAN = EnginePlan()
TIGHT = EnginePlan(
    weights=Weights.STREAM,
    unet=UNetSlices(frames=1, pixels=7, guidance=Guidance.PASSES),
    decoder=DecoderSlices(frames=2, pixels=100, maps=Maps.HOST),
)
PLANS = [
    pytest.param(WHOLE_PLAN, id="whole"),
    pytest.param(EnginePlan(unet=UNetSlices(frames=2, pixels=50)), id="sliced"),
    pytest.param(
        EnginePlan(weights=Weights.MODEL, decoder=DecoderSlices(frames=1, maps=Maps.DISK)), id="a model"
    ),
    pytest.param(TIGHT, id="tight"),
]


@pytest.fixture(autouse=True)
def slices_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maps of small networks are smaller than the smallest slice that is worth its time."""
    for network in (svd_unet, svd_decoder):
        monkeypatch.setattr(network, "SMALLEST", 1)


@pytest.fixture
def engine(tiny_svd: Path) -> Iterator[SvdEngine]:
    engine = SvdEngine(svd_info(tiny_svd), Settings(device="cpu"))
    yield engine
    engine.close()


def ladder(plan: EnginePlan = WHOLE_PLAN, rungs: list[Rung] | None = None) -> Ladder:
    size = ClipSize(width=IMAGE.width, height=IMAGE.height, num_frames=5)
    return Ladder(plan, size, on_rung=(rungs if rungs is not None else []).append)


def sample(
    engine: SvdEngine,
    sampling: SamplingSettings = TINY_SAMPLING,
    plan: EnginePlan = WHOLE_PLAN,
    *,
    num_frames: int = 3,
    seed: int = 7,
) -> torch.Tensor:
    return engine.sample(
        IMAGE,
        num_frames=num_frames,
        seed=seed,
        sampling=sampling,
        ladder=ladder(plan),
        on_step=lambda _: None,
    )


def decode(engine: SvdEngine, latents: torch.Tensor, plan: EnginePlan = WHOLE_PLAN) -> NDArray[np.uint8]:
    return np.stack(list(engine.decode(latents, plan)))


def run_stock(directory: Path, **changes: Any) -> Any:
    """What diffusers' pipeline gives for `UNUSUAL`, with five frames."""
    from diffusers import StableVideoDiffusionPipeline

    bare = StableVideoDiffusionPipeline.from_pretrained(
        directory, variant="fp16", use_safetensors=True, local_files_only=True
    )
    settings = {
        "height": 64,
        "width": 128,
        "num_frames": 5,
        "num_inference_steps": 3,
        "min_guidance_scale": 1.5,
        "max_guidance_scale": 4.0,
        "fps": 12,
        "motion_bucket_id": 40,
        "noise_aug_strength": 0.4,
    }
    return bare(IMAGE, generator=torch.manual_seed(7), **{**settings, **changes}).frames[0]


@pytest.mark.parametrize("plan", PLANS)
def test_latents_are_those_of_the_bare_pipeline(engine: SvdEngine, tiny_svd: Path, plan: EnginePlan) -> None:
    expected = run_stock(tiny_svd, output_type="latent")

    latents = sample(engine, UNUSUAL, plan, num_frames=5)

    assert (latents - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("guidance", [1.0, 0.5])
def test_latents_without_guidance_are_those_of_the_bare_pipeline(
    engine: SvdEngine, tiny_svd: Path, guidance: float
) -> None:
    changes = {"min_guidance_scale": 0.5, "max_guidance_scale": guidance}
    expected = run_stock(tiny_svd, output_type="latent", **changes)

    latents = sample(engine, UNUSUAL.model_copy(update=changes), num_frames=5)

    assert (latents - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("together", [None, 2])
def test_frames_are_those_of_the_bare_pipeline(
    engine: SvdEngine, tiny_svd: Path, plan: EnginePlan, together: int | None
) -> None:
    expected = np.stack([np.asarray(frame) for frame in run_stock(tiny_svd, decode_chunk_size=together)])
    decoder = plan.decoder.model_copy(update={"chunk_frames": together})

    frames = decode(
        engine, sample(engine, UNUSUAL, plan, num_frames=5), plan.model_copy(update={"decoder": decoder})
    )

    # A value that falls between two levels may be rounded either way.
    assert abs(frames.astype(int) - expected.astype(int)).max() <= 1
    assert (frames != expected).mean() < 1e-3


def test_frames_decoded_together_have_no_seam(engine: SvdEngine) -> None:
    latents = sample(engine, num_frames=5)
    chunks = WHOLE_PLAN.model_copy(update={"decoder": DecoderSlices(chunk_frames=2)})

    together, seamed = decode(engine, latents, TIGHT), decode(engine, latents, chunks)

    assert abs(together.astype(int) - decode(engine, latents).astype(int)).max() <= 1
    assert abs(together.astype(int) - seamed.astype(int)).max() > 1


@pytest.mark.parametrize("field", sorted(SamplingSettings.model_fields.keys() - {"decode_chunk_size"}))
def test_each_setting_reaches_the_networks(engine: SvdEngine, field: str) -> None:
    changed = TINY_SAMPLING.model_copy(update={field: getattr(UNUSUAL, field)})

    assert not torch.equal(sample(engine), sample(engine, changed))


def test_shape_and_steps(engine: SvdEngine) -> None:
    steps: list[int] = []
    latents = engine.sample(
        IMAGE, num_frames=3, seed=1, sampling=UNUSUAL, ladder=ladder(), on_step=steps.append
    )

    assert latents.shape == (3, 4, 8, 16)
    assert steps == [1, 2, 3]
    assert [frame.shape for frame in engine.decode(latents, WHOLE_PLAN)] == [(64, 128, 3)] * 3


def test_one_engine_changes_its_plan_from_clip_to_clip(engine: SvdEngine) -> None:
    first = sample(engine)
    for weights in (*Weights, Weights.RESIDENT):
        latents = sample(engine, plan=EnginePlan(weights=weights))
        assert (latents - first).abs().max() <= 1e-5 * first.abs().max()


def test_only_the_image_steers_without_guidance(engine: SvdEngine) -> None:
    batches: list[int] = []
    conv = engine._pipeline.unet.conv_out
    conv.register_forward_hook(lambda _module, inputs, _output: batches.append(len(inputs[0])))

    sample(engine, TINY_SAMPLING.model_copy(update={"max_guidance_scale": 1.0}))

    assert batches == [3, 3]


def test_a_step_that_ran_out_of_memory_is_done_again_alone(
    engine: SvdEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sample(engine, UNUSUAL)
    convolve = engine._pipeline.unet.conv_out.forward
    calls: list[int] = []

    def exhausted_once(hidden: torch.Tensor) -> torch.Tensor:
        calls.append(len(hidden))
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        result: torch.Tensor = convolve(hidden)
        return result

    monkeypatch.setattr(engine._pipeline.unet.conv_out, "forward", exhausted_once)
    rungs: list[Rung] = []
    steps: list[int] = []
    latents = engine.sample(
        IMAGE, num_frames=3, seed=7, sampling=UNUSUAL, ladder=ladder(rungs=rungs), on_step=steps.append
    )

    assert steps == [1, 2, 3]
    assert [rung.change for rung in rungs] == ["guidance in two passes"]
    assert calls == [6, 6, 3, 3, 3, 3]  # the second step again, in two passes, and the third so too
    assert (latents - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_out_of_memory_at_the_bottom_says_so(engine: SvdEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_hidden: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(engine._pipeline.unet.conv_out, "forward", exhausted)
    rungs: list[Rung] = []

    with pytest.raises(OutOfMemoryError, match="nothing left to save"):
        engine.sample(
            IMAGE,
            num_frames=3,
            seed=7,
            sampling=UNUSUAL,
            ladder=ladder(rungs=rungs),
            on_step=lambda _: None,
        )
    assert rungs[-1].plan.weights is Weights.STREAM


def test_latents_that_are_not_numbers_fail(engine: SvdEngine) -> None:
    engine._pipeline.unet.conv_out.weight.data[0, 0, 0, 0] = torch.nan

    with pytest.raises(GenerationFailedError, match="latents that are not numbers"):
        sample(engine)


def test_frames_that_are_not_numbers_fail(engine: SvdEngine) -> None:
    latents = sample(engine)
    engine._pipeline.vae.decoder.conv_out.weight.data[0, 0, 0, 0] = torch.nan

    with pytest.raises(GenerationFailedError, match="frames that are not numbers"):
        decode(engine, latents)


@pytest.mark.parametrize("weights", list(Weights))
def test_half_precision_that_overflows_is_decoded_in_a_safer_one(engine: SvdEngine, weights: Weights) -> None:
    vae = engine._pipeline.vae
    latents = sample(engine, num_frames=2)
    engine.dtype = torch.float16
    vae.to(dtype=torch.float16)
    vae.decoder.conv_in.weight.data *= 300_000  # beyond half's 65,504 at once; the norms after it undo it
    before = {name: weight.clone() for name, weight in vae.state_dict().items()}
    assert not torch.isfinite(vae.decoder.conv_in(latents.half())).all()

    frames = decode(engine, latents, EnginePlan(weights=weights))

    assert frames.std() > 4
    assert all(torch.equal(weight, before[name]) for name, weight in vae.state_dict().items())
    engine.dtype = torch.float32
    vae.to(dtype=torch.float32)
    assert abs(frames.astype(int) - decode(engine, latents).astype(int)).max() <= 4  # bfloat16's own rounding


@pytest.mark.parametrize("weights", list(Weights))
def test_sampling_that_is_stopped_can_begin_again(engine: SvdEngine, weights: Weights) -> None:
    def stop(_step: int) -> None:
        raise KeyboardInterrupt

    expected = sample(engine, plan=EnginePlan(weights=weights))
    with pytest.raises(KeyboardInterrupt):
        engine.sample(
            IMAGE,
            num_frames=3,
            seed=7,
            sampling=TINY_SAMPLING,
            ladder=ladder(EnginePlan(weights=weights)),
            on_step=stop,
        )

    assert torch.equal(sample(engine, plan=EnginePlan(weights=weights)), expected)


def test_eight_bits_are_close_and_said_to_be_lossy(engine: SvdEngine, tiny_svd: Path) -> None:
    rounded = SvdEngine(svd_info(tiny_svd), Settings(device="cpu", fp8_weights=True))
    exact = sample(engine)
    for weights in Weights:
        latents = sample(rounded, plan=EnginePlan(weights=weights, fp8=True))
        assert 0 < (latents - exact).std() < 0.5 * exact.std()
    assert not EnginePlan(fp8=True).exact
