"""The pictures and the table of docs/svd.md: predicted memory by slice size, and predicted time by memory.

    python benchmarks/svd_plots.py          # rewrites docs/images/svd-memory.svg and svd-time.svg
    python benchmarks/svd_plots.py --table  # prints peaks for several sizes, beside diffusers'

SVD-XT in half precision with guidance; the pictures are of 1024x576, 25 frames, 25 steps. Everything is
predicted, by what `localvid plan` uses: the code itself traced without contents. No GPU is asked and no
weights are read. Either takes some minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import torch
from diffusers import StableVideoDiffusionPipeline
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from torch import nn

from localvid.config import Settings
from localvid.pipelines.svd.budget.architecture import Networks, build_networks, weight_bytes
from localvid.pipelines.svd.budget.ladder import ClipSize, ClipStage
from localvid.pipelines.svd.budget.planner import GIB, ClipPlanner
from localvid.pipelines.svd.budget.rehearsal import Rehearsal
from localvid.pipelines.svd.budget.roofline import require_peaks
from localvid.pipelines.svd.budget.search import Room
from localvid.pipelines.svd.budget.stages import StageRun, decode_stage, sample_stage
from localvid.pipelines.svd.budget.tracing import DEVICE, Trace, trace
from localvid.pipelines.svd.plan import DecoderSlices, Guidance, Maps, UNetSlices, Weights
from localvid.registry import get_model

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE = ClipSize(width=1024, height=576, num_frames=25)
STEPS = 25
STOCK_CHUNK_FRAMES = 8
FRAMES = (1, 2, 4, 8, 16, 25)
UNET_PIXELS = (256, 1024, 2304, 4608, 9216)
DECODER_PIXELS = 16_384
SMALLEST_UNET = UNetSlices(frames=1, pixels=1024, guidance=Guidance.PASSES)
SMALLEST_DECODER = DecoderSlices(frames=1, pixels=4096, maps=Maps.HOST)
BUDGETS = tuple(step / 4 for step in range(9, 129))
"""In GiB; what is less does not do at this size."""
GPUS = ("RTX 3060", "RTX 4090")
ENDS = ("seconds_low", "seconds", "seconds_high")

PAPER, INK, FAINT = "#fbfbf8", "#24292f", "#c9ced4"
"""A light ground of its own, so that the pictures read the same on light and dark pages."""
COLOURS = ("#0b62a8", "#c2410c", "#2e7d32")
STYLE: dict[Any, Any] = {  # matplotlib types each of its 300 names
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "svg.hashsalt": "localvid",  # the same picture gives the same file
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", action="store_true")
    if parser.parse_args().table:
        print_table()
        return
    with matplotlib.rc_context(STYLE):
        save(memory_figure(), "svd-memory")
        save(time_figure(), "svd-time")


def save(figure: Figure, name: str) -> None:
    path = IMAGES / f"{name}.svg"
    figure.savefig(path, facecolor=PAPER, metadata={"Date": None})
    # matplotlib leaves blanks at ends of lines.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
    print(f"{path.relative_to(IMAGES.parents[1])}: {path.stat().st_size / 1024:.0f} KiB")


# --- memory ------------------------------------------------------------------------------------------


def memory_figure() -> Figure:
    rehearsal = Rehearsal(build_networks(None, dtype=torch.float16), SIZE, guided=True)
    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    by_frames, by_pixels, decoding = figure.subplots(1, 3)

    def step(frames: int, pixels: int, weights: Weights) -> float:
        slices = UNetSlices(frames=frames, pixels=pixels, guidance=Guidance.PASSES)
        return rehearsal.step(slices, weights).peak_bytes / GIB

    def decode(frames: int, maps: Maps) -> float:
        slices = DecoderSlices(frames=frames, pixels=DECODER_PIXELS, maps=maps)
        return rehearsal.decode(slices, Weights.MODEL).peak_bytes / GIB

    for number, (weights, label) in enumerate(
        ((Weights.MODEL, "weights on the device"), (Weights.STREAM, "weights streamed"))
    ):
        draw(by_frames, FRAMES, [step(n, 4096, weights) for n in FRAMES], label, number)
        draw(by_pixels, UNET_PIXELS, [step(4, n, weights) for n in UNET_PIXELS], label, number)
    for number, (maps, label) in enumerate(
        ((Maps.DEVICE, "feature maps on the device"), (Maps.HOST, "feature maps in host memory"))
    ):
        draw(decoding, FRAMES, [decode(n, maps) for n in FRAMES], label, number)
    finish(by_frames, "UNet step, 4,096 pixels", "frames together in spatial layers", FRAMES)
    finish(by_pixels, "UNet step, 4 frames", "pixels together in temporal layers", UNET_PIXELS)
    finish(decoding, "Decoding all 25 frames", "frames together in spatial layers", FRAMES)
    by_frames.set_ylabel("predicted peak, GiB")
    return figure


def draw(axes: Axes, across: tuple[int, ...], up: list[float], label: str, number: int) -> None:
    axes.plot(across, up, marker="o", color=COLOURS[number], label=label)


def finish(axes: Axes, title: str, across: str, ticks: tuple[int, ...]) -> None:
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, axes.get_ylim()[1] * 1.3)
    axes.legend(frameon=False, loc="upper left")


# --- time --------------------------------------------------------------------------------------------


def time_figure() -> Figure:
    planner = clip_planner()
    figure = Figure(figsize=(7.4, 3.9), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(GPUS):
        card, colour = require_peaks(name), COLOURS[number]
        plans = [planner.plan(card, Room(vram_bytes=round(budget * GIB))) for budget in BUDGETS]
        own = planner.plan(card, Room(vram_bytes=round(card.memory_gib * GIB)))
        low, likely, high = ([getattr(plan, end) for plan in plans] for end in ENDS)
        axes.fill_between(BUDGETS, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
        axes.plot(BUDGETS, likely, color=colour, drawstyle="steps-post", label=name)
        axes.plot(card.memory_gib, own.seconds, "o", color=colour)
    axes.set_title("A clip of 25 frames at 1024x576, 25 steps: the plan's time by its memory")
    axes.set_xlabel("memory that the plan may use, GiB (margin included)")
    axes.set_ylabel("predicted seconds")
    axes.set_xscale("log", base=2)
    axes.set_xticks((2, 3, 4, 6, 8, 12, 16, 24, 32))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def clip_planner() -> ClipPlanner:
    info = get_model("local:svd-xt", Settings()).model_copy(update={"source": None})
    return ClipPlanner(info, **SIZE.model_dump(), num_inference_steps=STEPS, guided=True)


# --- the table ---------------------------------------------------------------------------------------


def print_table() -> None:
    """Peaks of a whole clip in the smallest slices, all frames decoded together, and of diffusers' stages."""
    ours, stock = (build_networks(None, dtype=torch.float16, sliced=sliced) for sliced in (True, False))
    print("GiB                      all weights  a network  streamed   diffusers: step  decode 8  decode all")
    for frames in (14, 25):
        for width, height in ((576, 320), (1024, 576), (1280, 704)):
            size = ClipSize(width=width, height=height, num_frames=frames)
            rehearsal = Rehearsal(ours, size, guided=True)
            peaks = [whole_peak(rehearsal, weights) for weights in Weights]
            theirs = (
                stock_step(stock, size),
                stock_decode(stock, size, STOCK_CHUNK_FRAMES),
                stock_decode(stock, size, frames),
            )
            peaks += [taken.peak_bytes for taken in theirs]
            cells = "".join(f"{count / GIB:11.2f}" for count in peaks)
            print(f"{width:5}x{height}, {frames} frames {cells}", flush=True)
    print_work(Rehearsal(ours, SIZE, guided=True), stock)


