"""SVD-XT's networks side by side with diffusers' own way through them, on the CPU, with random weights.

    python benchmarks/full_size.py                      # 1024x576, 25 frames: minutes to hours, by processor
    python benchmarks/full_size.py --width 448 --height 256 --num-frames 14 --part unet

Parts: one UNet prediction for one clip (half of a guided step), and the decoding of all frames. diffusers
decodes chunks of 8 frames, which leaves seams; localvid all frames together, under the plan that it has for
processors, with feature maps in memory and in a file. Each way runs twice, in processes of their own: once
for its time, with glibc as it comes, and once for its memory, with one that gives back what is freed, which
costs time. What glibc keeps as it comes is its own and not the run's (docs/svd.md has figures). `--once`
takes both from one run with glibc as it comes, for sizes at which a run takes a quarter of an hour.

Peak is resident memory as Linux counts it (VmHWM), set back just before the run; the rise is what the run
adds to what was there, the weights among that, and what a first, tiny run leaves behind (kernels that are
compiled and code that is read once). The prediction is of the rise: the same function traced without
contents, with the copy of its weights that oneDNN makes in every convolution. What needs more memory than is
free is not run, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from diffusers import StableVideoDiffusionPipeline
from torch import Tensor, nn

from localvid import memory
from localvid.pipelines.svd.budget.architecture import build_networks, weight_bytes
from localvid.pipelines.svd.budget.scratch import cpu_scratch, nbytes
from localvid.pipelines.svd.budget.tracing import DEVICE, trace
from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.layers import prepare
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.plan import DecoderSlices, Guidance, Maps, UNetSlices

GIB = 2**30
STOCK_CHUNK_FRAMES = 8
UNET_SLICES = UNetSlices(frames=1, pixels=1024, guidance=Guidance.PASSES)
"""As localvid's plan for processors, like the decoder's below."""
DECODER_SLICES = DecoderSlices(frames=1, pixels=4096)
INTERPRETER_BYTES = GIB
"""Of a process with torch and diffusers loaded, generously."""

MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""For glibc (mallopt(3)): blocks of this size on go back to the system when they are freed. By itself glibc
raises the threshold up to 32 MiB as it sees larger blocks freed."""

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
Run = Callable[[], Tensor]


class Way(NamedTuple):
    """One of the ways to do a part; the first of a part is what the others are compared with."""

    part: str
    name: str
    title: str


WAYS = (
    Way("unet", "stock", "diffusers"),
    Way("unet", "sliced", "localvid"),
    Way("decode", "stock", f"diffusers, {STOCK_CHUNK_FRAMES} at a time"),
    Way("decode", "host", "localvid, all together"),
    Way("decode", "disk", "localvid, maps in a file"),
)


class Size(NamedTuple):
    width: int
    height: int
    num_frames: int


class Measured(NamedTuple):
    seconds: float
    processor_seconds: float
    """Of all threads; unlike the clock on the wall it does not count what other programs took."""
    peak_bytes: int
    before_bytes: int


