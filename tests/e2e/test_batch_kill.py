"""Kill -9 at random moments, over batches of real films; then look at every row, file and film.

As a test it kills 50 times, or `BATCH_TEST_KILLS` times. By hand, all that is counted here, printed:
`python tests/e2e/test_batch_kill.py 1000` kills 1,000 times over one batch in a workspace, and a tenth as
often over two at once and with workers that are stopped (SIGSTOP) for longer than their lease.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from localvid.media import probe
from localvid.media.check import check_clip
from localvid.schemas import Storyboard

if TYPE_CHECKING:
    from processes import Fork, Zygote

SHARED = {"description": "A deer in a wide forest valley in autumn", "camera": "truck_left", "seed": 7}
ROWS: tuple[dict[str, Any], ...] = (
    {"prompt": "A fox runs through the snow at dawn", "seed": 5, "max_shots": 2},
    {"prompt": "A fox runs through the snow at dawn", "seed": 5, "max_shots": 2},  # every step is the first's
    {
        "storyboard": {
            "shots": [
                SHARED,
                {"description": "The sun rises", "camera": "dolly_in", "continue_from_previous": True},
            ]
        }
    },
    {"storyboard": {"shots": [SHARED, {"description": "A village in winter", "camera": "tilt_up"}]}},
    {"prompt": "A sailing boat on a lake at dusk", "seed": 6, "keyframe_model": "local:animatic-still"},
    {"prompt": "A whale under water", "seed": 8, "max_shots": 1},
)
BATCH = "batch.jsonl"
SHORT_LEASE_SECONDS = 0.6
FAULTS = ("lost", "unreadable", "published twice", "made again", "stale", "unequal", "changed")


def test_fifty_kills(tmp_path: Path) -> None:
    kills = int(os.environ.get("BATCH_TEST_KILLS", "50"))
    _hold(kill_often(tmp_path, kills=kills, seed=20261126), kills=kills)


def test_kills_of_two_batches_on_one_workspace(tmp_path: Path) -> None:
    _hold(kill_often(tmp_path, kills=6, seed=20261127, num_batches=2), kills=6)


def test_a_worker_that_stands_still_past_its_lease_commits_nothing(tmp_path: Path) -> None:
    figures = stop_often(tmp_path, stops=2, seed=20261128)
    _hold(figures, stops=2)


def _hold(figures: Counter[str], **expected: int) -> None:
    assert {name: figures[name] for name in expected} == expected
    assert figures["films"] >= len(ROWS)
    assert not any(figures[fault] for fault in FAULTS), figures


def kill_often(folder: Path, *, kills: int, seed: int, num_batches: int = 1) -> Counter[str]:
    """Kill workers `kills` times, start them again until their films are done, and count what is wrong.

    Each round has a workspace of its own. Of several batches each has a worker, and they share steps.
    """
    chance = random.Random(seed)
    with _warm(folder) as (zygote, quiet):
        figures: Counter[str] = Counter()
        while figures["kills"] < kills:
            figures["rounds"] += 1
            ledger = Ledger(folder / f"round-{figures['rounds']}", quiet, num_batches=num_batches)
            workers = {number: _start(zygote, ledger, number) for number in range(num_batches)}
            while workers:
                number = chance.choice(list(workers))
                if figures["kills"] == kills:
                    assert workers.pop(number).wait() == 0
                    continue
                if chance.random() < 0.8:
                    figures["stale"] += _heard_stale(workers[number])
                time.sleep(chance.uniform(0, quiet.seconds / 4))
                if not workers.pop(number).kill():
                    continue
                figures["kills"] += 1
                ledger.look()
                workers[number] = _start(zygote, ledger, number)
            figures += ledger.close()
    return figures


def stop_often(folder: Path, *, stops: int, seed: int) -> Counter[str]:
    """Stop a worker at work `stops` times for longer than its lease, have another finish the films, and count
    what the first one changes when it goes on.

    In every other round the first goes on while the other is still at work.
    """
    chance = random.Random(seed)
    with _warm(folder) as (zygote, quiet):
        figures: Counter[str] = Counter()
        while figures["stops"] < stops:
            figures["rounds"] += 1
            ledger = Ledger(folder / f"round-{figures['rounds']}", quiet, num_batches=1)
            first = _start(zygote, ledger, 0)
            _heard_stale(first)
            time.sleep(chance.uniform(0, quiet.seconds * 0.7))
            first.stop()
            if not ledger.is_stopped_at_work(first.pid):
                figures["stopped between films, or within a transaction"] += 1
                first.signal(signal.SIGCONT)
                assert first.wait() == 0
                figures += ledger.close()
                continue
            figures["stops"] += 1
            second = _start(zygote, ledger, 0)
            if figures["stops"] % 2:
                assert second.wait() == 0
                before = ledger.everything()
                first.signal(signal.SIGCONT)
                assert first.wait() == 0
                figures["changed"] += ledger.everything() != before
            else:
                time.sleep(SHORT_LEASE_SECONDS + chance.uniform(0, quiet.seconds / 2))
                first.signal(signal.SIGCONT)
                assert first.wait() == 0
                assert second.wait() == 0
            figures += ledger.close()
    return figures


class Quiet(NamedTuple):
    """A run that nobody disturbed: its films by name, and the seconds that it took."""

    films: dict[str, bytes]
    seconds: float


@contextmanager
def _warm(folder: Path) -> Iterator[tuple[Zygote, Quiet]]:
    from processes import Zygote

    (folder / BATCH).write_text("".join(f"{json.dumps(row)}\n" for row in ROWS), encoding="utf-8")
    with Zygote(__file__) as zygote:
        ledger = Ledger(folder / "quiet", None, num_batches=1)
        started = time.monotonic()
        assert _start(zygote, ledger, 0).wait() == 0
        seconds = time.monotonic() - started
        films = {path.name: path.read_bytes() for path in ledger.films(0)}
        assert len(films) == len(ROWS)
        yield zygote, Quiet(films, seconds)


def _start(zygote: Zygote, ledger: Ledger, number: int) -> Fork:
    return zygote.fork(f"{number} {ledger.folder}")


def _heard_stale(worker: Fork) -> int:
    """The temporaries of dead workers that this one found after its start."""
    word, _, count = worker.hear().partition(" ")
    assert word == "stale", word
    return int(count)


class Ledger:
    """One workspace, with what was seen of it: nothing that was finished may be gone later, or made again."""

    def __init__(self, folder: Path, quiet: Quiet | None, *, num_batches: int) -> None:
        self.folder = folder
        self._workspace = folder / "workspace"
        self._quiet = quiet
        self._num_batches = num_batches
        self._finished: dict[str, tuple[str, float]] = {}
        """Step → its artifact's address, and when it was finished at the latest."""
        self._whole: set[str] = set()
        self._figures: Counter[str] = Counter()
        folder.mkdir()

    def films(self, number: int) -> list[Path]:
        return [path for path in (self.folder / f"films-{number}").glob("*") if path.name[0] != "."]

    def look(self) -> None:
        """Count what is lost of what was finished before, and what is there and cannot be read."""
        now = dict(self._rows("SELECT key, address FROM steps"))
        for key, (address, _) in self._finished.items():
            self._figures["lost"] += now.get(key) != address
        seen = time.monotonic()
        for key, address in now.items():
            self._finished.setdefault(key, (address, seen))
            path = self._workspace / "artifacts" / address[:2] / address
            self._figures["lost"] += not path.exists()
        artifacts = [path for path in (self._workspace / "artifacts").glob("*/*") if path.is_file()]
        for path in artifacts:
            self._figures["unreadable"] += not self._is_whole(path)
        for number in range(self._num_batches):
            for film in self.films(number):
                assert self._quiet is not None
                self._figures["unequal"] += film.read_bytes() != self._quiet.films[film.name]
        self._figures["partials met"] += sum(1 for _ in (self._workspace / "tmp").glob("*/*.part*"))

    def close(self) -> Counter[str]:
        """Look a last time, when all workers have ended; the figures."""
        assert self._quiet is not None
        self.look()
        for number in range(self._num_batches):
            self._figures["films"] += len(self.films(number))
            self._figures["lost"] += self._quiet.films.keys() != {path.name for path in self.films(number)}
        self._figures["lost"] += set(self._rows("SELECT state, attempts FROM batch_jobs")) != {("done", 0)}
        self._figures["lost"] += set(self._rows("SELECT status FROM jobs")) != {("done",)}
        self._figures["stale"] += sum(1 for _ in (self._workspace / "tmp").iterdir())
        self._figures["stale"] += len([path for path in self.folder.rglob(".*") if path.is_file()])
        self._figures["steps"] += len(self._finished)
        self._count_events()
        return +self._figures

    def is_stopped_at_work(self, pid: int) -> bool:
        """Whether that process, which stands still, holds a film, and no lock on the rows that nobody can
        take from it."""
        from processes import is_database_free

        return is_database_free(self._workspace) and any(
            f"-{pid}-" in owner for (owner,) in self._rows("SELECT lease_owner FROM jobs") if owner
        )

    def everything(self) -> object:
        """All rows, and the names of all files."""
        tables = [name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: self._rows(f"SELECT * FROM {name}") for name in tables}
        files = [path for path in self.folder.rglob("*") if "tmp" not in path.parts and path.is_file()]
        return rows, sorted(files)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        """From a database that is sound."""
        path = self._workspace / "localvid.sqlite3"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            if not connection.execute("SELECT name FROM sqlite_master WHERE name = 'stage_times'").fetchone():
                return []
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return connection.execute(query).fetchall()

    def _is_whole(self, path: Path) -> bool:
        """Whether the bytes are those of its name, and can be read as what they are; looked at once, as they
        can only have changed with the digest."""
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
            return False
        if path.name not in self._whole:
            try:
                if path.suffix == ".mp4":
                    assert probe(path).num_frames
                    check_clip(path)
                elif path.suffix == ".png":
                    with Image.open(path) as image:
                        image.load()
                else:
                    Storyboard.model_validate_json(path.read_text(encoding="utf-8"))
            except Exception:
                return False
            self._whole.add(path.name)
        return True

    def _count_events(self) -> None:
        """Hold what workers did against when each step was finished."""
        events = [json.loads(line) for line in _log(self.folder).read_text().splitlines()]
        finished = {key: moment for key, (_, moment) in self._finished.items()}
        for event in events:
            if event["what"] == "published":
                finished[event["key"]] = min(event["at"], finished.get(event["key"], float("inf")))
        self._figures["lost"] += sum(key not in self._finished for key in finished)
        missing: dict[tuple[int, str], float] = {}
        for event in events:
            key, moment = event["key"], event["at"]
            who = event["pid"], key
            if event["what"] == "missing":
                missing[who] = moment
            elif event["what"] == "placed":
                self._figures["published twice"] += moment > finished.get(key, float("inf"))
            # The picture that a clip hands over comes again with a clip that was not finished.
            elif event["what"] == "made" and event["kind"] != "last_frame" and key in finished:
                self._figures["made again"] += missing.get(who, float("inf")) > finished[key]
                self._figures["made by two at once"] += (
                    missing.get(who, float("inf")) < finished[key] < moment
                )