def print_work(rehearsal: Rehearsal, stock: Networks) -> None:
    """Of a step, of decoding, and of a clip's both; what comes before is a thousandth of it."""

    def own(unet: UNetSlices, decoder: DecoderSlices) -> tuple[StageRun, StageRun]:
        resident = Weights.RESIDENT
        return sample_stage(rehearsal, unet, resident, 1), decode_stage(rehearsal, decoder, resident, SIZE)

    runs = {
        "diffusers": (
            StageRun(ClipStage.SAMPLE, stock_step(stock, SIZE)),
            StageRun(ClipStage.DECODE, stock_decode(stock, SIZE, STOCK_CHUNK_FRAMES)),
        ),
        "localvid in one piece": own(UNetSlices(), DecoderSlices()),
        "localvid in the smallest slices": own(SMALLEST_UNET, SMALLEST_DECODER),
    }
    card = require_peaks(GPUS[-1])
    for index, part in enumerate(("a step", f"{SIZE.num_frames} frames decoded")):
        print(f"{part:33}{'TFLOP':>8}{'GB':>8}{'kernels':>10}{card.name + ', s':>14}")
        for label, run in runs.items():
            stage = run[index]
            print(
                f"{label:33}{stage.flops / 1e12:8.1f}{stage.trace.bytes_moved / 1e9:8.0f}"
                f"{stage.trace.kernels.total():10}{stage.seconds_on(card):14.2f}",
                flush=True,
            )
    theirs, *ours = (STEPS * step.flops + decode.flops for step, decode in runs.values())
    ratios = ", ".join(f"{flops / 1e15:.3f}e15 ({flops / theirs:.3f})" for flops in ours)
    print(f"FLOPs of {STEPS} steps and {SIZE.num_frames} frames: {theirs / 1e15:.3f}e15; {ratios}")


def whole_peak(rehearsal: Rehearsal, weights: Weights) -> int:
    stages = (
        rehearsal.clip(weights),
        rehearsal.encode(weights),
        rehearsal.step(SMALLEST_UNET, weights),
        rehearsal.decode(SMALLEST_DECODER, weights),
    )
    return max(stage.peak_bytes for stage in stages)


def stock_step(networks: Networks, size: ClipSize) -> Trace:
    """A step of diffusers' pipeline, which guides by a batch of two, with the UNet's weights alone."""
    unet = networks.unet
    sample = empty(2, size.num_frames, unet.config.in_channels, size.height // 8, size.width // 8)
    inputs = sample, empty(), empty(2, 1, unet.config.cross_attention_dim), empty(2, 3)
    return stock_trace(unet, lambda: unet(*inputs, return_dict=False))


def stock_decode(networks: Networks, size: ClipSize, chunk_frames: int) -> Trace:
    latents = empty(1, size.num_frames, 4, size.height // 8, size.width // 8)
    pipeline = SimpleNamespace(vae=networks.vae)  # all that its method looks for

    def run() -> Any:
        return StableVideoDiffusionPipeline.decode_latents(pipeline, latents, size.num_frames, chunk_frames)

    return stock_trace(networks.vae, run)


def stock_trace(network: nn.Module, run: Callable[[], object]) -> Trace:
    taken = trace(lambda: run)
    return taken._replace(peak_bytes=taken.peak_bytes + weight_bytes(network))


def empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float16, device=DEVICE)


if __name__ == "__main__":
    main()
