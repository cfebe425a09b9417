"""What a frame of the animatic costs: painting the layers, moving them, encoding.

    python benchmarks/animatic.py [--width 1024 --height 576 --frames 96] [--film] [--sheet FILE.png]

Without options each scene is shot with a camera that travels and with one that dollies (the dearest move),
and the processor time of all threads is printed: figures from a busy machine can then be compared.
`--film` makes three shots through the adapter, as `generate` does, and prints the time on the clock.
`--sheet` writes a picture with a frame of each scene, to be looked at.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from localvid.config import Settings
from localvid.media.encode import ClipWriter
from localvid.pipelines.animatic import Animatic
from localvid.pipelines.animatic.direct import Shoot, direct
from localvid.pipelines.animatic.scene import poses
from localvid.schemas import Camera, ModelInfo, ModelManifest, VideoRequest

SCENES = (
    "deep inside a forest at dawn, a deer",
    "a wide forest valley in autumn",
    "mountains at sunset, a hiker",
    "a stormy sea with a ship",
    "a sailing boat on a lake at dusk",
    "a beach at noon, palms",
    "a city street at night, a yellow taxi",
    "a city by the water at sunset",
    "a village in winter, snow is falling",
    "camels in the desert",
    "a blue car on a mountain road",
    "a cat in a living room at night",
    "an astronaut above a planet",
    "a whale under water",
    "a cave with crystals",
    "hot air balloons above the clouds",
)
FILM = (
    ("A peaceful forest at dawn, mist between the trees", Camera.DOLLY_IN),
    ("A deer walks through the forest in the morning light", Camera.TRUCK_RIGHT),
    ("The sun rises over the forest, birds in the sky", Camera.ZOOM_OUT),
)
FPS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=576)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--film", action="store_true")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    shoot = Shoot("", "", Camera.STATIC, 0.5, options.width, options.height, options.frames / FPS, seed=3)
    if options.film:
        measure_film(options.width, options.height, options.frames)
    elif options.sheet:
        draw_sheet(shoot, options.sheet)
    else:
        measure_scenes(shoot, options.frames)


def measure_scenes(shoot: Shoot, num_frames: int) -> None:
    """Print the processor time of each part, for each scene and two moves of the camera."""
    print(f"{shoot.width}x{shoot.height}, {num_frames} frames, {os.cpu_count()} cores; ms of processor time")
    print(f"{'scene':42} {'camera':12} {'paint':>8} {'move':>8} {'encode':>8}   a frame, all in")
    for description in SCENES:
        for camera in (Camera.TRUCK_RIGHT, Camera.DOLLY_IN):
            print_row(replace(shoot, description=description, camera=camera), num_frames)


def print_row(shoot: Shoot, num_frames: int) -> None:
    start = time.process_time()
    scene, path = direct(shoot)
    painted = time.process_time()
    frames = [scene.frame(pose, index / FPS) for index, pose in enumerate(poses(path, num_frames))]
    moved = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        with ClipWriter(clip, width=shoot.width, height=shoot.height, fps=FPS) as writer:
            for frame in frames:
                writer.write(frame)
    encoded = time.process_time()
    paint, move, encode = painted - start, (moved - painted) / num_frames, (encoded - moved) / num_frames
    parts = f"{paint * 1e3:8.0f} {move * 1e3:8.1f} {encode * 1e3:8.1f}"
    whole = (encoded - start) / num_frames * 1e3
    print(f"{shoot.description:42} {shoot.camera.value:12} {parts}   {whole:.1f}", flush=True)


def measure_film(width: int, height: int, num_frames: int) -> None:
    """Print how long three shots take through the adapter, by the clock and in processor time."""
    manifest = Path(__file__).parents[1] / "models" / "animatic.toml"
    info = ModelInfo(
        manifest=ModelManifest.model_validate(tomllib.loads(manifest.read_text())), available=True
    )
    clock, processor = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, Animatic(info, Settings()) as animatic:
        for number, (description, camera) in enumerate(FILM):
            result = animatic.generate(
                VideoRequest(
                    model_id=info.manifest.id,
                    description=description,
                    camera=camera,
                    width=width,
                    height=height,
                    num_frames=num_frames,
                    fps=FPS,
                    seed=3 + number,
                    output=Path(folder) / f"{number}.mp4",
                )
            )
            print(
                f"{camera.value:12} {result.seconds:5.2f} s  "
                f"{result.video.bytes / 1e3:6.0f} kB  {description}"
            )
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{clock:.1f} s on the clock, {processor:.1f} s of processor time (load {load:.1f})")


def draw_sheet(shoot: Shoot, output: Path, columns: int = 4) -> None:
    """Write one frame of each scene, side by side."""
    small: Sequence[Image.Image] = [
        Image.fromarray(scene.frame(path.pose(0.0), 0.8)).reduce(2)
        for scene, path in (direct(replace(shoot, description=description)) for description in SCENES)
    ]
    width, height = small[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(small) // columns) * height))
    for index, picture in enumerate(small):
        sheet.paste(picture, (index % columns * width, index // columns * height))
    sheet.save(output)


if __name__ == "__main__":
    main()
