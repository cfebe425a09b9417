"""Stable Video Diffusion on a CUDA GPU: `python -m pytest tests/gpu -s` prints what it measures.

The tiny tests take seconds. Those of full size write 4.2 GiB of random weights to the temporary folder and
run two steps at 1024x576 with 25 frames under several plans.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from diffusers import StableVideoDiffusionPipeline
from faulty_child import VARIABLE, Fault
from fixtures_tiny import TINY_SAMPLING, save_full_size_svd, svd_info
from numpy.typing import NDArray
from PIL import Image

from localvid import FilmOptions, VideoOrchestrator
from localvid.batch import BatchTerms, Worker, begin_batch
from localvid.batch_file import BatchRow
from localvid.config import Settings
from localvid.pipelines.diffusion import free_memory
from localvid.pipelines.hosted import HostedVideoModel
from localvid.pipelines.svd.adapter import StableVideoDiffusion
from localvid.pipelines.svd.budget.architecture import build_networks
from localvid.pipelines.svd.budget.ladder import ClipSize, ClipStage, Ladder, Rung
from localvid.pipelines.svd.budget.rehearsal import Rehearsal
from localvid.pipelines.svd.engine import SvdEngine
from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.pinned import pinned_size
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.plan import (
    Attention,
    DecoderSlices,
    EnginePlan,
    Guidance,
    Maps,
    UNetSlices,
    Weights,
)
from localvid.schemas import Progress, VideoRequest

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


def show(*measured: str) -> None:
    sys.stdout.write("".join(f"\n{line}\n" for line in measured))


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
    # After few steps, latents in half precision are far off whoever computes them: docs/svd.md.
    steps = TINY_SAMPLING.model_copy(update={"num_inference_steps": 25})
    request = clip_request(tmp_path, width=128, height=64, num_frames=4)
    request = request.model_copy(update={"sampling": steps})
    model.generate(request)
    on_cpu = request.model_copy(update={"output": tmp_path / "cpu.mp4"})
    with StableVideoDiffusion(svd_info(tiny_svd), Settings(device="cpu")) as reference:
        reference.generate(on_cpu)

    difference = abs(frames_of(request.output) - frames_of(on_cpu.output))
    show(
        f"fp16 on CUDA against fp32 on the CPU: mean {difference.mean():.2f}, most {difference.max()} of 255"
    )
    assert difference.mean() < 3


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


# --- full size: the published architecture with random weights, for memory does not depend on values ----


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_full_size_svd(tmp_path_factory.mktemp("models") / "svd-xt")


FULL = ClipSize(width=1024, height=576, num_frames=25)
SMALL_SLICES = EnginePlan(
    weights=Weights.MODEL,
    unet=UNetSlices(frames=1, pixels=1024, guidance=Guidance.PASSES),
    decoder=DecoderSlices(frames=1, pixels=9216, maps=Maps.HOST),
)
STREAMED = SMALL_SLICES.model_copy(update={"weights": Weights.STREAM})


class Measured(NamedTuple):
    """What one clip took on the GPU: peaks in bytes, time in seconds."""

    sampling_bytes: int
    decoding_bytes: int
    seconds: float
    latents: torch.Tensor


def run_at_full_size(source: Path, plan: EnginePlan, **settings: object) -> Measured:
    """Two steps and the decoding of all frames under exactly this plan: no rung may be needed."""

    def fail(rung: Rung) -> None:
        raise AssertionError(rung.notice)

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (576, 1024, 3), dtype=np.uint8))
    engine = SvdEngine(svd_info(source), Settings.model_validate({"device": "cuda", **settings}))
    try:
        ladder = Ladder(plan, FULL, on_rung=fail)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        started = time.monotonic()
        latents = engine.sample(
            image, num_frames=25, seed=1, sampling=TINY_SAMPLING, ladder=ladder, on_step=lambda _: None
        )
        torch.cuda.synchronize()
        sampling_bytes = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        frames = engine.attempt(lambda: list(engine.decode(latents, plan)))
        assert len(frames) == 25
        seconds = time.monotonic() - started
        return Measured(sampling_bytes, torch.cuda.max_memory_allocated(), seconds, latents.float().cpu())
    finally:
        engine.close()
        free_memory()


@pytest.mark.parametrize("plan", [SMALL_SLICES, STREAMED], ids=["a network at a time", "streamed"])
def test_peak_memory_is_what_was_predicted(full_size: Path, plan: EnginePlan) -> None:
    rehearsal = Rehearsal(build_networks(full_size, dtype=torch.float16), FULL, guided=True)
    before = (rehearsal.clip(plan.weights), rehearsal.encode(plan.weights))
    predicted = (
        max(trace.peak_bytes for trace in (*before, rehearsal.step(plan.unet, plan.weights))),
        rehearsal.decode(plan.decoder, plan.weights).peak_bytes,
    )
    measured = run_at_full_size(full_size, plan)

    for stage, expected, found in zip(("sampling", "decoding"), predicted, measured[:2], strict=True):
        show(f"{plan.weights}, {stage}: predicted {expected / GIB:.2f} GiB, measured {found / GIB:.2f} GiB")
    show(f"two steps and 25 frames in {measured.seconds:.1f} s")
    for expected, found in zip(predicted, measured[:2], strict=True):
        assert found == pytest.approx(expected, rel=0.05)
    assert max(measured[:2]) <= (2.0 if plan.weights is Weights.STREAM else 4.0) * GIB


def test_streams_change_no_number_and_cost_little_time(full_size: Path) -> None:
    still, streamed = (run_at_full_size(full_size, plan) for plan in (SMALL_SLICES, STREAMED))

    show(f"a network at a time {still.seconds:.1f} s, streamed {streamed.seconds:.1f} s")
    assert torch.equal(still.latents, streamed.latents)


def test_compiled_networks_give_nearly_the_same(full_size: Path) -> None:
    plain = run_at_full_size(full_size, SMALL_SLICES)
    compiled = run_at_full_size(full_size, SMALL_SLICES.model_copy(update={"compile": True}))

    show(f"plain {plain.seconds:.1f} s, compiled {compiled.seconds:.1f} s with the compiling")
    assert relative_error(compiled.latents, plain.latents) < 0.02


@pytest.mark.skipif(importlib.util.find_spec("xformers") is None, reason="xformers is not installed")
def test_xformers_gives_nearly_the_same(full_size: Path) -> None:
    plain = run_at_full_size(full_size, SMALL_SLICES)
    other = run_at_full_size(full_size, SMALL_SLICES.model_copy(update={"attention": Attention.XFORMERS}))

    show(f"SDPA {plain.seconds:.1f} s, xformers {other.seconds:.1f} s")
    assert relative_error(other.latents, plain.latents) < 0.02


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """In standard deviations of what was expected."""
    return float((found - expected).abs().mean() / expected.std())


def test_pinned_memory_takes_what_is_counted(model: StableVideoDiffusion) -> None:
    model.load()
    free_memory()
    before = torch.cuda.memory.host_memory_stats()["allocated_bytes.current"]
    size = 300 * 2**20
    pinned = torch.empty(size, dtype=torch.uint8, pin_memory=True)
    taken = torch.cuda.memory.host_memory_stats()["allocated_bytes.current"] - before
    show(f"pinned memory: {size / 2**20:.0f} MiB asked for, {taken / 2**20:.0f} taken")
    assert taken == pinned_size(size)

    del pinned
    free_memory()
    assert torch.cuda.memory.host_memory_stats()["allocated_bytes.current"] == before


def test_memory_that_runs_out_leads_down_the_ladder(full_size: Path) -> None:
    """For real: torch is given 5 GiB of the card, and the plan takes it for boundless."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (576, 1024, 3), dtype=np.uint8))
    engine = SvdEngine(svd_info(full_size), Settings(device="cuda"))
    rungs: list[Rung] = []
    ladder = Ladder(EnginePlan(), FULL, on_rung=rungs.append)
    fraction = 5 * GIB / torch.cuda.get_device_properties(0).total_memory
    free_memory()
    torch.cuda.set_per_process_memory_fraction(fraction)
    try:
        engine.load(ladder)
        latents = engine.sample(
            image, num_frames=25, seed=1, sampling=TINY_SAMPLING, ladder=ladder, on_step=lambda _: None
        )
        sampled = len(rungs)
        frames = ladder.run(
            ClipStage.DECODE, lambda plan: engine.attempt(lambda: list(engine.decode(latents, plan)))
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        engine.close()
        free_memory()
    for rung in rungs:
        show(rung.notice)
    assert len(frames) == 25
    assert 0 < sampled < len(rungs)
    assert ladder.plan.exact


def test_a_process_whose_gpu_fails_is_replaced(
    tiny_svd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strikes").mkdir()
    fault = Fault(kind="break_device", folder=tmp_path / "strikes", message="sampling", step=1)
    monkeypatch.setenv(VARIABLE, fault.model_dump_json())
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]))
    request = clip_request(tmp_path, width=64, height=64, num_frames=4)
    notices: list[str] = []
    pids: set[int | None] = set()
    settings = Settings(device="cuda", workspace=tmp_path)
    with HostedVideoModel(svd_info(tiny_svd), settings, target="faulty_child:FaultyModel") as hosted:

        def listen(progress: Progress) -> None:
            notices.extend([progress.notice] if progress.notice else [])
            pids.add(hosted.process.pid)

        hosted.generate(request, listen)
    with StableVideoDiffusion(svd_info(tiny_svd), settings) as model:
        model.generate(request.model_copy(update={"output": tmp_path / "here.mp4"}))

    show(*notices)
    assert len(pids - {None}) == 2
    assert any("once more in a new process" in notice for notice in notices)
    assert np.array_equal(frames_of(request.output), frames_of(tmp_path / "here.mp4"))


