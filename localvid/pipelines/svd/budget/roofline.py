"""How long counted operations take on a GPU, by its peaks: a roofline.

An operation takes as long as its multiplications at the peak of the tensor cores, or its traffic at the peak
of the memory, whichever is longer. Real kernels reach a part of that, which is taken from times of the same
clip (1024x576, 25 frames, 25 steps) with diffusers as it comes:

- A100: 39.9 s (published in OneDiff's benchmark); the roofline gives 21.5 s, so 0.54 of it;
- RTX 4080: 83 s (published in stable-fast's benchmark); the roofline gives 60.1 s, so 0.72 of it;
- H200: 20.4 s (of the step and the decoding that docs/svd.md has); the roofline gives 6.9 s, so 0.34 of it.

An estimate is made with their geometric mean. Three clips are few, and the engine's kernels are others than
diffusers': whoever shows an estimate says how unsure it is.

A card works while the processor hands out what comes next. All together takes no less than the handing out.
"""

from __future__ import annotations

import difflib
import re
import statistics
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from localvid.errors import InvalidRequestError
from localvid.schemas import Frozen

REACHED = (0.54, 0.72, 0.34)
"""Parts of the roofline that were reached, as above."""

EFFICIENCY = statistics.geometric_mean(REACHED)
"""Part of the roofline that is counted on."""

LAUNCH_SECONDS = 26e-6
"""What the processor takes to hand out a kernel. On the H200's host a step of 31,553 kernels took 0.815 s and
a decoding of 61,319 took 1.57 s, 26 microseconds each; other programs ran there meanwhile."""

DISK_GBS = 1.0
"""Of a temporary file in GB/s: a guess between a SATA drive (0.5) and an NVMe one (3 and more)."""

_TABLE = Path(__file__).with_name("gpus.toml")


class GpuPeaks(Frozen):
    """What a card reaches at most; the fields are described in gpus.toml."""

    name: str
    half_tflops: float
    memory_gbs: float
    memory_gib: float
    host_gbs: float
    source: str


class Kernel(NamedTuple):
    """One operation as an ideal GPU would run it."""

    flops: int
    """Two for each multiplication and addition of a matrix product, convolution or attention."""
    bytes_moved: int
    """Every operand read once, every result written once."""


def seconds_on(
    gpu: GpuPeaks, kernels: Mapping[Kernel, int], *, copied_bytes: int = 0, ahead_bytes: int = 0
) -> float:
    """Likely seconds of operations, and of copies between host and device: `copied_bytes` in turn with the
    work, `ahead_bytes` beside it."""
    flops, memory = gpu.half_tflops * 1e12, gpu.memory_gbs * 1e9
    link = gpu.host_gbs * 1e9 * EFFICIENCY
    work = sum(
        max(kernel.flops / flops, kernel.bytes_moved / memory) / EFFICIENCY * times
        for kernel, times in kernels.items()
    )
    return max(work + copied_bytes / link, ahead_bytes / link, LAUNCH_SECONDS * sum(kernels.values()))


def disk_seconds(file_bytes: int) -> float:
    """Likely seconds of reading and writing so many bytes of a temporary file."""
    return file_bytes / (DISK_GBS * 1e9)


@cache
def known_gpus() -> tuple[GpuPeaks, ...]:
    """The table, cards of one generation together."""
    document = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return tuple(GpuPeaks.model_validate(entry) for entry in document["gpus"])


def peaks_of(name: str) -> GpuPeaks | None:
    """The card that a driver's or a person's name means: "NVIDIA GeForce RTX 4090", "rtx4090".

    None where the table does not have it. Cards for laptops share names with faster ones and are not meant.
    """
    by_name = {_plain(gpu.name): gpu for gpu in known_gpus()}
    wanted = _plain(name)
    return by_name.get(wanted) or by_name.get(_VARIANT.sub("", wanted))


def require_peaks(name: str) -> GpuPeaks:
    """As `peaks_of`; raises InvalidRequestError with the closest names."""
    gpu = peaks_of(name)
    if gpu is None:
        names = {_plain(known.name): known.name for known in known_gpus()}
        close = [names[match] for match in difflib.get_close_matches(_plain(name), names, n=3, cutoff=0.5)]
        meant = f"did you mean {' or '.join(close)}? " if close else ""
        raise InvalidRequestError(
            f"no peaks of a GPU called {name!r} are known",
            hint=f"{meant}Known are {', '.join(names.values())}; --vram alone plans for the memory",
        )
    return gpu


_VARIANT = re.compile(r"(sxm\d?|pcie|nvl|hbm\d\w?|\d+gb)+$")
"""What a driver adds to the name of a card for servers: "A100-SXM4-80GB"."""


def _plain(name: str) -> str:
    return re.sub(r"nvidia|geforce|tesla|[\s_-]", "", name.lower())
