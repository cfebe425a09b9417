"""Prompt to film, whole process: the real embedded language model and the animatic, 3 shots of 4 s.

    python benchmarks/film.py [--runs 5]

Every run has an empty workspace, so nothing is reused. Prints seconds of wall-clock time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT = "A peaceful forest at dawn"
SHOTS, SECONDS, FPS = 3, 4, 24


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    times = [measure(run) for run in range(runs)]
    print(
        f"{SHOTS} shots of {SECONDS} s at 1024x576, {FPS} fps, on {os.cpu_count()} cores: "
        f"median {statistics.median(times):.1f} s, {min(times):.1f} to {max(times):.1f} s in {runs} runs"
    )


def measure(run: int) -> float:
    """Seconds from the start of the command to its end."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "film.mp4"
        command = [
            *(sys.executable, "-m", "localvid", "generate", PROMPT, "--max-shots", str(SHOTS)),
            *("--width", "1024", "--height", "576", "--fps", str(FPS), "--num-frames", str(FPS * SECONDS)),
            *("--model", "local:animatic", "--llm", "llm:smollm2-135m", "--seed", str(run)),
            *("--workspace", str(Path(folder) / "workspace"), "--output", str(output), "--quiet"),
        ]
        started = time.monotonic()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - started
        print(f"run {run + 1}: {seconds:.1f} s, {output.stat().st_size / 2**20:.1f} MiB")
        return seconds


if __name__ == "__main__":
    main()
