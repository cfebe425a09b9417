"""Joining ten clips against the ffmpeg program, and the memory of joining 10 and 100.

    python benchmarks/join.py [--rounds 5] [--encoder]

Needs the `ffmpeg` program. Clips of 1024x576, 24 fps and 4 s are joined

- with cuts, against `ffmpeg -f concat -c copy -movflags +faststart`;
- with crossfades of 0.5 s, against a chain of `xfade` encoded with the same x264 preset and quality.

All of a round run one after another, in turning order; medians over the rounds and their ratio are shown.
"in-process" is `join_clips` as the orchestrator calls it, "whole process" includes starting Python and
importing. Memory is the peak resident set of a child process that joins 10 or 100 clips, less that of one
that only imports.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

from localvid.media.encode import ENCODER_OPTIONS, ClipWriter, Frame
from localvid.media.join import join_clips
from localvid.schemas import Transition

WIDTH, HEIGHT, FPS, SECONDS = 1024, 576, 24, 4
FADE_SECONDS = 0.5
NUM_CLIPS = 10


def picture(shot: int, number: int) -> Frame:
    """A landscape of three layers that move at different speeds, with film grain."""
    x = np.arange(WIDTH, dtype=np.float32)[None, :]
    y = np.arange(HEIGHT, dtype=np.float32)[:, None]
    image = np.empty((HEIGHT, WIDTH, 3), dtype=np.float32)
    image[:] = (60 + 20 * shot, 110, 200 - 15 * shot)
    image *= (0.5 + y / (2 * HEIGHT))[..., None]
    for layer, speed in enumerate((0.5, 1.5, 4.0)):
        moved = x + number * speed
        ridge = HEIGHT * (0.45 + 0.18 * layer) + 40 * np.sin(moved / (90 - 20 * layer) + shot)
        ridge += 9 * np.sin(moved / (11 - 3 * layer))
        colour = np.array([70 - 20 * layer, 90 - 15 * layer + 9 * shot, 80 - 20 * layer], dtype=np.float32)
        image = np.where((y > ridge)[..., None], colour + 10 * np.sin(moved / 5 + y / 7)[..., None], image)
    grain = np.random.default_rng(shot).normal(0, 2, (HEIGHT, WIDTH, 1))
    clipped: Frame = np.clip(image + grain, 0, 255).astype(np.uint8)
    return clipped


def write_clips(folder: Path, count: int) -> list[Path]:
    clips = []
    for shot in range(count):
        clips.append(folder / f"clip{shot}.mp4")
        with ClipWriter(clips[-1], width=WIDTH, height=HEIGHT, fps=FPS) as writer:
            for number in range(FPS * SECONDS):
                writer.write(picture(shot, number))
    return clips


def transitions(kind: str, count: int) -> list[Transition]:
    return [Transition.model_validate(kind)] * (count - 1)


def ffmpeg_concat(clips: list[Path], output: Path) -> list[str]:
    names = output.with_suffix(".txt")
    names.write_text("".join(f"file '{clip}'\n" for clip in clips))
    return [*_ffmpeg("concat"), "-i", str(names), "-c", "copy", "-movflags", "+faststart", str(output)]


def ffmpeg_xfade(clips: list[Path], output: Path) -> list[str]:
    inputs = [word for clip in clips for word in ("-i", str(clip))]
    graph, last = "", "[0:v]"
    for number in range(1, len(clips)):
        offset = number * (SECONDS - FADE_SECONDS)
        graph += (
            f"{last}[{number}:v]xfade=transition=fade:duration={FADE_SECONDS}:offset={offset}[x{number}];"
        )
        last = f"[x{number}]"
    options = ENCODER_OPTIONS
    return [
        *_ffmpeg(),
        *inputs,
        *("-filter_complex", graph.rstrip(";"), "-map", last, "-c:v", "libx264"),
        *("-preset", options["preset"], "-crf", options["crf"], "-pix_fmt", "yuv420p"),
        *("-movflags", "+faststart", str(output)),
    ]


def _ffmpeg(demuxer: str = "") -> list[str]:
    named = ["-f", demuxer, "-safe", "0"] if demuxer else []
    return ["ffmpeg", "-v", "error", "-nostdin", "-y", *named]


_CHILD = """
import sys
from pathlib import Path
from localvid.media.join import join_clips
from localvid.schemas import Transition
kind, output, *clips = sys.argv[1:]
if clips:
    between = [Transition.model_validate(kind)] * (len(clips) - 1)
    join_clips([Path(clip) for clip in clips], between, Path(output), overwrite=True)
