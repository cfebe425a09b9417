"""Checks and clean-ups of a workspace with real films, by the real command line."""

import io
import json
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from localvid.cli import run

BOARD = {"shots": [{"description": "the sea at dawn"}, {"description": "a city in the rain"}]}
RENDER = ["render", "board.json", "--width", "128", "--height", "72", "--fps", "8", "--num-frames", "6"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LOCALVID_WORKSPACE", str(workspace))
    Path("board.json").write_text(json.dumps(BOARD))


def localvid(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        returned = run(arguments)
    assert returned == code, out.getvalue() + err.getvalue()
    return subprocess.CompletedProcess(arguments, returned, out.getvalue(), err.getvalue())


def printed_json(*arguments: str, code: int = 0) -> Any:
    return json.loads(localvid(*arguments, "--json", code=code).stdout)


def _held(workspace: Path) -> int:
    files = (path for path in workspace.rglob("*") if path.is_file() and path.name != "ballast")
    return sum(path.stat().st_size for path in files)


def test_a_damaged_clip_is_found_forgotten_and_made_again(workspace: Path) -> None:
    localvid("fsck", code=1)  # nothing is there yet, and nothing is made
    assert list(workspace.iterdir()) == []
    job = printed_json(*RENDER)
    film = Path(job["output_video_path"])
    before = film.read_bytes()
    assert localvid("fsck").stdout.startswith("1 job, ")
    clip = min(workspace.glob("artifacts/*/*.mp4"), key=lambda path: path.read_bytes() == before)
    whole = clip.read_bytes()
    clip.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    assert localvid("fsck", "--quiet").stdout == ""
    done = localvid("fsck", "--read-data", "--workspace", str(workspace), code=1)
    assert clip.name in done.stdout
    assert f"`localvid fsck --workspace {workspace} --repair`" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(", every byte read): 1 error")
    assert "100% reading artifacts" in done.stderr
    document = printed_json("fsck", "--read-data", "--quiet", code=1)
    assert (document["healthy"], [found["fault"] for found in document["findings"]]) == (False, ["damaged"])
    assert clip.exists()

    assert "1 mended" in localvid("fsck", "--read-data", "--repair").stdout
    assert film.read_bytes() == before
    assert printed_json("fsck", "--read-data")["findings"] == []
    localvid("redo", job["id"], "--transition", "crossfade:0.25")
    assert clip.read_bytes() == whole


def test_a_workspace_is_kept_within_a_quota_and_films_are_made_again(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = printed_json(*RENDER)
    film = Path(job["output_video_path"])
    before = film.read_bytes()
    held = _held(workspace)
    assert printed_json("clean", "--quota", "1GiB")["cleaned"]["artifacts"]["count"] == 0

    done = localvid("clean", "--quota", "1B", "--yes", code=1)
    assert "more than the quota must stay: films, " in done.stderr
    assert film.read_bytes() == before
    assert len(list(workspace.glob("artifacts/*/*"))) == 1  # the film that `resume` puts back
    film.unlink()
    assert localvid("fsck").stdout.splitlines()[-1].endswith(": 1 note")
    localvid("resume", job["id"])
    assert film.read_bytes() == before
    again = localvid("redo", job["id"], "--shot", "1", "--seed", "5")
    assert again.stderr.count("rendering") == 2  # the other shot's clip was cleaned away

    monkeypatch.setenv("LOCALVID_QUOTA_GIB", str(held / 2**30))
    assert _held(workspace) > held
    assert printed_json("clean", "--dry-run")["cleaned"]["artifacts"]["count"] > 0
    assert printed_json("clean", "--yes")["cleaned"]["over_quota_bytes"] == 0
    assert _held(workspace) <= held
    assert "no size; write it as 20GiB" in localvid("clean", "--quota", "20", code=2).stderr
