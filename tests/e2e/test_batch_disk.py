"""Batches and the disk: full, limited, and in which order the kernel sees what is written."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from processes import calls_of

from localvid.media import probe
from localvid.store import Store

FLAGS = [
    "--llm",
    "outline",
    "--model",
    "local:animatic",
    "--width",
    "320",
    "--height",
    "192",
    "--num-frames",
    "8",
]


def batch_command(workspace: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "localvid", "batch", *arguments, "--workspace", str(workspace), *FLAGS]


def write_rows(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps({"max_shots": 1, **row}) + "\n" for row in rows), encoding="utf-8")
    return path


def assert_all_is_whole(workspace: Path) -> None:
    """Every artifact that is a film or a clip, and every film, reads."""
    for path in (*workspace.glob("artifacts/*/*.mp4"), *workspace.glob("films/*.mp4")):
        assert probe(path).num_frames > 0
    assert list((workspace / "tmp").glob("*/*")) == []


def test_a_film_that_is_too_large_for_its_file_fails_alone_and_is_made_later(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: the writes of one clip meet EFBIG, those of the rows and of another film do not."""
    workspace = tmp_path / "workspace"
    small = write_rows(tmp_path / "small.jsonl", {"prompt": "a whale", "seed": 2})
    assert subprocess.run(batch_command(workspace, str(small)), capture_output=True).returncode == 0
    rows = (workspace / "localvid.sqlite3").stat().st_size
    large = {"prompt": "a storm with rain", "seed": 5, "width": 640, "height": 384, "num_frames": 120}
    both = write_rows(tmp_path / "both.jsonl", large, {"prompt": "a fox", "seed": 3})

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (rows + 16_384, rows + 16_384))

    done = subprocess.run(
        batch_command(workspace, str(both)), capture_output=True, text=True, preexec_fn=limited
    )
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stdout
    assert "1 of 2 films done, 1 failed" in done.stdout
    assert_all_is_whole(workspace)

    again = subprocess.run(
        batch_command(workspace, str(both), "--only-failed"), capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    with Store(workspace) as store:
        assert store.get_batch(str(both)).summary().done == 2
    assert_all_is_whole(workspace)


FULL = """
import json, sys, threading, time
from pathlib import Path
from localvid import FilmOptions, Settings, VideoOrchestrator
from localvid.batch import BatchTerms, Worker, begin_batch
from localvid.batch_file import BatchRow

folder = Path(sys.argv[1])
options = FilmOptions(
    width=320, height=192, num_frames=8, llm="outline", model="local:animatic", max_shots=1
)
rows = [BatchRow(line=n, number=n, prompt=f"a fox {n}", options=options, seed=n) for n in (1, 2, 3)]
notices = []
settings = Settings(workspace=folder / "w", min_free_gib=0, offline=True, device="cpu")
with VideoOrchestrator(settings, on_notice=lambda _: None) as orchestrator:
    batch = begin_batch(orchestrator, rows, source="films.jsonl")
    filler = (folder / "filler").open("wb", buffering=0)
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        filler.close()
    worker = Worker(
        orchestrator, batch, BatchTerms(space_poll_seconds=0.2, backoff_seconds=0), on_notice=notices.append
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    for _ in range(600):
        if any(notice.startswith("paused") for notice in notices):
            break
        time.sleep(0.05)
    (folder / "filler").unlink()
    thread.join(150)
    found = {"paused": notices[0], "alive": thread.is_alive()}
    found["states"] = [entry.state.value for entry in batch.entries()]
    found["attempts"] = [entry.attempts for entry in batch.entries()]
print(json.dumps(found))
"""


def test_a_full_disk_pauses_the_batch_and_it_goes_on_by_itself(tmp_path: Path) -> None:
    """On a real file system of 8 MiB, mounted where this process may make namespaces of its own."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=8m none {tmp_path}"
    if shutil.which("unshare") is None or subprocess.run([*alone, "sh", "-c", mount]).returncode:
        pytest.skip("no mount namespaces for this user here")
    script = tmp_path.with_name("full_batch.py")
    script.write_text(textwrap.dedent(FULL), encoding="utf-8")
    command = f'{mount} && exec "{sys.executable}" "{script}" "{tmp_path}"'
    done = subprocess.run([*alone, "sh", "-c", command], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("paused").startswith("paused: ")
    assert found == {"alive": False, "states": ["done"] * 3, "attempts": [0] * 3}


OUTPUTS_FULL = """
import json, os, sys, threading, time
from pathlib import Path
from localvid import FilmOptions, Settings, VideoOrchestrator, stages
from localvid.batch import BatchTerms, Worker, begin_batch
from localvid.batch_file import BatchRow
from localvid.media import probe

outputs, folder = Path(sys.argv[1]), Path(sys.argv[2])
options = FilmOptions(
    width=320, height=192, num_frames=8, llm="outline", model="local:animatic", max_shots=1
)
rows = [
    BatchRow(
        line=n, number=n, prompt=f"a fox {n}", seed=n,
        options=options.model_copy(update={"output": outputs / "made" / f"{n}.mp4"}),
    )
    for n in (1, 2)
]
joined, notices, looks = [], [], []
join = stages.join_clips

def join_counted(*arguments, **named):
    joined.append(1)
    return join(*arguments, **named)

stages.join_clips = join_counted
settings = Settings(workspace=folder / "w", min_free_gib=0, offline=True, device="cpu")
with VideoOrchestrator(settings, on_notice=lambda _: None) as orchestrator:
    batch = begin_batch(orchestrator, rows, source="films.jsonl")
    filler = (outputs / "filler").open("wb", buffering=0)
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        pass
    worker = Worker(
        orchestrator, batch, BatchTerms(space_poll_seconds=0.05, backoff_seconds=0), on_notice=notices.append
    )
    look = worker._waiting._look
    worker._waiting._look = lambda lack: (looks.append(lack.needed_bytes), look(lack))
    thread = threading.Thread(target=worker.run)
    thread.start()

    def wait_for(condition):
        for _ in range(600):
            if condition():
                return
            time.sleep(0.05)

    wait_for(lambda: len(looks) >= 5)
    os.ftruncate(filler.fileno(), os.fstat(filler.fileno()).st_size - 4096)  # room, but not for a film
    more = len(looks) + 5
    wait_for(lambda: len(looks) >= more)
    waited = {"notices": len(notices), "alive": thread.is_alive(), "made": batch.summary().done}
    os.unlink(outputs / "filler")
    filler.close()
    thread.join(100)
    found = {"waited": waited, "alive": thread.is_alive(), "notices": notices, "joined": len(joined)}
    found["entries"] = [(entry.state.value, entry.attempts, entry.error) for entry in batch.entries()]
    found["frames"] = [probe(outputs / "made" / f"{n}.mp4").num_frames for n in (1, 2)]
    found["left"] = sorted(path.name for path in outputs.rglob("*"))
    sizes = {(outputs / "made" / f"{n}.mp4").stat().st_size for n in (1, 2)}
    found["needed"] = bool(looks) and set(looks) <= sizes
print(json.dumps(found))
"""


def test_a_full_disk_of_outputs_is_waited_for_and_no_film_is_joined_again(tmp_path: Path) -> None:
    """The films go to a real file system of 1 MiB, the workspace lies elsewhere."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    outputs, folder = tmp_path / "outputs", tmp_path / "folder"
    outputs.mkdir()
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=1m none {outputs}"
    if shutil.which("unshare") is None or subprocess.run([*alone, "sh", "-c", mount]).returncode:
        pytest.skip("no mount namespaces for this user here")
    script = tmp_path / "full_outputs.py"
    script.write_text(OUTPUTS_FULL, encoding="utf-8")
    command = f'{mount} && exec "{sys.executable}" "{script}" "{outputs}" "{folder}"'
    done = subprocess.run([*alone, "sh", "-c", command], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    paused, going_on = found.pop("notices")
    assert paused.startswith(f"paused: no space left while writing {outputs}/made/")
    assert going_on == "there is room again: going on"
    assert found == {
        "waited": {"notices": 1, "alive": True, "made": 0},
        "alive": False,
        "joined": 2,
        "entries": [["done", 0, ""]] * 2,
        "frames": [8, 8],
        "left": ["1.mp4", "2.mp4", "made"],
        "needed": True,
    }


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_the_bytes_of_every_file_before_its_name(tmp_path: Path) -> None:
    workspace, trace = tmp_path / "workspace", tmp_path / "trace"
    films = write_rows(
        tmp_path / "films.jsonl", {"prompt": "a fox", "seed": 1}, {"prompt": "a whale", "seed": 2}
    )
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2"
    done = subprocess.run(
        ["strace", "-f", "-y", "-e", calls, "-o", str(trace), *batch_command(workspace, str(films))],
        capture_output=True,
        text=True,
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    synced: set[str] = set()
    renamed = []
    for line in calls_of(trace.read_text(encoding="utf-8", errors="replace")):
        if found := re.search(r"f(?:data)?sync\(\d+<([^>]+)>", line):
            synced.add(found[1])
        elif "rename" in line and " = 0" in line:
            source, target = re.findall(r'"([^"]+)"', line)[:2]
            # What a process does at the moment is worth nothing after a power cut.
            if str(workspace) in target and Path(target).name != "activity.json":
                renamed.append(target)
                assert source in synced, line
    # For each film a storyboard, a clip and the film itself as artifacts, the film's copy; and the report.
    assert sum("/artifacts/" in target for target in renamed) == 6
    assert sum("/films/" in target for target in renamed) == 2
    assert sum("/reports/" in target for target in renamed) == 2