def test_films_of_a_batch_say_what_they_took_of_the_gpu(tiny_svd: Path, tmp_path: Path) -> None:
    settings = Settings(
        workspace=tmp_path / "workspace",
        model_paths={"local:svd-xt": tiny_svd},
        device="cuda",
        min_free_gib=0,
        offline=True,
    )
    Image.new("RGB", (64, 64), (90, 60, 30)).save(tmp_path / "first.png")
    options = FilmOptions(
        model="local:svd-xt",
        llm="llm:outline",
        reference_image=tmp_path / "first.png",
        width=64,
        height=64,
        num_frames=4,
        fps=7,
        num_inference_steps=2,
        max_shots=1,
    )
    rows = [BatchRow(line=n, number=n, prompt=f"a fox {n}", options=options, seed=n) for n in (1, 2)]
    with VideoOrchestrator(settings) as orchestrator:
        batch = begin_batch(orchestrator, rows, source="x")
        Worker(orchestrator, batch, BatchTerms(backoff_seconds=0)).run()
        films = batch.entries()

    assert [film.state for film in films] == ["done", "done"], films[0].error
    for film in films:
        assert film.gpu_bytes is not None
        assert film.host_bytes is not None
        show(f"host {film.host_bytes / GIB:.2f} GiB, torch on the GPU {film.gpu_bytes / 2**20:.0f} MiB")
        assert 0 < film.gpu_bytes < torch.cuda.get_device_properties(0).total_memory


