"""Batches: loads of models, what the engine costs beside the adapter, two workers, listing many jobs.

    python benchmarks/batch.py [loads] [overhead] [workers] [listing] [--rounds 5]

- loads: 100 films of 3 shots, storyboards by the outline, keyframes and clips by the animatic; the models
  that are loaded are counted.
- overhead: the clips of some films, 1024x576 and 4 s, by a batch's worker and by the adapter called in a loop
  with the same requests; then whole films, joined beside the clips and after them.
- workers: a batch by one worker process and by two, with one thread for the animatic in each.
- listing: `list-jobs` with 10,000 jobs in the workspace and with none, and with as many as a page shows.

What is compared takes turns, so that whatever else the machine does touches all alike. Medians over the
rounds are shown, and how much of the processor others took meanwhile.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from sqlalchemy import insert

from localvid import FilmOptions, Settings, Shot, Storyboard, VideoOrchestrator, registry
from localvid.batch import BatchTerms, Crew, Worker, begin_batch
from localvid.batch.worker import _MODELS_STAGES
from localvid.batch_file import BatchRow
from localvid.media.join import join_clips
from localvid.pipelines.animatic import Animatic
from localvid.planning import FilmPlan
from localvid.schemas import Camera, ModelKind, NewJob, Stage
from localvid.slot import ModelSlot
from localvid.store import BatchRows, NewEntry, Next, Store
from localvid.store.tables import artifacts, job_steps, steps

SHOTS = (
    ("A wide forest valley in autumn, a deer", Camera.TRUCK_LEFT),
    ("A village in winter, snow is falling", Camera.DOLLY_IN),
    ("A sailing boat on a lake at dusk", Camera.TILT_UP),
)
MODEL = "local:animatic"
PAGE = 50
MANY = 10_000


class Figure(NamedTuple):
    what: str
    goal: str
    found: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="*", metavar="loads|overhead|workers|listing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=100, help="of which the loads of models are counted")
    options = parser.parse_args()
    parts: dict[str, Callable[[], list[Figure]]] = {
        "loads": lambda: count_loads(options.jobs),
        "overhead": lambda: measure_overhead(options.rounds),
        "workers": lambda: measure_workers(options.rounds),
        "listing": lambda: measure_listing(options.rounds),
    }
    if unknown := set(options.which) - parts.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    figures = []
    for name in options.which or parts:
        with others() as taken:
            figures += parts[name]()
        print(f"{name}: others took {taken()} of the processor meanwhile", flush=True)
    print(f"\n{'':58}{'goal':>12}{'here':>24}")
    for figure in figures:
        print(f"{figure.what:58}{figure.goal:>12}{figure.found:>24}")


# --- loads -------------------------------------------------------------------------------------------


def count_loads(num_jobs: int) -> list[Figure]:
    options = FilmOptions(
        width=128, height=72, num_frames=4, fps=8, llm="llm:outline", model=MODEL, max_shots=3,
        keyframe_model="local:animatic-still",
    )  # fmt: skip
    rows = [
        BatchRow(line=number, number=number, prompt=SHOTS[number % 3][0], options=options, seed=number)
        for number in range(1, num_jobs + 1)
    ]
    with _workspace() as (orchestrator, _):
        batch = begin_batch(orchestrator, rows, source="loads")
        worker = Worker(orchestrator, batch, BatchTerms())
        worker.run()
        summary = batch.summary()
        assert summary.done == num_jobs, summary
    goal = "3"
    return [
        Figure(f"model loads, {num_jobs} films of 3 shots, 3 stages with models", goal, str(worker.loads))
    ]


# --- overhead ----------------------------------------------------------------------------------------


def measure_overhead(rounds: int, num_films: int = 2) -> list[Figure]:
    """The engine's time beside the adapter's, by the clock and in processor time."""
    boards = [_board(film) for film in range(num_films)]
    options = FilmOptions(width=1024, height=576, num_frames=96, fps=24, llm="llm:outline", model=MODEL)
    clips, whole = [], []
    for number in range(rounds + 1):
        turns = [
            lambda: _engine_clips(boards, options),
            lambda: _adapter_clips(boards, options, join=False),
        ]
        engine, adapter = _in_turns(turns, number)
        films = [
            lambda: _engine_films(boards, options),
            lambda: _adapter_clips(boards, options, join=True),
        ]
        engine_films, adapter_films = _in_turns(films, number)
        if number:  # the first round warms up
            clips.append((engine, adapter))
            whole.append((engine_films, adapter_films))
            print(f"round {number}: clips {_spans(engine, adapter)}", flush=True)
            print(f"{'':9}films {_spans(engine_films, adapter_films)}", flush=True)
    what = f"engine beside the adapter, {3 * num_films} clips of 1024x576, 4 s: "
    return [
        Figure(f"{what}clock", "< 3 %", _over(clips, "clock")),
        Figure(" " * 12 + "in processor time", "", _over(clips, "processor")),
        Figure(" " * 12 + "in ms of processor time a shot", "", _a_shot(clips, 3 * num_films)),
        Figure("whole films beside adapter and join, one after the other", "< 3 %", _over(whole, "clock")),
        Figure(" " * 12 + "in processor time", "", _over(whole, "processor")),
    ]


class Span(NamedTuple):
    clock: float
    processor: float


def _in_turns(runs: list[Callable[[], Span]], number: int) -> list[Span]:
    """Each once, in an order that turns with the rounds."""
    found: dict[int, Span] = {}
    for place in range(len(runs)):
        index = (place + number) % len(runs)
        found[index] = runs[index]()
    return [found[index] for index in range(len(runs))]


def _engine_clips(boards: list[Storyboard], options: FilmOptions) -> Span:
    with _workspace() as (orchestrator, _), ModelSlot(orchestrator.settings) as models:
        worker = Worker(orchestrator, _begin(orchestrator, boards, options), BatchTerms())
        with _span() as span:
            while worker._work_once(_MODELS_STAGES, models):  # its loop, without the joins beside
                pass
        return span()


def _engine_films(boards: list[Storyboard], options: FilmOptions) -> Span:
    with _workspace() as (orchestrator, _):
        worker = Worker(orchestrator, _begin(orchestrator, boards, options), BatchTerms())
        with _span() as span:
            worker.run()
        return span()


def _adapter_clips(boards: list[Storyboard], options: FilmOptions, *, join: bool) -> Span:
    """The same requests to the adapter, in a loop, announced as the engine announces them."""
    with _workspace() as (orchestrator, folder):
        plans = [orchestrator.plan(board, options) for board in boards]
        info = registry.get_model(MODEL, orchestrator.settings, ModelKind.VIDEO)
        with _span() as span, Animatic(info, orchestrator.settings) as model:
            for number, plan in enumerate(plans):
                _make_film(model, plan, folder / str(number), join=join)
        return span()


def _make_film(model: Animatic, plan: FilmPlan, folder: Path, *, join: bool) -> None:
    folder.mkdir()
    clips = []
    for shot in plan.shots:
        if shot.index + 1 < len(plan.shots):
            model.announce(plan.shots[shot.index + 1].clip_request)
        clip = folder / f"{shot.index}.mp4"
        model.generate(shot.clip_request.model_copy(update={"output": clip}))
        clips.append(clip)
    if join:
        join_clips(clips, plan.transitions, folder / "film.mp4")


def _over(pairs: list[tuple[Span, Span]], what: str) -> str:
    ratios = [getattr(engine, what) / getattr(adapter, what) for engine, adapter in pairs]
    low, high = min(ratios) - 1, max(ratios) - 1
    return f"{statistics.median(ratios) - 1:+.1%} ({low:+.1%} to {high:+.1%})"


def _a_shot(pairs: list[tuple[Span, Span]], num_shots: int) -> str:
    extra = [(engine.processor - adapter.processor) / num_shots for engine, adapter in pairs]
    return f"{1e3 * statistics.median(extra):.1f} ms"


def _spans(first: Span, second: Span) -> str:
    return (
        f"{first.clock:.2f} against {second.clock:.2f} s "
        f"({first.processor:.2f} against {second.processor:.2f} s of processor time)"
    )


# --- workers -----------------------------------------------------------------------------------------


def measure_workers(rounds: int, num_films: int = 8) -> list[Figure]:
    """The throughput of two worker processes beside that of one, both with a thread for the animatic."""
    boards = [_board(film) for film in range(num_films)]
    options = FilmOptions(width=640, height=360, num_frames=48, fps=24, llm="llm:outline", model=MODEL)
    free, bound = [], []
    cores = sorted(os.sched_getaffinity(0))
    for number in range(rounds):
        one, two = _in_turns([lambda: _crew(boards, options, 1), lambda: _crew(boards, options, 2)], number)
        free.append(one.clock / two.clock)
        os.sched_setaffinity(0, cores[:1])
        alone = _crew(boards, options, 1)
        os.sched_setaffinity(0, cores)
        bound.append(alone.clock / two.clock)
        print(
            f"round {number + 1}: one {one.clock:.1f} s, two {two.clock:.1f} s, one on one core "
            f"{alone.clock:.1f} s; one takes {one.processor / one.clock:.2f} cores by itself",
            flush=True,
        )
    return [
        Figure(f"two workers beside one, {num_films} films, by the clock", ">= 1.7", _ratios(free)),
        Figure("two workers on two cores beside one held to one core", ">= 1.7", _ratios(bound)),
    ]


def _crew(boards: list[Storyboard], options: FilmOptions, workers: int) -> Span:
    with _workspace(threads=1) as (orchestrator, _):
        batch = _begin(orchestrator, boards, options)
        crew = Crew(orchestrator.settings, batch, BatchTerms(), devices=["cpu"] * workers)
        with _span() as span:
            crew.run()
        assert batch.summary().done == len(boards)
        return span()


def _ratios(found: list[float]) -> str:
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


# --- listing -----------------------------------------------------------------------------------------


def measure_listing(rounds: int) -> list[Figure]:
    """`list-jobs` in three workspaces, as a whole command and in this process."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {"none": 0, "a page": PAGE, "many": MANY}
        for label, count in sizes.items():
            _fill(folder / label, count)
        commands: dict[str, list[float]] = {label: [] for label in sizes}
        calls: dict[str, list[float]] = {label: [] for label in sizes}
        memory: dict[str, list[int]] = {label: [] for label in sizes}
        for number in range(4 * rounds + 1):
            for label in sizes:
                seconds, peak = _list_by_command(folder / label)
                if number:
                    commands[label].append(seconds)
                    memory[label].append(peak)
        for label in sizes:
            with Store(folder / label) as store:
                for _ in range(3):
                    assert len(store.list_jobs(limit=PAGE)) == min(PAGE, sizes[label])
        stores = {label: Store(folder / label) for label in sizes}
        for _ in range(20 * rounds):
            for label, store in stores.items():
                started = time.perf_counter()
                store.list_jobs(limit=PAGE)
                calls[label].append(time.perf_counter() - started)
        for store in stores.values():
            store.close()
    _print_milliseconds("whole command", commands)
    _print_milliseconds("Store.list_jobs", calls)
    many, page = (statistics.median(memory[label]) / 1024 for label in ("many", "a page"))
    listed = f"list-jobs with {MANY:,} jobs"
    return [
        Figure(f"{listed} beside none, whole command", "<= 1.5", _beside(commands, "none")),
        Figure(f"{listed} beside {PAGE}, whole command", "<= 1.5", _beside(commands, "a page")),
        Figure(f"{listed} beside none, in process", "", _beside(calls, "none")),
        Figure(f"{listed} beside {PAGE}, in process", "<= 1.5", _beside(calls, "a page")),
        Figure(f"its peak memory, and with {PAGE}", "flat", f"{many:.1f} and {page:.1f} MiB"),
    ]