def main(argv: list[str] | None = None) -> int:
    given = parse(argv)
    torch.set_num_threads(given.threads)
    if given.way is not None:
        print(json.dumps(measure(WAYS[given.way], given)._asdict()))
        return 0
    print(
        f"{given.width}x{given.height}, {given.num_frames} frames, {given.dtype}, {given.threads} threads, "
        f"{processor()}, torch {torch.__version__}, random weights",
        flush=True,
    )
    for part in ("unet", "decode"):
        if given.part in (part, "all"):
            report(part, given)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("unet", "decode", "all"), default="all")
    parser.add_argument(
        "--dtype", choices=("bf16", "fp32", "auto"), default="auto", help="auto: bf16 if fast"
    )
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=576)
    parser.add_argument("--num-frames", type=int, default=25)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--model", type=Path, help="a saved pipeline whose architecture is taken instead")
    parser.add_argument("--once", action="store_true", help="time and memory of one run, glibc as it comes")
    parser.add_argument("--way", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.dtype == "auto":
        given.dtype = "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"
    given.size = Size(given.width, given.height, given.num_frames)
    return given


# --- the table ---------------------------------------------------------------------------------------


def report(part: str, given: argparse.Namespace) -> None:
    """Run a part's ways one after the other, and print a line as each is done."""
    print(
        f"\n{part:27}{'time':>10}{'ratio':>7}{'processor':>12}{'ratio':>7}"
        f"{'peak':>11}{'ratio':>7}{'rise':>11}{'predicted':>12}{'apart':>11}",
        flush=True,
    )
    first: Measured | None = None
    with tempfile.TemporaryDirectory() as name:
        outputs = Path(name)
        for index, way in enumerate(WAYS):
            if way.part != part:
                continue
            weights, predicted = predict(way, given)
            needed, free = weights + predicted + INTERPRETER_BYTES, available_bytes()
            if needed > free:
                print(f"{way.title:27} not run: it needs {gib(needed)}, {gib(free)} are free", flush=True)
                continue
            taken = measure_apart(index, outputs / way.name, once=given.once)
            first = first or (taken if way.name == "stock" else None)
            apart = distance(outputs / "stock", outputs / way.name) if comparable(way, given) else "–"
            print(line(way, taken, first, predicted) + f"{apart:>11}", flush=True)


def line(way: Way, taken: Measured, first: Measured | None, predicted: int) -> str:
    base = first or taken
    clock, work, peak = (
        f"{mine / theirs:.2f}" if first else "–"
        for mine, theirs in (
            (taken.seconds, base.seconds),
            (taken.processor_seconds, base.processor_seconds),
            (taken.peak_bytes, base.peak_bytes),
        )
    )
    return (
        f"{way.title:27}{taken.seconds:8.1f} s{clock:>7}{taken.processor_seconds:10.1f} s{work:>7}"
        f"{gib(taken.peak_bytes):>11}{peak:>7}"
        f"{gib(taken.peak_bytes - taken.before_bytes):>11}{gib(predicted):>12}"
    )


def comparable(way: Way, given: argparse.Namespace) -> bool:
    """Whether the result should be that of the stock way, chunks of frames being another result."""
    return way.name != "stock" and (way.part == "unet" or given.num_frames <= STOCK_CHUNK_FRAMES)


def distance(one: Path, other: Path) -> str:
    """The largest difference of two results, in standard deviations."""
    if not one.exists():
        return "–"
    expected, found = (torch.load(path, weights_only=True).float() for path in (one, other))
    return f"{float((found - expected).abs().max() / expected.std()):.1e} σ"


def gib(count: int) -> str:
    return f"{count / GIB:.2f} GiB"


def processor() -> str:
    for entry in Path("/proc/cpuinfo").read_text().splitlines():
        if entry.startswith("model name"):
            return entry.partition(":")[2].strip()
    return platform.machine()


def available_bytes() -> int:
    for entry in Path("/proc/meminfo").read_text().splitlines():
        if entry.startswith("MemAvailable:"):
            return int(entry.split()[1]) * 1024
    raise LookupError("/proc/meminfo has no MemAvailable")


# --- one way -----------------------------------------------------------------------------------------


def measure_apart(index: int, output: Path, *, once: bool) -> Measured:
    """In processes of their own, with the options of this one: time and memory apart, unless `once`."""
    command = [sys.executable, __file__, *sys.argv[1:], "--way", str(index), "--output", str(output)]

    def run(environment: dict[str, str]) -> Measured:
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        return Measured(**json.loads(printed.stdout.splitlines()[-1]))

    timed = run(dict(os.environ))
    if once:
        return timed
    weighed = run(os.environ | MALLOC)
    return timed._replace(peak_bytes=weighed.peak_bytes, before_bytes=weighed.before_bytes)


@torch.inference_mode()
def measure(way: Way, given: argparse.Namespace) -> Measured:
    """Make the network, run the way once, and write its result to `given.output`."""
    network = pick(way, given, sliced=False)  # so that all ways draw the same: some torch draw as weights lie
    fill(network)
    open_run(way, network, Size(64, 64, 2), torch.device("cpu"))()
    run = open_run(way, network, given.size, torch.device("cpu"))
    before = set_peak_back()
    started, worked = time.perf_counter(), time.process_time()
    result = run()
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - worked
    peak = peak_bytes()
    torch.save(result, given.output)
    return Measured(seconds, processor_seconds, peak, before)


def set_peak_back() -> int:
    """Forget the highest resident memory so far, and return what is resident now: the least that the next
    peak can be."""
    if not memory.reset_peak(os.getpid()):
        raise SystemExit("this system does not let a process set its peak of resident memory back")
    return peak_bytes()


def peak_bytes() -> int:
    peak = memory.peak_bytes(os.getpid())
    assert peak is not None  # where it can be set back, it can be read
    return peak


def predict(way: Way, given: argparse.Namespace) -> tuple[int, int]:
    """Bytes of the weights, and what the run is predicted to add to them at most."""
    network = pick(way, given, sliced=way.name != "stock")
    traced = trace(lambda: open_run(way, network, given.size, DEVICE), scratch=scratch)
    return weight_bytes(network), traced.peak_bytes


def scratch(func: Any, args: tuple[Any, ...]) -> int:
    """What kernels take inside themselves, with a convolution's weights in oneDNN's own, blocked layout."""
    packed = nbytes(args[1]) if func.overloadpacket is torch.ops.aten.convolution else 0
    return cpu_scratch(func, args) + packed


def pick(way: Way, given: argparse.Namespace, *, sliced: bool) -> Any:
    """The network, without contents: the decoder's is the VAE without its encoder."""
    networks = build_networks(given.model, dtype=DTYPES[given.dtype], sliced=sliced)
    if way.part == "unet":
        return networks.unet
    networks.vae.encoder = nn.Identity()
    return networks.vae


def fill(network: nn.Module) -> None:
    """Random weights as torch begins with, the same for every way."""
    network.to_empty(device="cpu")
    torch.manual_seed(0)
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if reset is not None:
            reset()
        else:
            for weight in module.parameters(recurse=False):
                nn.init.constant_(weight, 0.5)


def open_run(way: Way, network: Any, size: Size, device: torch.device) -> Run:
    """What is measured: a function of no arguments, its inputs ready."""
    generator = None if device == DEVICE else torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device).to(dtype)

    dtype = next(network.parameters()).dtype
    if way.part == "unet":
        return open_unet(way, network, size, draw)
    return open_decoder(way, network, size, draw)