for line in open("/proc/self/status"):
    if line.startswith("VmHWM:"):
        print(line.split()[1])
"""


def child(kind: str, output: Path, clips: list[Path]) -> list[str]:
    return [sys.executable, "-c", _CHILD, kind, str(output), *map(str, clips)]


def run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(clips: list[Path], folder: Path, kind: str, ffmpeg: list[str], rounds: int) -> None:
    ours = folder / f"ours-{kind}.mp4"
    contenders: list[tuple[str, Callable[[], object]]] = [
        ("ffmpeg program", lambda: run(ffmpeg)),
        (
            "localvid, in-process",
            lambda: join_clips(clips, transitions(kind, len(clips)), ours, overwrite=True),
        ),
        ("localvid, whole process", lambda: run(child(kind, ours, clips))),
    ]
    taken: dict[str, list[float]] = {name: [] for name, _ in contenders}
    for number in range(rounds):
        turn = number % len(contenders)
        for name, work in contenders[turn:] + contenders[:turn]:
            taken[name].append(seconds(work))
    base = statistics.median(taken["ffmpeg program"])
    print(f"\n{len(clips)} clips of {SECONDS} s, {kind}, {rounds} rounds")
    print(f"  {'':26}{'median':>10}{'least':>10}{'of ffmpeg':>11}")
    for name, values in taken.items():
        median = statistics.median(values)
        print(f"  {name:26}{median * 1000:>7.0f} ms{min(values) * 1000:>7.0f} ms{median / base:>10.2f}x")


def memory(clips: list[Path], folder: Path) -> None:
    idle = int(run(child("cut", folder / "none.mp4", [])))
    print(f"\npeak memory above the {idle / 1024:.0f} MiB of a process that only imports")
    print(f"  {'':16}{'10 clips':>12}{'100 clips':>12}")
    for kind in ("cut", f"crossfade:{FADE_SECONDS}", "fade_black:0.5"):
        peaks = [int(run(child(kind, folder / "memory.mp4", clips * times))) - idle for times in (1, 10)]
        print(f"  {kind:16}{peaks[0] / 1024:>8.1f} MiB{peaks[1] / 1024:>8.1f} MiB")


def encoder(rounds: int) -> None:
    """Milliseconds and bytes a frame of `ClipWriter`: what chose the preset."""
    frames = [picture(1, number) for number in range(FPS * SECONDS)]
    print(f"\n{len(frames)} frames of {WIDTH}x{HEIGHT} through ClipWriter, least of {rounds} rounds")
    chosen = ENCODER_OPTIONS["preset"]
    with TemporaryDirectory() as name:
        for preset in ("ultrafast", "superfast", "veryfast", "faster", "medium"):
            taken = []
            for _ in range(rounds):
                path = Path(name) / "clip.mp4"
                with patch.dict(ENCODER_OPTIONS, preset=preset):
                    taken.append(seconds(partial(_write, path, frames)))
            mark = "  <- chosen" if preset == chosen else ""
            print(
                f"  {preset:12}{min(taken) / len(frames) * 1000:>6.1f} ms"
                f"{path.stat().st_size / len(frames) / 1024:>8.1f} KiB{mark}"
            )


def _write(path: Path, frames: list[Frame]) -> None:
    with ClipWriter(path, width=WIDTH, height=HEIGHT, fps=FPS) as writer:
        for frame in frames:
            writer.write(frame)


def main() -> None:
    parser = argparse.ArgumentParser(description="Join clips, side by side with the ffmpeg program.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--encoder", action="store_true", help="compare x264 presets as well")
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        parser.error("needs the ffmpeg program to compare with")
    with TemporaryDirectory() as name:
        folder = Path(name)
        clips = write_clips(folder, NUM_CLIPS)
        fade = f"crossfade:{FADE_SECONDS}"
        compare(clips, folder, "cut", ffmpeg_concat(clips, folder / "theirs-cut.mp4"), arguments.rounds)
        compare(clips, folder, fade, ffmpeg_xfade(clips, folder / "theirs-fade.mp4"), arguments.rounds)
        memory(clips, folder)
    if arguments.encoder:
        encoder(arguments.rounds)


if __name__ == "__main__":
    main()