@torch.inference_mode()
def test_half_precision_is_no_further_off_than_diffusers(full_size: Path) -> None:
    """One pass of the UNet, and the decoding of 8 frames, beside diffusers in single precision."""
    torch.backends.cudnn.allow_tf32 = False

    def load(dtype: torch.dtype) -> Any:
        pipeline = StableVideoDiffusionPipeline.from_pretrained(full_size, variant="fp16", dtype=dtype)
        return pipeline.to("cuda")

    draw = torch.Generator("cpu").manual_seed(1)
    sample, latents, embedding = (
        torch.randn(shape, generator=draw).to("cuda", torch.float16)
        for shape in ((1, 25, 8, 72, 128), (8, 4, 72, 128), (1, 1, 1024))
    )
    time_ids = torch.tensor([[6.0, 127.0, 0.02]], device="cuda", dtype=torch.float16)
    now = torch.ones((), device="cuda")

    def by_diffusers(pipeline: Any) -> tuple[torch.Tensor, torch.Tensor]:
        dtype = pipeline.unet.dtype
        predicted = pipeline.unet(sample.to(dtype), now, embedding.to(dtype), time_ids.to(dtype)).sample
        frames = pipeline.vae.decode(latents.to(dtype), num_frames=8).sample
        return predicted.float(), frames.float()

    def by_localvid(pipeline: Any) -> tuple[torch.Tensor, torch.Tensor]:
        unet = SlicedUNet(pipeline.unet, SMALL_SLICES.unet, device=torch.device("cuda"))
        conditions = unet.condition(embedding, time_ids, num_frames=25)
        predicted = unet(sample, now, conditions)
        frames = list(decode(pipeline.vae, latents, DecoderSlices(frames=1, pixels=9216)))
        return predicted.float(), torch.stack(frames).float()

    single = load(torch.float32)
    expected = by_diffusers(single)
    del single
    free_memory()
    half = load(torch.float16)
    theirs = by_diffusers(half)
    ours = by_localvid(half)
    for part, exact, their, our in zip(("UNet", "decoder"), expected, theirs, ours, strict=True):
        their_error, our_error = (float((found - exact).norm() / exact.norm()) for found in (their, our))
        show(f"{part}, fp16, off from fp32: diffusers {their_error:.2e}, localvid {our_error:.2e}")
        assert our_error <= their_error * 1.05