def _log(folder: Path) -> Path:
    return folder / "events.log"


# --- the worker, in processes of its own -----------------------------------------------------------


def _work(order: str) -> None:
    """Go on with a batch, or begin it, until all its films are done."""
    from processes import say

    from localvid import FilmOptions, Settings, VideoOrchestrator
    from localvid.batch import BatchTerms, Worker, begin_batch
    from localvid.batch_file import read_batch
    from localvid.errors import JobNotFoundError

    number, _, name = order.partition(" ")
    folder = Path(name)
    _tell_events(_log(folder))
    films = folder / f"films-{number}"
    settings = Settings(workspace=folder / "workspace", min_free_gib=0, device="cpu", threads=1)
    before = _stale(settings.workspace, folder)
    with VideoOrchestrator(settings) as orchestrator:
        orchestrator.store  # noqa: B018  # opening it sweeps
        say(f"stale {len(before & _stale(settings.workspace, folder))}")
        try:
            batch = orchestrator.store.get_batch(f"batch {number}")
        except JobNotFoundError:
            defaults = FilmOptions(
                width=128, height=72, num_frames=8, fps=8, llm="llm:outline", model="local:animatic"
            )
            read = read_batch(folder.parent / BATCH, defaults=defaults, output_dir=films)
            assert not read.mistakes, read.mistakes
            batch = begin_batch(orchestrator, read.jobs, source=f"batch {number}")
        Worker(orchestrator, batch, BatchTerms(), lease_seconds=SHORT_LEASE_SECONDS).run()


