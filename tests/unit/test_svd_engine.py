"""The engine against diffusers' own pipeline, and against numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_tiny import TINY_SAMPLING, svd_info
from numpy.typing import NDArray
from PIL import Image

from localvid.config import Settings
from localvid.errors import GenerationFailedError
from localvid.pipelines.svd.engine import StockEngine
from localvid.schemas import SamplingSettings

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8))
UNUSUAL = SamplingSettings(
    num_inference_steps=3,
    motion_bucket_id=40,
    noise_aug_strength=0.4,
    min_guidance_scale=1.5,
    max_guidance_scale=4.0,
    conditioning_fps=12,
    decode_chunk_size=2,
)
"""Nowhere the default of diffusers or of the tiny manifest."""


@pytest.fixture
def engine(tiny_svd: Path) -> Iterator[StockEngine]:
    engine = StockEngine(svd_info(tiny_svd), Settings(device="cpu"))
    yield engine
    engine.close()


def sample(
    engine: StockEngine, sampling: SamplingSettings = TINY_SAMPLING, *, num_frames: int = 3, seed: int = 7
) -> torch.Tensor:
    return engine.sample(IMAGE, num_frames=num_frames, seed=seed, sampling=sampling, on_step=lambda: None)


def decode(engine: StockEngine, latents: torch.Tensor, *, chunk_size: int = 2) -> NDArray[np.uint8]:
    return np.concatenate(list(engine.decode(latents, chunk_size=chunk_size)))


def test_frames_are_those_of_the_bare_pipeline(engine: StockEngine, tiny_svd: Path) -> None:
    from diffusers import StableVideoDiffusionPipeline

    bare = StableVideoDiffusionPipeline.from_pretrained(
        tiny_svd, variant="fp16", use_safetensors=True, local_files_only=True
    )
    expected = bare(
        IMAGE,
        height=64,
        width=128,
        num_frames=5,
        num_inference_steps=3,
        min_guidance_scale=1.5,
        max_guidance_scale=4.0,
        fps=12,
        motion_bucket_id=40,
        noise_aug_strength=0.4,
        decode_chunk_size=2,
        generator=torch.manual_seed(7),
    ).frames[0]

    frames = decode(engine, sample(engine, UNUSUAL, num_frames=5))
    assert np.array_equal(frames, np.stack([np.asarray(frame) for frame in expected]))


@pytest.mark.parametrize("field", sorted(SamplingSettings.model_fields.keys() - {"decode_chunk_size"}))
def test_each_setting_reaches_the_networks(engine: StockEngine, field: str) -> None:
    changed = TINY_SAMPLING.model_copy(update={field: getattr(UNUSUAL, field)})

    assert not torch.equal(sample(engine), sample(engine, changed))


def test_shape_and_steps(engine: StockEngine) -> None:
    steps: list[int] = []
    latents = engine.sample(
        IMAGE, num_frames=3, seed=1, sampling=UNUSUAL, on_step=lambda: steps.append(len(steps))
    )

    assert latents.shape == (3, 4, 8, 16)
    assert steps == [0, 1, 2]
    assert [chunk.shape for chunk in engine.decode(latents, chunk_size=2)] == [
        (2, 64, 128, 3),
        (1, 64, 128, 3),
    ]


def test_frames_decoded_together_are_at_most_the_chunk(
    engine: StockEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []
    whole = engine._pipeline.vae.decoder.forward

    def counted(latents: torch.Tensor, *args: object, **named: object) -> torch.Tensor:
        together.append(len(latents))
        return whole(latents, *args, **named)

    monkeypatch.setattr(engine._pipeline.vae.decoder, "forward", counted)
    decode(engine, sample(engine, num_frames=5))

    assert together == [2, 2, 1]


def test_guidance_of_one_takes_a_single_pass(engine: StockEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    whole = engine._pipeline.unet.forward

    def counted(latents: torch.Tensor, *args: object, **named: object) -> torch.Tensor:
        batches.append(len(latents))
        return whole(latents, *args, **named)

    monkeypatch.setattr(engine._pipeline.unet, "forward", counted)
    sample(engine, TINY_SAMPLING.model_copy(update={"max_guidance_scale": 1.0}))

    assert batches == [1, 1]


def test_latents_that_are_not_numbers_fail(engine: StockEngine) -> None:
    engine._pipeline.unet.conv_out.weight.data[0, 0, 0, 0] = torch.nan

    with pytest.raises(GenerationFailedError, match="latents that are not numbers"):
        sample(engine)


def test_frames_that_are_not_numbers_fail(engine: StockEngine) -> None:
    latents = sample(engine)
    engine._pipeline.vae.decoder.conv_out.weight.data[0, 0, 0, 0] = torch.nan

    with pytest.raises(GenerationFailedError, match="frames that are not numbers"):
        decode(engine, latents)


def test_half_precision_that_overflows_is_decoded_in_single(engine: StockEngine) -> None:
    vae = engine._pipeline.vae
    latents = sample(engine, num_frames=2)
    engine.dtype = torch.float16
    vae.to(dtype=torch.float16)
    vae.decoder.conv_in.weight.data *= 300_000  # beyond half's 65,504 at once; the norms after it undo it
    weights = {name: weight.clone() for name, weight in vae.state_dict().items()}
    assert not torch.isfinite(vae.decoder.conv_in(latents.half())).all()

    frames = decode(engine, latents)
    engine.rest()

    assert frames.std() > 4
    assert vae.dtype == torch.float16
    assert all(torch.equal(weight, weights[name]) for name, weight in vae.state_dict().items())
    engine.dtype = torch.float32
    assert np.array_equal(frames, decode(engine, latents))


def test_resting_mends_an_encoding_broken_off_in_single_precision(engine: StockEngine) -> None:
    engine.dtype = torch.float16  # as on a GPU; the tiny networks were loaded in single precision

    engine.rest()

    assert engine._pipeline.vae.dtype == torch.float16


def test_saving_memory_changes_no_frame(engine: StockEngine) -> None:
    expected = decode(engine, sample(engine, num_frames=4))

    engine._save_memory()  # with the CPU as the device that networks move to
    for _ in range(2):
        frames = decode(engine, sample(engine, num_frames=4))
        engine.rest()
        assert abs(frames.astype(int) - expected.astype(int)).max() <= 1


def test_sampling_can_be_stopped_while_networks_move(engine: StockEngine) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    engine._save_memory()
    hooks = list(engine._pipeline._all_hooks)
    with pytest.raises(KeyboardInterrupt):
        engine.sample(IMAGE, num_frames=2, seed=1, sampling=TINY_SAMPLING, on_step=stop)
    engine.rest()

    # Every network was sent back and waits under a hook of its own again.
    assert len(engine._pipeline._all_hooks) == 3
    assert not set(map(id, hooks)) & set(map(id, engine._pipeline._all_hooks))
    assert sample(engine, num_frames=2).shape == (2, 4, 8, 16)
