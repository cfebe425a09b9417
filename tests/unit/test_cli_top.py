"""`localvid top` and `localvid report`: what they say of the rows, and how the view ends."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from batches import FIRST, at_work, finish, give_up, new_batch, retry_later, write_film

from localvid.cli import run
from localvid.cli.at_work import lines_of, look
from localvid.schemas import EntryState, FilmOptions, Stage
from localvid.store import NewEntry, Next, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "workspace") as opened:
        yield opened


def shown(store: Store, *, width: int = 120, utf8: bool = True) -> list[str]:
    return [line.plain for line in lines_of(look(store), width=width, utf8=utf8)]


def test_without_a_batch_it_says_so(store: Store) -> None:
    assert shown(store) == ["no batch here; `localvid batch FILE` begins one"]


def test_everything_that_goes_on(store: Store) -> None:
    batch, jobs = new_batch(store, [f"film {number}" for number in range(8)])
    film = write_film(store.films / "film.mp4")
    for job in jobs[:2]:
        finish(store, batch, job, film)
    give_up(batch, jobs[2])
    retry_later(batch, jobs[3])
    batch.fail(jobs[4].id, EntryState.CANCELLED, error="", hint="", attempts=0)
    with store._database.write() as connection:
        batch.advance(connection, jobs[5].id, Next(Stage.CLIPS, "outline", 2.0), seconds=1.0)
    at_work(store, batch, jobs[5])
    head, bar, waiting, process, _, heading, later, failed = shown(store)
    assert head == f"batch {batch.id}  films.csv"
    # Four of eight ended, and one of the others has its storyboard and its keyframes.
    assert re.fullmatch(r"  ━+─+   54%  2/8 done, 1 failed, 1 cancelled", bar)
    assert bar.count("━") == 27
    assert bar.count("─") == 23
    assert waiting == "  waiting: 3 for storyboard, 1 for clips"
    assert process == "  gpu 0   64%  film 6  clips, shot 2/3: rendering"
    assert heading == "latest failures"
    assert re.fullmatch(
        r"  ↻ film 4 \(line 5\), storyboard, 1 attempt failed, again at \d\d:\d\d: the process died", later
    )
    assert failed == "  ✗ film 3 (line 4), storyboard, 3 attempts: the GPU fell off the bus"
    assert "\x1b" not in "".join(shown(store, utf8=False))
    assert "".join(shown(store, utf8=False)).isascii()


@pytest.mark.parametrize("width", [30, 80, 120])
def test_no_line_is_wider_than_the_terminal(store: Store, width: int) -> None:
    batch, jobs = new_batch(store, ["one", "two"])
    give_up(batch, jobs[0], error="\x1b[31mwords\n" * 50)
    at_work(store, batch, jobs[1], message="a long message " * 20)
    lines = shown(store, width=width)
    assert max(map(len, lines)) <= width
    assert "\n" not in "".join(lines)
    assert "\x1b" not in "".join(lines)


def test_a_process_that_is_silent_is_said_to_be(store: Store) -> None:
    batch, jobs = new_batch(store, ["one"])
    at_work(store, batch, jobs[0], silent=130)
    assert "  gpu 0   64%  film 1  clips, shot 2/3: nothing heard for 2:10" in shown(store)


def test_a_process_that_died_is_not_shown(store: Store) -> None:
    batch, jobs = new_batch(store, ["one"])
    with Store(store.workspace) as other:
        at_work(other, batch, jobs[0])
        assert any("gpu 0" in line for line in shown(store))
    assert not any("gpu 0" in line for line in shown(store))


def test_batches_that_ended_long_ago_are_left_out_but_for_the_newest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("old", "new"):
        batch, jobs = new_batch(store, [name])
        give_up(batch, jobs[0])
    monkeypatch.setattr("localvid.cli.at_work._RECENT", -look(store).at.resolution)
    assert [view.summary.id for view in look(store).batches] == [batch.id]
    assert "ended" in shown(store)[0]


def test_it_prints_once_where_there_is_no_terminal(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    batch, jobs = new_batch(store, ["one", "two"])
    give_up(batch, jobs[0], error="why " * 100)
    assert run(["top", "--workspace", str(store.workspace)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"batch {batch.id}  films.csv\n")
    assert ("why " * 100).strip() in printed  # a pipe gets everything uncut
    assert run(["top", "--once", "--json", "--workspace", str(store.workspace)]) == 0
    document = json.loads(capsys.readouterr().out)
    (view,) = document["batches"]
    assert (view["id"], view["failed"], view["waiting_for"]) == (batch.id, 1, {"storyboard": 1})
    assert view["latest_failures"][0]["job_id"] == jobs[0].id
    assert document["activities"] == []


def test_on_a_terminal_it_moves_and_ctrl_c_ends_it_quietly(store: Store) -> None:
    batch, jobs = new_batch(store, ["one", "two"])
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "localvid", "top", "--workspace", str(store.workspace)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "20"},
    ) as process:  # fmt: skip
        os.close(theirs)
        _read_until(ours, b"0/2 done")
        give_up(batch, jobs[0])
        _read_until(ours, b"fell off the bus")
        process.send_signal(2)
        rest = _read_until(ours, None)
        assert process.wait(10) == 0
    os.close(ours)
    assert b"\x1b[?1049l" in rest  # the screen that was there before
    assert b"interrupted" not in rest
    assert b"Traceback" not in rest


def _read_until(terminal: int, wanted: bytes | None) -> bytes:
    """What the terminal shows until `wanted`, or until the program ends."""
    read = b""
    deadline = time.monotonic() + 30
    while wanted is None or wanted not in read:
        assert time.monotonic() < deadline, read
        try:
            read += os.read(terminal, 4096)
        except OSError:  # Linux: nobody has the other end open any more
            assert wanted is None, read
            break
    return read


def test_a_report_is_made_by_the_files_name(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch, jobs = new_batch(store, ["one"])
    finish(store, batch, jobs[0], write_film(store.films / "film.mp4"))
    folder = tmp_path / "morning"
    arguments = ["report", "films.csv", "--workspace", str(store.workspace)]
    assert run([*arguments, "-o", str(folder)]) == 0
    assert capsys.readouterr().out.split() == [str(folder / "report.html"), str(folder / "report.json")]
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 1
    assert (store.workspace / "reports" / batch.id / "report.html").is_file()
    assert run(["report", "none", "--workspace", str(store.workspace)]) == 2
    assert "no batch 'none'" in capsys.readouterr().err


def test_a_report_is_made_from_another_folder_by_the_files_name_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = store.create_job(prompt="one", options=FilmOptions(), seed=1)
    batch = store.create_batch(str(tmp_path / "night" / "films.jsonl"), [NewEntry(job.id, 1)], [FIRST])
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert run(["report", "films.jsonl", "--workspace", str(store.workspace)]) == 0
        assert batch.id in capsys.readouterr().out
        (tmp_path / "films.jsonl").touch()  # a file of that name here, of which no batch was begun
    assert run(["report", str(tmp_path / "films.jsonl"), "--workspace", str(store.workspace)]) == 2
    assert "no batch" in capsys.readouterr().err
