"""How long `localvid --help` takes, the whole process, beside Python itself and typer alone.

The commands take turns, so that whatever else the machine does touches all of them alike; the median of
each is printed. `python benchmarks/startup.py [ROUNDS]`
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python": ["-c", "pass"],
    "import typer": ["-c", "import typer"],
    "localvid --help": ["-m", "localvid", "--help"],
    "localvid generate --help": ["-m", "localvid", "generate", "--help"],
    "localvid --version": ["-m", "localvid", "--version"],
}
TARGET_MILLISECONDS = 200


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    milliseconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, arguments in COMMANDS.items():
            taken = _run(arguments)
            if number:  # the first round fills the disk cache and writes the byte code
                milliseconds[name].append(taken)
    print(f"{'':26}{'median':>9}{'fastest':>9}   of {rounds} runs, in ms")
    for name, times in milliseconds.items():
        print(f"{name:26}{statistics.median(times):9.0f}{min(times):9.0f}")
    median = statistics.median(milliseconds["localvid --help"])
    print(f"localvid --help against the {TARGET_MILLISECONDS} ms it may take: {median:.0f} ms")


def _run(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
