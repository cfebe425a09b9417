"""Stable Video Diffusion on a CUDA GPU: `python -m pytest tests/gpu -s` prints what it measures.

The tiny tests take seconds. The one of full size writes 4.2 GiB of random weights to the temporary folder
and runs two steps at 1024x576 with 25 frames.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from fixtures_tiny import TINY_SAMPLING, save_full_size_svd, svd_info
from numpy.typing import NDArray
from PIL import Image

from localvid.config import Settings
from localvid.pipelines.svd.adapter import StableVideoDiffusion
from localvid.schemas import Progress, SamplingSettings, VideoRequest

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine"),
]

GIB = 2**30


@pytest.fixture
def model(tiny_svd: Path) -> Iterator[StableVideoDiffusion]:
    with StableVideoDiffusion(svd_info(tiny_svd), Settings(device="cuda")) as model:
        yield model


def show(measured: str) -> None:
    sys.stdout.write(f"\n{measured}\n")


def clip_request(folder: Path, *, width: int, height: int, num_frames: int) -> VideoRequest:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "first.png")
    return VideoRequest(
        model_id="local:svd-xt",
        description="waves",
        width=width,
        height=height,
        num_frames=num_frames,
        fps=7,
        seed=1,
        first_frame=folder / "first.png",
        output=folder / "clip.mp4",
    )


def frames_of(path: Path) -> NDArray[np.int64]:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(np.int64)


def test_half_precision_is_near_single_on_the_cpu(
    model: StableVideoDiffusion, tiny_svd: Path, tmp_path: Path
) -> None:
    request = clip_request(tmp_path, width=128, height=64, num_frames=4)
    model.generate(request)
    on_cpu = request.model_copy(update={"output": tmp_path / "cpu.mp4"})
    with StableVideoDiffusion(svd_info(tiny_svd), Settings(device="cpu")) as reference:
        reference.generate(on_cpu)

    difference = abs(frames_of(request.output) - frames_of(on_cpu.output))
    show(
        f"fp16 on CUDA against fp32 on the CPU: mean {difference.mean():.2f}, most {difference.max()} of 255"
    )
    assert difference.mean() < 3


def test_networks_are_half_precision_and_leave_the_gpu(model: StableVideoDiffusion, tmp_path: Path) -> None:
    model.generate(clip_request(tmp_path, width=64, height=64, num_frames=4))

    assert model._engine is not None
    pipeline = model._engine._pipeline
    for network in (pipeline.unet, pipeline.vae, pipeline.image_encoder):
        assert {weight.dtype for weight in network.parameters()} == {torch.float16}
        assert {weight.device.type for weight in network.parameters()} == {"cpu"}


def test_same_seed_same_frames(model: StableVideoDiffusion, tmp_path: Path) -> None:
    request = clip_request(tmp_path, width=64, height=64, num_frames=4)
    again = request.model_copy(update={"output": tmp_path / "again.mp4"})
    model.generate(request)
    model.generate(again)

    assert np.array_equal(frames_of(request.output), frames_of(again.output))


@pytest.mark.parametrize("stop_at_step", [1, 2, 3])
def test_stopping_frees_the_memory(model: StableVideoDiffusion, tmp_path: Path, stop_at_step: int) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.step == stop_at_step:
            raise StopError

    request = clip_request(tmp_path, width=64, height=64, num_frames=4)
    model.generate(request.model_copy(update={"output": tmp_path / "before.mp4"}))
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    with pytest.raises(StopError):
        model.generate(request, stop)

    assert torch.cuda.memory_allocated() <= before + 2**20
    model.generate(request)
    assert np.array_equal(frames_of(request.output), frames_of(tmp_path / "before.mp4"))


def test_closing_frees_the_memory(tiny_svd: Path, tmp_path: Path) -> None:
    before = torch.cuda.memory_allocated()
    with StableVideoDiffusion(svd_info(tiny_svd), Settings(device="cuda")) as model:
        model.generate(clip_request(tmp_path, width=64, height=64, num_frames=4))

    assert torch.cuda.memory_allocated() <= before


def test_peak_memory_at_full_size(tmp_path: Path) -> None:
    """Of the published architecture with random weights: memory does not depend on their values."""
    sampling: SamplingSettings = TINY_SAMPLING.model_copy(update={"decode_chunk_size": 2})
    request = clip_request(tmp_path, width=1024, height=576, num_frames=25)
    request = request.model_copy(update={"sampling": sampling})
    latents = tmp_path / "clip.safetensors"
    info = svd_info(save_full_size_svd(tmp_path / "svd-xt"))
    with StableVideoDiffusion(info, Settings(device="cuda")) as model:
        model.load()
        torch.cuda.reset_peak_memory_stats()
        model.sample(request, latents)
        sampling_peak = torch.cuda.max_memory_allocated() / GIB
        torch.cuda.reset_peak_memory_stats()
        model.generate(request.model_copy(update={"latents": latents}))
        decoding_peak = torch.cuda.max_memory_allocated() / GIB

    show(f"1024x576, 25 frames: sampling {sampling_peak:.2f} GiB, decoding by two {decoding_peak:.2f} GiB")
    assert max(sampling_peak, decoding_peak) < 8.5
