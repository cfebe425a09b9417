"""A clip of SVD-XT on this machine's GPU, side by side with diffusers' pipeline: seconds, peaks, predictions.

    python benchmarks/gpu.py                     # 1024x576, 25 frames, 25 steps; minutes
    python benchmarks/gpu.py --vram 12 6 3       # other budgets, in GiB

Ways: diffusers with all networks on the card, decoding 8 frames at a time; diffusers' recipe for small cards
(its guide to SVD: offload, forward chunking, 2 frames at a time); localvid under the plan that it makes for
all of the card and for each budget, all frames decoded together. Weights are random, as speed and memory do
not depend on them; 4.2 GiB of them are written to the temporary folder unless `--model` names a saved
pipeline. One process runs all ways, each after a clip of a single step that warms up.

Peak is what torch's allocator had given out at most (`max_memory_allocated`), weights included; beside it
what was predicted for the stage. Seconds are from one synchronisation to the next. Latents are compared with
those of the first way: mean absolute difference in standard deviations.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from diffusers import StableVideoDiffusionPipeline
from PIL import Image
from torch import Tensor

from localvid.config import Settings
from localvid.errors import CapabilityError
from localvid.pipelines.diffusion import free_memory, quiet
from localvid.pipelines.svd.budget.ladder import ClipSize, Ladder, Rung
from localvid.pipelines.svd.budget.planner import ClipPlan, ClipPlanner
from localvid.pipelines.svd.budget.roofline import known_gpus, peaks_of
from localvid.pipelines.svd.budget.search import Room
from localvid.pipelines.svd.engine import SvdEngine
from localvid.pipelines.svd.plan import WHOLE, DecoderSlices, EnginePlan, UNetSlices
from localvid.schemas import ModelInfo, SamplingSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

GIB = 2**30
SEED = 1
Result = TypeVar("Result")


class Stage(NamedTuple):
    seconds: float
    peak_bytes: int


class Clip(NamedTuple):
    """One clip; latents on the host, in single precision."""

    latents: Tensor
    sampling: Stage
    decoding: Stage


class Job(NamedTuple):
    """What every way makes."""

    model: Path
    size: ClipSize
    image: Image.Image


Make = Callable[[int], Clip]
"""A clip of so many steps."""


def main() -> int:
    given = parse()
    if not torch.cuda.is_available():
        print("no CUDA GPU on this machine")
        return 0
    torch.backends.cudnn.allow_tf32 = False
    with tempfile.TemporaryDirectory() as folder:
        size = ClipSize(width=given.width, height=given.height, num_frames=given.num_frames)
        pixels = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
        job = Job(given.model or save_model(Path(folder)), size, Image.fromarray(pixels))
        print(
            f"{size.width}x{size.height}, {size.num_frames} frames, {given.steps} steps, fp16, "
            f"{torch.cuda.get_device_name()}, torch {torch.__version__}, random weights\n"
        )
        print(
            f"{'way':28}{'a step':>9}{'ratio':>7}{'decoding':>10}{'ratio':>7}{'all':>9}{'estimate':>9}"
            f"{'UNet peak':>11}{'predicted':>10}{'VAE peak':>10}{'predicted':>10}{'apart':>10}",
            flush=True,
        )
        with quiet():
            compare(job, given, Path(folder))
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=576)
    parser.add_argument("--num-frames", type=int, default=25)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--vram", type=float, nargs="*", default=[8, 4, 2.2], help="budgets in GiB")
    parser.add_argument("--model", type=Path, help="a saved pipeline; by default one is made")
    parser.add_argument("--compile", action="store_true", help="localvid's first way a second time, compiled")
    return parser.parse_args()


def save_model(folder: Path) -> Path:
    from fixtures_tiny import save_full_size_svd  # type: ignore[import-not-found]  # in tests/

    model: Path = save_full_size_svd(folder / "svd-xt")
    return model


def compare(job: Job, given: argparse.Namespace, workspace: Path) -> None:
    first: Clip | None = None
    for title, low_memory in (("diffusers, 8 at a time", False), ("diffusers, for small cards", True)):
        clip = measured(partial(by_diffusers, job, low_memory=low_memory), given.steps)
        first = first or clip
        print(line(title, clip, first, given.steps), flush=True)
    assert first is not None
    planner = ClipPlanner(
        svd_xt(job.model),
        **job.size.model_dump(),
        num_inference_steps=given.steps,
        guided=True,
    )
    peaks = peaks_of(torch.cuda.get_device_name()) or known_gpus()[-1]
    ways: list[tuple[str, float | None, bool]] = [("localvid, all of the card", None, False)]
    ways += [("localvid, compiled", None, True)] if given.compile else []
    ways += [(f"localvid, {budget:g} GiB", budget, False) for budget in given.vram]
    engine = SvdEngine(svd_xt(job.model), Settings(device="cuda", workspace=workspace))
    for title, budget, compiled in ways:
        vram = torch.cuda.mem_get_info()[1] if budget is None else round(budget * GIB)
        try:
            plan = planner.plan(peaks, Room(vram_bytes=vram))
        except CapabilityError as error:
            print(f"{title:28}{error}", flush=True)
            continue
        engine_plan = plan.engine.model_copy(update={"compile": compiled})
        try:
            clip = measured(partial(by_localvid, job, engine, engine_plan), given.steps)
        except torch.OutOfMemoryError as error:
            print(f"{title:28}{error}", flush=True)
            continue
        print(line(title, clip, first, given.steps, plan), flush=True)
        print(f"{'':28}{described(plan)}", flush=True)


def svd_xt(model: Path) -> ModelInfo:
    from fixtures_tiny import svd_info

    info: ModelInfo = svd_info(model)
    return info


def sampling_of(steps: int) -> SamplingSettings:
    return SamplingSettings(
        num_inference_steps=steps,
        motion_bucket_id=127,
        noise_aug_strength=0.02,
        min_guidance_scale=1.0,
        max_guidance_scale=3.0,
        conditioning_fps=7,
        decode_chunk_size=None,
    )


# --- the ways ----------------------------------------------------------------------------------------


def measured(make: Make, steps: int) -> Clip:
    make(1)
    free_memory()
    clip = make(steps)
    free_memory()
    return clip


def by_diffusers(job: Job, steps: int, *, low_memory: bool) -> Clip:
    pipeline: Any = StableVideoDiffusionPipeline.from_pretrained(
        str(job.model), variant="fp16", dtype=torch.float16, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    if low_memory:
        pipeline.enable_model_cpu_offload()
        pipeline.unet.enable_forward_chunking()
    else:
        pipeline.to("cuda")
    sampling, size = sampling_of(steps), job.size
    latents, sampled = stage(
        lambda: (
            pipeline(
                job.image,
                height=size.height,
                width=size.width,
                num_frames=size.num_frames,
                num_inference_steps=steps,
                min_guidance_scale=sampling.min_guidance_scale,
                max_guidance_scale=sampling.max_guidance_scale,
                fps=sampling.conditioning_fps,
                motion_bucket_id=sampling.motion_bucket_id,
                noise_aug_strength=sampling.noise_aug_strength,
                generator=torch.Generator("cpu").manual_seed(SEED),
                output_type="latent",
            ).frames
        )
    )
    chunk = 2 if low_memory else 8
    with torch.inference_mode():
        _, decoded = stage(lambda: pipeline.decode_latents(latents, size.num_frames, chunk).cpu())
    return Clip(latents[0].float().cpu(), sampled, decoded)


def by_localvid(job: Job, engine: SvdEngine, plan: EnginePlan, steps: int) -> Clip:
    def fell(rung: Rung) -> None:
        print(f"{'':28}{rung.notice}", flush=True)

    ladder = Ladder(plan, job.size, on_rung=fell)
    engine.load(ladder)
    latents, sampled = stage(
        lambda: engine.sample(
            job.image,
            num_frames=job.size.num_frames,
            seed=SEED,
            sampling=sampling_of(steps),
            ladder=ladder,
            on_step=lambda _: None,
        )
    )
    _, decoded = stage(lambda: list(engine.decode(latents, ladder.plan)))
    return Clip(latents.float().cpu(), sampled, decoded)


def stage(work: Callable[[], Result]) -> tuple[Result, Stage]:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    result = work()
    torch.cuda.synchronize()
    return result, Stage(time.perf_counter() - started, torch.cuda.max_memory_allocated())


# --- the table ---------------------------------------------------------------------------------------


def line(title: str, clip: Clip, first: Clip, steps: int, plan: ClipPlan | None = None) -> str:
    """`a step` is the sampling over its steps, CLIP and the VAE's encoder included."""
    both = clip.sampling.seconds + clip.decoding.seconds
    apart = (clip.latents - first.latents).abs().mean() / first.latents.std()
    predicted = {} if plan is None else {part.name: f"{part.peak_bytes / GIB:.2f}" for part in plan.stages}
    before = 0 if plan is None else max(part.peak_bytes for part in plan.stages if part.name != "decode")
    return (
        f"{title:28}{clip.sampling.seconds / steps:7.3f} s"
        f"{clip.sampling.seconds / first.sampling.seconds:7.2f}"
        f"{clip.decoding.seconds:8.2f} s{clip.decoding.seconds / first.decoding.seconds:7.2f}{both:7.1f} s"
        f"{'–' if plan is None else f'{plan.seconds:.1f} s':>9}"
        f"{clip.sampling.peak_bytes / GIB:11.2f}{f'{before / GIB:.2f}' if before else '–':>10}"
        f"{clip.decoding.peak_bytes / GIB:10.2f}{predicted.get('decode', '–'):>10}"
        f"{'–' if clip is first else f'{apart:.1e} σ':>10}"
    )


def described(plan: ClipPlan) -> str:
    weights, unet, decoder = plan.engine.weights, plan.engine.unet, plan.engine.decoder
    return (
        f"weights {weights}; UNet {slices_of(unet)}, guidance {unet.guidance}; "
        f"decoder {slices_of(decoder)}, maps {decoder.maps}"
    )


def slices_of(slices: UNetSlices | DecoderSlices) -> str:
    return "whole" if slices.frames == WHOLE else f"{slices.frames} frames, {slices.pixels} pixels"


if __name__ == "__main__":
    raise SystemExit(main())
