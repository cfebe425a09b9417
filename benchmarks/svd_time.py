"""localvid's way through small and middling networks beside diffusers', on the CPU: time, in turns.

    python benchmarks/svd_time.py

Random weights in single precision. UNet: one step with guidance, a batch of two; what a clip computes once
is not counted. Decoder: all frames together. Four ways, each with a copy of the network: diffusers' own;
localvid's with nothing sliced, as for a large budget; in the smallest slices that the planner has; and
those with the UNet's weights streamed, or the decoder's feature maps in a file, as at the bottom of the
ladder. Every round runs each way once, and which is first goes round; the ratio is the median of the
rounds' own, for the runs of a round meet about the same load. Ends with 1 if the large budget takes more
than 1.00 of diffusers' time, or another more than 1.10.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.networks.weights import Streamed, unet_units
from localvid.pipelines.svd.plan import DecoderSlices, Guidance, Maps, UNetSlices

LARGEST_RATIOS = {"unsliced": 1.00, "sliced": 1.10, "bottom": 1.10}
SMALL_UNET_SLICES = UNetSlices(frames=1, pixels=1024, guidance=Guidance.PASSES)
SMALL_DECODER_SLICES = DecoderSlices(frames=1, pixels=4096)

Run = Callable[[], Tensor]


class UNetCase(NamedTuple):
    channels: tuple[int, ...]
    heads: tuple[int, ...]
    layers: int
    width: int
    height: int
    num_frames: int


class DecoderCase(NamedTuple):
    channels: tuple[int, ...]
    layers: int
    width: int
    height: int
    num_frames: int


Case = UNetCase | DecoderCase

CASES: tuple[Case, ...] = (
    UNetCase((32, 64), (2, 4), 1, 64, 64, 4),
    UNetCase((32, 64), (2, 4), 1, 192, 128, 8),
    UNetCase((64, 128, 256, 256), (1, 2, 4, 4), 1, 320, 192, 8),
    UNetCase((128, 256, 512, 512), (2, 4, 8, 8), 2, 256, 192, 8),
    DecoderCase((32, 32, 32, 64), 1, 64, 64, 4),
    DecoderCase((32, 64, 128, 128), 1, 256, 192, 8),
    DecoderCase((64, 128, 256, 256), 2, 192, 128, 6),
)


class Seconds(NamedTuple):
    wall: float
    processor: float
    """Of all threads: what other programs took does not count."""


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument(
        "--case", type=int, choices=range(len(CASES)), action="append", help="default: all"
    )
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    print(
        f"{given.threads} thread(s), {given.rounds} rounds, fp32, torch {torch.__version__}; "
        "ratios: wall clock (processor time)"
    )
    print(f"{'':56}{'diffusers':>11}" + "".join(f"{way:>15}" for way in LARGEST_RATIOS), flush=True)
    within = [report(CASES[number], given.rounds) for number in given.case or range(len(CASES))]
    return 0 if all(within) else 1


def report(case: Case, rounds: int) -> bool:
    """Measure and print a case; whether its ratios are within the bounds."""
    title, ways = open_unet(case) if isinstance(case, UNetCase) else open_decoder(case)
    taken = measure(ways, rounds)
    ratios = {way: ratio(taken[way], taken["diffusers"]) for way in LARGEST_RATIOS}
    print(
        f"{title:56}{statistics.median(one.wall for one in taken['diffusers']):9.3f} s"
        + "".join(f"{both.wall:8.2f} ({both.processor:.2f})" for both in ratios.values()),
        flush=True,
    )
    return all(both.wall <= LARGEST_RATIOS[way] for way, both in ratios.items())


@torch.inference_mode()
def measure(ways: dict[str, Run], rounds: int) -> dict[str, list[Seconds]]:
    """Seconds of every way in every round, after one that is not counted and must give the same results."""
    results = [run() for run in ways.values()]
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=0, atol=1e-4)
    taken: dict[str, list[Seconds]] = {way: [] for way in ways}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for way in names[first:] + names[:first]:
            wall, processor = time.perf_counter(), time.process_time()
            ways[way]()
            taken[way].append(Seconds(time.perf_counter() - wall, time.process_time() - processor))
    return taken


def ratio(mine: list[Seconds], theirs: list[Seconds]) -> Seconds:
    pairs = list(zip(mine, theirs, strict=True))
    return Seconds(
        statistics.median(one.wall / other.wall for one, other in pairs),
        statistics.median(one.processor / other.processor for one, other in pairs),
    )


def open_unet(case: UNetCase) -> tuple[str, dict[str, Run]]:
    unet = new_unet(case)
    draw = drawing()
    sample = draw(2, case.num_frames, 8, case.height // 8, case.width // 8)
    embeddings, time_ids, timestep = draw(2, 1, 64), draw(2, 3), torch.tensor(1.3)

    def sliced(network: Any, slices: UNetSlices, weights: Streamed | None = None) -> Run:
        engine = SlicedUNet(network, slices, weights=weights, device=sample.device)
        conditions = engine.condition(embeddings, time_ids, num_frames=case.num_frames)
        return lambda: engine(sample, timestep, conditions)

    copied = copy.deepcopy(unet)
    weights = Streamed(copied, unet_units(copied), device=sample.device)
    return title("UNet", unet, case), {
        "diffusers": lambda: unet(sample, timestep, embeddings, time_ids, return_dict=False)[0],
        "unsliced": sliced(copy.deepcopy(unet), UNetSlices()),
        "sliced": sliced(copy.deepcopy(unet), SMALL_UNET_SLICES),
        "bottom": sliced(copied, SMALL_UNET_SLICES, weights),
    }


def open_decoder(case: DecoderCase) -> tuple[str, dict[str, Run]]:
    vae = new_vae(case)
    latents = drawing()(case.num_frames, 4, case.height // 8, case.width // 8)

    def sliced(slicing: DecoderSlices) -> Run:
        network = copy.deepcopy(vae)
        return lambda: torch.stack(list(decode(network, latents, slicing)))

    return title("decoder", vae.decoder, case), {
        "diffusers": lambda: vae.decode(latents, num_frames=case.num_frames, return_dict=False)[0],
        "unsliced": sliced(DecoderSlices()),
        "sliced": sliced(SMALL_DECODER_SLICES),
        "bottom": sliced(SMALL_DECODER_SLICES.model_copy(update={"maps": Maps.DISK})),
    }


def title(kind: str, network: Any, case: Case) -> str:
    millions = sum(weight.numel() for weight in network.parameters()) / 1e6
    return f"{kind}, {millions:.1f} M weights, {case.width}x{case.height}, {case.num_frames} frames"


def drawing() -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(1)
    return lambda *shape: torch.randn(shape, generator=generator)


def new_unet(case: UNetCase) -> Any:
    from diffusers import UNetSpatioTemporalConditionModel

    torch.manual_seed(0)
    last = len(case.channels) - 1
    return UNetSpatioTemporalConditionModel(
        block_out_channels=case.channels,
        layers_per_block=case.layers,
        down_block_types=("CrossAttnDownBlockSpatioTemporal",) * last + ("DownBlockSpatioTemporal",),
        up_block_types=("UpBlockSpatioTemporal",) + ("CrossAttnUpBlockSpatioTemporal",) * last,
        num_attention_heads=case.heads,
        cross_attention_dim=64,
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=96,
    ).eval()


def new_vae(case: DecoderCase) -> Any:
    from diffusers import AutoencoderKLTemporalDecoder

    torch.manual_seed(0)
    return AutoencoderKLTemporalDecoder(
        block_out_channels=case.channels,
        down_block_types=("DownEncoderBlock2D",) * 4,
        layers_per_block=case.layers,
    ).eval()


if __name__ == "__main__":
    raise SystemExit(main())
