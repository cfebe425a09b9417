"""A night: prompts by the embedded language model and the animatic, killed again and again, and the report.

    python benchmarks/night.py [--films 100] [--kills 10] [--out night]

Every kill is SIGKILL to the command and all its workers, at a random moment of the whole; `--resume` goes on.
At the end every row and byte is checked (`localvid fsck --read-data`), and what became of the films is shown.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

SUBJECTS = (
    "A fox", "A sailing boat", "An old lighthouse keeper", "Two children with a kite", "A deer",
    "A whale", "A steam train", "A hot-air balloon", "A black cat", "A shepherd with a flock of sheep",
)  # fmt: skip
SETTINGS = (
    "in a snowy forest at dawn", "by the sea at dusk", "under northern lights", "in a desert at noon",
    "in a village in the rain", "in the mountains in autumn", "in a city at night",
    "on a foggy lake", "in a field of flowers in spring", "in a storm",
)  # fmt: skip
SIZE = ("--width", "256", "--height", "144", "--num-frames", "24", "--fps", "12", "--max-shots", "3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seconds-between", type=float, default=20.0, help="kills, on average")
    parser.add_argument("--out", type=Path, default=Path("night"))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rows = write_rows(asked.out, asked.films)
    chance, started, kills = random.Random(asked.seed), time.monotonic(), 0
    arguments = ["--model", "local:animatic", *SIZE]
    while True:
        wait = chance.uniform(0, 2 * asked.seconds_between) if kills < asked.kills else None
        code = run_batch(asked.out, rows, arguments, kill_after=wait)
        if code != -signal.SIGKILL:
            break
        kills += 1
        print(f"killed {kills} times, after {time.monotonic() - started:.0f} s", flush=True)
        if (asked.out / "workspace" / "localvid.sqlite3").exists() and is_begun(asked.out, rows):
            arguments = ["--resume"]
    print(f"{kills} kills, {time.monotonic() - started:.0f} s, exit code {code}")
    show(asked.out)
    subprocess.run(command_of(asked.out, "fsck", "--read-data"), check=True)


def write_rows(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    rows = folder / "films.jsonl"
    prompts = itertools.islice(itertools.product(SETTINGS, SUBJECTS), count)
    rows.write_text(
        "".join(
            f"{json.dumps({'prompt': f'{subject} {setting}', 'seed': number})}\n"
            for number, (setting, subject) in enumerate(prompts, start=1)
        ),
        encoding="utf-8",
    )
    return rows


def run_batch(folder: Path, rows: Path, arguments: list[str], *, kill_after: float | None) -> int:
    """The exit code; that of SIGKILL if it was killed in time."""
    command = command_of(folder, "batch", str(rows), "--output-dir", str(folder / "films"), *arguments)
    process = subprocess.Popen(command, start_new_session=True)
    try:
        return process.wait(kill_after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def is_begun(folder: Path, rows: Path) -> bool:
    """Whether the batch was recorded before the kill."""
    shown = subprocess.run(command_of(folder, "top", "--json"), capture_output=True, check=True)
    return any(batch["source"] == str(rows.absolute()) for batch in json.loads(shown.stdout)["batches"])


def command_of(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "localvid", *arguments, "--workspace", str(folder / "workspace")]


def show(folder: Path) -> None:
    report = json.loads((folder / "films" / "report.json").read_text(encoding="utf-8"))
    states = Counter(film["state"] for film in report["films"])
    print(f"films: {dict(states)}; report: {folder / 'films' / 'report.html'}")
    print(f"{report['film_seconds']:.0f} s of film, {report['work_seconds']:.0f} s of work")
    for film in report["films"]:
        if film["state"] != "done":
            print(f"  film {film['number']} ({film['prompt']}): {film['error']}")


if __name__ == "__main__":
    main()