def _print_milliseconds(what: str, found: dict[str, list[float]]) -> None:
    medians = ", ".join(f"{label} {1e3 * statistics.median(times):.1f}" for label, times in found.items())
    print(f"{what}, ms by the number of jobs: {medians}", flush=True)


def _fill(workspace: Path, count: int) -> None:
    """Jobs with storyboards of 3 shots, each with a plan of 7 steps that are made."""
    options = FilmOptions(width=640, height=360, num_frames=48, llm="llm:outline", model=MODEL)
    with Store(workspace) as store:
        for first in range(0, count, 1000):
            entries = [
                NewEntry(NewJob(prompt=SHOTS[0][0], options=options, seed=seed, storyboard=_board(seed)), 1)
                for seed in range(first, min(first + 1000, count))
            ]
            batch = store.create_batch("x", entries, [Next(Stage.CLIPS, MODEL, 1.0)] * len(entries))
            names = [
                (entry.job_id, place, f"{entry.job_id} {place}".encode().hex().ljust(64, "0"))
                for entry in batch.entries()
                for place in range(7)
            ]
            with store._database.write() as connection:
                connection.execute(
                    insert(artifacts), [{"address": f"{key}.mp4", "bytes": 1} for _, _, key in names]
                )
                connection.execute(
                    insert(steps),
                    [{"key": key, "kind": "clip", "address": f"{key}.mp4"} for *_, key in names],
                )
                connection.execute(
                    insert(job_steps),
                    [
                        {"job_id": job_id, "position": place, "key": key, "kind": "clip", "label": "a clip"}
                        for job_id, place, key in names
                    ],
                )


