"""localvid's adapter and engine beside diffusers' bare pipeline: the same clip made both ways, in turns.

    python benchmarks/svd_overhead.py

Bare: `StableVideoDiffusionPipeline(...)` → frames → `ClipWriter` → mp4. Adapter: `StableVideoDiffusion
.generate`, which runs localvid's engine under its plan for processors and beside that reports progress,
checks the pixels, flushes the file to disk, renames and probes it. The same random tiny model, image,
settings, seed, number of threads; the frames that the two encode must be the same, but for what falls
between two levels of 255 and is rounded either way (encoded they differ more: where the picture is noise,
H.264 chooses otherwise by a single level). The difference is the median of the rounds' own ratios, for the
two runs of a round meet about the same load; which of the two goes first alternates. Below zero localvid is
faster; the most that it may be slower is 5 %.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from localvid.config import Settings
from localvid.media.encode import ClipWriter
from localvid.pipelines.diffusion import quiet
from localvid.pipelines.svd.adapter import StableVideoDiffusion
from localvid.schemas import SamplingSettings, VideoRequest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

Frames = NDArray[np.uint8]

WIDTH, HEIGHT, NUM_FRAMES, FPS, SEED = 192, 128, 8, 7, 1
SHARE_ROUNDED = 1e-3
"""Of all values, those that may be off by one of 255: 2.3e-4 were measured."""
SAMPLING = SamplingSettings(
    num_inference_steps=3,
    motion_bucket_id=127,
    noise_aug_strength=0.02,
    min_guidance_scale=1.0,
    max_guidance_scale=3.0,
    conditioning_fps=7,
    decode_chunk_size=4,
)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--threads", type=int, default=1)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as name:
        bare, adapter = measure(Path(name), rounds=given.rounds)
    print(
        f"{WIDTH}x{HEIGHT}, {NUM_FRAMES} frames, {SAMPLING.num_inference_steps} steps, CPU, "
        f"{given.threads} thread(s), {given.rounds} rounds; median seconds a clip (least to most)"
    )
    report("bare pipeline", bare)
    report("adapter", adapter)
    wall, processor = (
        statistics.median(
            mine / theirs - 1
            for mine, theirs in zip(getattr(adapter, clock), getattr(bare, clock), strict=True)
        )
        for clock in ("wall", "processor")
    )
    print(f"difference     wall {wall:+.1%}, processor {processor:+.1%}")
    return 0 if max(wall, processor) < 0.05 else 1


@dataclass
class Times:
    """Seconds of each round; the processor's clock does not count what other programs took."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, work: Callable[[], None]) -> None:
        wall, processor = time.perf_counter(), time.process_time()
        work()
        self.wall.append(time.perf_counter() - wall)
        self.processor.append(time.process_time() - processor)


def report(label: str, times: Times) -> None:
    shown = (
        f"{clock} {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"
        for clock, values in (("wall", times.wall), ("processor", times.processor))
    )
    print(f"{label:14} " + ", ".join(shown))


def measure(folder: Path, *, rounds: int) -> tuple[Times, Times]:
    """Times of bare and adapter, after one round that is not counted."""
    image = folder / "first.png"
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(image)
    times = {"bare": Times(), "adapter": Times()}
    with quiet():
        from fixtures_tiny import save_svd, svd_info  # type: ignore[import-not-found]  # in tests/

        directory = save_svd(folder / "model")
        pipeline = load_bare(directory)
    with StableVideoDiffusion(svd_info(directory), Settings(device="cpu")) as model:
        ways: dict[str, Callable[[Path], None]] = {
            "bare": lambda output: make_bare(pipeline, image, output),
            "adapter": lambda output: make_by_adapter(model, image, output),
        }
        outputs = {way: folder / f"{way}.mp4" for way in ways}
        check_alike(*(written(ways[way], output) for way, output in outputs.items()))
        for number in range(rounds):
            for way in ("bare", "adapter") if number % 2 else ("adapter", "bare"):
                outputs[way].unlink()
                times[way].add(partial(ways[way], outputs[way]))
    return times["bare"], times["adapter"]


def written(make: Callable[[Path], None], output: Path) -> Frames:
    """The frames of a clip as the encoder is given them."""
    frames: list[Frames] = []
    write = ClipWriter.write

    def kept(clip: ClipWriter, frame: Frames) -> None:
        frames.append(frame.copy())
        write(clip, frame)

    with patch.object(ClipWriter, "write", kept):
        make(output)
    return np.stack(frames)


def check_alike(one: Frames, other: Frames) -> None:
    """Raises ValueError unless the clips are the same but for rounding."""
    difference = np.abs(one.astype(np.int16) - other)
    largest, share = int(difference.max()), float((difference > 0).mean())
    if largest > 1 or share > SHARE_ROUNDED:
        raise ValueError(f"the clips differ by up to {largest} of 255, in {share:.1e} of all values")
    print(f"before encoding: at most {largest} of 255 apart, in {share:.1e} of all values")


def load_bare(directory: Path) -> Any:
    from diffusers import StableVideoDiffusionPipeline

    pipeline = StableVideoDiffusionPipeline.from_pretrained(
        directory, variant="fp16", local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_bare(pipeline: Any, image: Path, output: Path) -> None:
    with Image.open(image) as first_frame:
        frames = pipeline(
            first_frame.convert("RGB"),
            width=WIDTH,
            height=HEIGHT,
            num_frames=NUM_FRAMES,
            num_inference_steps=SAMPLING.num_inference_steps,
            min_guidance_scale=SAMPLING.min_guidance_scale,
            max_guidance_scale=SAMPLING.max_guidance_scale,
            fps=SAMPLING.conditioning_fps,
            motion_bucket_id=SAMPLING.motion_bucket_id,
            noise_aug_strength=SAMPLING.noise_aug_strength,
            decode_chunk_size=SAMPLING.decode_chunk_size,
            generator=torch.Generator("cpu").manual_seed(SEED),
        ).frames[0]
    with ClipWriter(output, width=WIDTH, height=HEIGHT, fps=FPS) as clip:
        for frame in frames:
            clip.write(np.asarray(frame))


def make_by_adapter(model: StableVideoDiffusion, image: Path, output: Path) -> None:
    model.generate(
        VideoRequest(
            model_id="local:svd-xt",
            description="",
            width=WIDTH,
            height=HEIGHT,
            num_frames=NUM_FRAMES,
            fps=FPS,
            seed=SEED,
            first_frame=image,
            sampling=SAMPLING,
            output=output,
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