def _stale(workspace: Path, folder: Path) -> set[Path]:
    """The temporaries that belong to no living process now: what the next start has to remove."""
    from localvid.store import owners

    temporaries = workspace / "tmp"
    if not temporaries.exists():
        return set()
    partials = {path for path in folder.rglob(".*.part.*") if path.is_file()}
    dead = {path for path in temporaries.iterdir() if not owners.is_alive(temporaries, path.name)}
    named = set()
    for link in temporaries.glob("*/*"):
        with suppress(OSError):  # it has done so since, or is no link
            if link.parent not in dead:
                named.add(link.readlink())
    return {path for path in dead | partials - named if path.exists()}


def _tell_events(log: Path) -> None:
    """Have the store write down when a step was missing, made, placed under its name, and published."""
    from localvid.store import JobLease, Store
    from localvid.store.artifacts import ArtifactFiles

    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    find, publish, place = Store.find, JobLease.publish, ArtifactFiles.place
    publishing = threading.local()

    def tell(what: str, key: str, kind: str = "", at: float | None = None) -> None:
        event = {"what": what, "key": key, "kind": kind, "pid": os.getpid(), "at": at or time.monotonic()}
        os.write(descriptor, f"{json.dumps(event)}\n".encode())

    def found(store: Store, key: str) -> Path | None:
        before = time.monotonic()
        path = find(store, key)
        if path is None:
            tell("missing", key, at=before)
        return path

    def published(lease: JobLease, key: str, kind: str, partial: Path) -> Path:
        tell("made", key, kind)
        publishing.key = key
        path = publish(lease, key, kind, partial)
        tell("published", key, kind)
        return path

    def placed(files: ArtifactFiles, partial: Path, address: str) -> Path:
        tell("placed", publishing.key)
        return place(files, partial, address)

    Store.find, JobLease.publish, ArtifactFiles.place = found, published, placed  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    if sys.argv[1] == "zygote":
        from processes import serve_forks

        import localvid.batch
        import localvid.batch_file
        import localvid.llm.outline
        import localvid.pipelines.animatic
        import localvid.stages  # noqa: F401

        serve_forks(_work)
    else:
        wanted = int(sys.argv[1])
        for title, run, counts in (
            ("one batch", kill_often, {"kills": wanted}),
            ("two batches at once", kill_often, {"kills": wanted // 10, "num_batches": 2}),
            ("stopped past the lease", stop_often, {"stops": wanted // 10}),
        ):
            with tempfile.TemporaryDirectory() as made:
                began = time.monotonic()
                result = run(Path(made), seed=time.time_ns(), **counts)  # type: ignore[operator]
                faults = {fault: result.pop(fault, 0) for fault in FAULTS}
                sys.stdout.write(f"{title}: {dict(result)}, {time.monotonic() - began:.0f} s\n  {faults}\n")
                sys.stdout.flush()