def _list_by_command(workspace: Path) -> tuple[float, int]:
    """Seconds, and the peak of the resident set in KiB."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "localvid", "list-jobs", "--workspace", str(workspace)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - started, usage.ru_maxrss


def _beside(found: dict[str, list[float]], other: str) -> str:
    return _ratios([many / few for many, few in zip(found["many"], found[other], strict=True)])


# --- what they share ---------------------------------------------------------------------------------


@contextmanager
def _workspace(threads: int | None = None) -> Iterator[tuple[VideoOrchestrator, Path]]:
    with TemporaryDirectory() as name:
        settings = Settings(workspace=Path(name) / "workspace", min_free_gib=0, device="cpu", threads=threads)
        with VideoOrchestrator(settings, on_notice=lambda _notice: None) as orchestrator:
            orchestrator.store  # noqa: B018  # opened before the clock runs
            yield orchestrator, Path(name)


def _board(film: int) -> Storyboard:
    return Storyboard(
        shots=tuple(
            Shot(description=description, camera=camera, seed=10 * film + number)
            for number, (description, camera) in enumerate(SHOTS)
        )
    )


def _begin(orchestrator: VideoOrchestrator, boards: list[Storyboard], options: FilmOptions) -> BatchRows:
    rows = [
        BatchRow(line=number, number=number, storyboard=board, options=options)
        for number, board in enumerate(boards, start=1)
    ]
    return begin_batch(orchestrator, rows, source=f"{datetime.now(UTC)}")


@contextmanager
def _span() -> Iterator[Callable[[], Span]]:
    """What the block takes: seconds by the clock, and of processor time with that of child processes."""
    clock, processor = time.perf_counter(), _processor_seconds()
    taken: list[Span] = []
    yield lambda: taken[0]
    taken.append(Span(time.perf_counter() - clock, _processor_seconds() - processor))


@contextmanager
def others() -> Iterator[Callable[[], str]]:
    """The share of all cores that other processes took while the block ran."""
    clock, own, busy = time.perf_counter(), _processor_seconds(), _busy_seconds()
    taken: list[str] = []
    yield lambda: taken[0]
    cores = (time.perf_counter() - clock) * (os.cpu_count() or 1)
    taken.append(f"{(_busy_seconds() - busy - (_processor_seconds() - own)) / cores:.0%}")


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _busy_seconds() -> float:
    """Of all cores since the machine started."""
    user, nice, system, _idle, _waiting, *rest = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
