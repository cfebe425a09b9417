"""Twenty shots at a host, four in flight: the time of their clips beside what the host's delays allow.

The host is the tests' server on loopback, which takes so long over each clip as is said; five clips after one
another, four beside each other, are the fastest that there can be. `python benchmarks/remote.py [QUEUE RUN]`,
seconds in the host's queue and at work, 1 and 3 if not given.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import SecretStr

from localvid import FilmOptions, Progress, Settings, Shot, Storyboard, VideoOrchestrator
from localvid.schemas import Stage

SHOTS, IN_FLIGHT, SIZE = 20, 4, 64


def main() -> None:
    queue_seconds, run_seconds = map(float, sys.argv[1:3] if len(sys.argv) > 2 else ("1", "3"))
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    replicate: Any = importlib.import_module("replicate_server")
    server = replicate.ReplicateServer(queue_seconds=queue_seconds, run_seconds=run_seconds)
    with tempfile.TemporaryDirectory() as folder, replicate.serve(server):
        settings = Settings(
            workspace=Path(folder) / "workspace",
            min_free_gib=0,
            max_cost_usd=10,
            replicate_api_token=SecretStr(replicate.TOKEN),
            replicate_base_url=server.base,
            remote_in_flight=IN_FLIGHT,
            remote_poll_seconds=0.05 if run_seconds < 10 else 1.0,
        )
        taken = _seconds_of_clips(settings, Path(folder) / "first.png")
    least = SHOTS / IN_FLIGHT * (queue_seconds + run_seconds)
    print(
        f"{SHOTS} clips, {IN_FLIGHT} in flight: {taken:.1f} s, "
        f"{taken / least:.2f} of the least of {least:.1f} s"
    )
    print(f"requests that make something: {len(server.creations())}")


def _seconds_of_clips(settings: Settings, picture: Path) -> float:
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    pixels = np.stack([rows * 3, columns * 3, rows + columns], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(picture)
    shots = tuple(Shot(description="x", seed=seed, reference_image=picture) for seed in range(SHOTS))
    options = FilmOptions(width=SIZE, height=SIZE, model="replicate:svd-xt", allow_remote=True)
    begun: dict[Stage | None, float] = {}

    def mark(progress: Progress) -> None:
        begun.setdefault(progress.stage, time.monotonic())

    with VideoOrchestrator(settings) as orchestrator:
        job = orchestrator.create_job(storyboard=Storyboard(shots=shots), options=options)
        orchestrator.execute_job(job.id, on_progress=mark)
    return begun[Stage.JOIN] - begun[Stage.CLIPS]


if __name__ == "__main__":
    main()