def open_unet(way: Way, unet: Any, size: Size, draw: Callable[..., Tensor]) -> Run:
    config = unet.config
    sample = draw(1, size.num_frames, config.in_channels, size.height // 8, size.width // 8)
    embedding, times = draw(1, 1, config.cross_attention_dim), draw(1, 3)
    timestep = torch.ones((), device=sample.device)
    if way.name == "stock":
        return lambda: unet(sample, timestep, embedding, times, return_dict=False)[0]
    sliced = SlicedUNet(unet, UNET_SLICES, device=sample.device)

    def run() -> Tensor:
        conditions = sliced.condition(embedding, times, num_frames=size.num_frames)
        return sliced(sample, timestep, conditions)

    return run


def open_decoder(way: Way, vae: Any, size: Size, draw: Callable[..., Tensor]) -> Run:
    latents = draw(size.num_frames, vae.config.latent_channels, size.height // 8, size.width // 8)
    if way.name == "stock":
        pipeline = SimpleNamespace(vae=vae)  # all that its method looks for
        return lambda: StableVideoDiffusionPipeline.decode_latents(
            pipeline, latents[None], size.num_frames, STOCK_CHUNK_FRAMES
        )
    prepare(vae)
    # On a processor the host's memory is the device's.
    maps = Maps.DISK if way.name == "disk" else Maps.DEVICE
    slicing = DECODER_SLICES.model_copy(update={"maps": maps})

    def run() -> Tensor:
        scaled = 1 / vae.config.scaling_factor * latents
        return torch.stack([frame.float() for frame in decode(vae, scaled, slicing)], dim=1)[None]

    return run


if __name__ == "__main__":
    raise SystemExit(main())
