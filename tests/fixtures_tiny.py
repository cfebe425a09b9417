"""Tiny diffusion models for tests: real classes, random weights, real files made by `save_pretrained`.

They are made anew in each run, into its own temporary folder; no weights are kept in the project. Loaded
by conftest.py as a pytest plugin. torch is imported only where a model is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from localvid.schemas import (
    IntRange,
    ModelCapabilities,
    ModelInfo,
    ModelKind,
    ModelManifest,
    SamplingSettings,
    VideoRequest,
)

TINY_SAMPLING = SamplingSettings(
    num_inference_steps=2,
    motion_bucket_id=127,
    noise_aug_strength=0.02,
    min_guidance_scale=1.0,
    max_guidance_scale=3.0,
    conditioning_fps=6,
    decode_chunk_size=2,
)


@pytest.fixture(scope="session")
def tiny_svd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that `StableVideoDiffusionPipeline.from_pretrained` reads: 2.5 M random parameters."""
    return save_svd(tmp_path_factory.mktemp("models") / "svd")


@pytest.fixture(scope="session")
def tiny_painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that `AutoPipelineForText2Image.from_pretrained` reads: a random Stable Diffusion."""
    return save_text_to_image(tmp_path_factory.mktemp("models") / "painter")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch works in one thread: the fastest for tiny models."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def inference() -> Iterator[None]:
    """torch's seed 0, and nothing kept for gradients."""
    import torch

    torch.manual_seed(0)
    with torch.inference_mode():
        yield


@pytest.fixture
def slices_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maps of small networks are smaller than the smallest slice that is worth its time."""
    from localvid.pipelines.svd.networks import decoder, unet

    for network in (decoder, unet):
        monkeypatch.setattr(network, "SMALLEST", 1)


@pytest.fixture
def as_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the layers have one way for a processor and one for a GPU, they go the GPU's."""
    from localvid.pipelines.svd.networks import layers, transformers

    for module in (layers, transformers):
        monkeypatch.setattr(module, "on_cpu", lambda _values: False)


@pytest.fixture(params=["as on a processor", "as on a GPU"])
def either_way(request: pytest.FixtureRequest) -> None:
    if request.param == "as on a GPU":
        request.getfixturevalue("as_on_gpu")


def svd_info(source: Path | None, **changes: Any) -> ModelInfo:
    """`local:svd-xt` with its weights at `source`, as the registry would describe it; small sizes allowed.

    `changes` replace fields of the manifest.
    """
    manifest = ModelManifest(
        id="local:svd-xt",
        kind=ModelKind.VIDEO,
        title="Tiny Stable Video Diffusion",
        adapter="localvid.pipelines.svd.adapter:StableVideoDiffusion",
        revision="tiny",
        licence="none: random weights",
        capabilities=ModelCapabilities(
            width=IntRange(minimum=64, maximum=1024),
            height=IntRange(minimum=64, maximum=1024),
            size_multiple=64,
            num_frames=IntRange(minimum=2, maximum=25),  # of one frame, diffusers confuses its own guidance
            fps=IntRange(minimum=1, maximum=60),
            default_width=64,
            default_height=64,
            default_num_frames=4,
            default_fps=7,
            needs_first_frame=True,
            takes_crop_path=True,
            stores_latents=True,
            sampling=TINY_SAMPLING,
        ),
    )
    return ModelInfo(manifest=manifest.model_copy(update=changes), available=True, source=source)


def painter_info(source: Path | None, **settings: int | float | str | bool) -> ModelInfo:
    """A keyframe model with its weights at `source`, as the registry would describe it."""
    manifest = ModelManifest(
        id="local:tiny-painter",
        kind=ModelKind.KEYFRAME,
        title="Tiny text-to-image",
        adapter="localvid.pipelines.keyframe:DiffusersPainter",
        revision="tiny",
        licence="none: random weights",
        settings={"num_inference_steps": 2, "guidance_scale": 3.0, "native_pixels": 64 * 64, **settings},
    )
    return ModelInfo(manifest=manifest, available=True, source=source)


def noise_request(folder: Path) -> VideoRequest:
    """4 frames of 64x64 from a first frame of noise, made in `folder`."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "first.png")
    return VideoRequest(
        model_id="local:svd-xt",
        description="waves",
        width=64,
        height=64,
        num_frames=4,
        fps=7,
        seed=1,
        first_frame=folder / "first.png",
        output=folder / "clip.mp4",
    )


def save_svd(
    directory: Path,
    *,
    channels: tuple[int, int] = (32, 64),
    vae_channels: tuple[int, int, int, int] = (32, 32, 32, 64),
    variant: str | None = "fp16",
) -> Path:
    """Save a random Stable Video Diffusion whose VAE shrinks by 8, as the real one does."""
    import torch
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        StableVideoDiffusionPipeline,
        UNetSpatioTemporalConditionModel,
    )
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    pipeline = StableVideoDiffusionPipeline(
        unet=UNetSpatioTemporalConditionModel(
            sample_size=8,
            in_channels=8,
            out_channels=4,
            block_out_channels=channels,
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            num_attention_heads=(2, 4),
            cross_attention_dim=32,
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
        ),
        vae=AutoencoderKLTemporalDecoder(
            block_out_channels=vae_channels,
            down_block_types=("DownEncoderBlock2D",) * 4,
            latent_channels=4,
            layers_per_block=1,
        ),
        image_encoder=CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                image_size=224,  # the size that the pipeline makes of every image
                patch_size=56,
                hidden_size=32,
                projection_dim=32,
                intermediate_size=64,
                num_hidden_layers=1,
                num_attention_heads=2,
            )
        ),
        scheduler=svd_scheduler(),
        feature_extractor=_image_processor(),
    )
    pipeline.save_pretrained(directory, variant=variant)
    _name_processor_as_published(directory)
    return directory


def save_full_size_svd(directory: Path) -> Path:
    """Save the published SVD-XT architecture with random weights in half precision: 4.2 GiB.

    They are drawn on a GPU where there is one: in seconds, not in half a minute.
    """
    import torch
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        StableVideoDiffusionPipeline,
        UNetSpatioTemporalConditionModel,
    )
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        unet = UNetSpatioTemporalConditionModel(
            sample_size=96, num_frames=25, num_attention_heads=(5, 10, 20, 20)
        )
        vae = AutoencoderKLTemporalDecoder(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            layers_per_block=2,
        )
        image_encoder = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=1280,
                intermediate_size=5120,
                projection_dim=1024,
                num_hidden_layers=32,
                num_attention_heads=16,
                patch_size=14,
                hidden_act="gelu",
            )
        )
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)
    StableVideoDiffusionPipeline(
        unet=unet.cpu(),
        vae=vae.cpu(),
        image_encoder=image_encoder.cpu(),
        scheduler=svd_scheduler(),
        feature_extractor=_image_processor(),
    ).save_pretrained(directory, variant="fp16")
    return directory


def svd_scheduler() -> Any:
    """The scheduler of the published model."""
    from diffusers import EulerDiscreteScheduler

    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        use_karras_sigmas=True,
        sigma_min=0.002,
        sigma_max=700.0,
        timestep_spacing="leading",
        timestep_type="continuous",
        steps_offset=1,
    )


def _image_processor() -> Any:
    from transformers import CLIPImageProcessorPil

    return CLIPImageProcessorPil(size={"shortest_edge": 224}, crop_size=224)


def _name_processor_as_published(directory: Path) -> None:
    """The published index names `CLIPImageProcessor`, which is looked up, and warned about, on loading."""
    index = directory / "model_index.json"
    entries = json.loads(index.read_text())
    entries["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    index.write_text(json.dumps(entries))


def save_text_to_image(directory: Path) -> Path:
    """Save a random Stable Diffusion with a tokenizer of single letters."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = _letter_tokenizer(directory.with_name(directory.name + "-vocabulary"))
    pipeline = StableDiffusionPipeline(
        unet=UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=4,
        ),
        vae=AutoencoderKL(
            block_out_channels=(32, 32, 32, 64),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            layers_per_block=1,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=77,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        ),
        tokenizer=tokenizer,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(directory)
    return directory


def _letter_tokenizer(folder: Path) -> Any:
    """A CLIPTokenizer that knows single bytes and no merges: any text becomes tokens."""
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=77)
