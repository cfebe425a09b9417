"""Films by the real command line."""

import io
import itertools
import json
import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from localvid.cli import run
from localvid.media import probe

SMALL = ["--width", "128", "--height", "72", "--fps", "12"]
BOARD = {
    "prompt": "A day at the sea",
    "shots": [
        {"description": "the sea at dawn", "duration_seconds": 1, "transition": "crossfade:0.25"},
        {"description": "a city in the rain", "duration_seconds": 1},
        {"description": "a forest at night", "duration_seconds": 1},
    ],
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LOCALVID_WORKSPACE", str(workspace))
    Path("board.json").write_text(json.dumps(BOARD))


def process(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "localvid", *arguments], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


def localvid(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line within this process, which saves it starting Python and importing codecs."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        returned = run(arguments)
    assert returned == code, err.getvalue()
    return subprocess.CompletedProcess(arguments, returned, out.getvalue(), err.getvalue())


def printed_json(*arguments: str) -> Any:
    return json.loads(localvid(*arguments, "--json").stdout)


def test_a_prompt_becomes_a_film() -> None:
    done = process(
        "generate", "A forest at dawn", "--llm", "outline", *SMALL, "--seed", "7", "-o", "forest.mp4"
    )
    path, what, *_shots, job_line, redo = done.stdout.splitlines()
    assert path == "forest.mp4"
    film = probe(Path("forest.mp4"))
    assert (film.width, film.height, film.fps, film.codec) == (128, 72, 12, "h264")
    assert what.strip().startswith(f"{film.duration_seconds:.1f} s, 128x72, 12 fps, {film.num_frames} frames")
    assert len(re.findall(r"^  shot \d  seed \d+  ", done.stdout, re.MULTILINE)) == 3
    job_id = job_line.split()[-1]
    assert redo.strip() == f"another take of a shot: localvid redo {job_id} --shot 1"
    assert done.stderr.count("rendering") == 3
    assert "\x1b" not in done.stderr + done.stdout

    job = printed_json("get-job", job_id)
    assert (job["status"], job["seed"], job["prompt"]) == ("done", 7, "A forest at dawn")
    assert job["video"]["num_frames"] == film.num_frames
    assert len(job["storyboard"]["shots"]) == 3
    assert [step["done"] for step in job["steps"]] == [True] * 4


def test_the_prompt_may_come_from_the_standard_input() -> None:
    short = ["--num-frames", "8", "--transition", "cut", "--max-shots", "1"]
    done = process("generate", "-", "--llm", "outline", *SMALL, *short, "--json", text="海辺の灯台\n")
    job = json.loads(done.stdout)
    assert job["prompt"] == "海辺の灯台"
    assert job["video"]["num_frames"] == 8


def test_a_storyboard_is_written_piped_and_rendered() -> None:
    written = process("storyboard", "A lighthouse", "--llm", "outline", "--max-shots", "2", "--seed", "1")
    again = localvid(
        "storyboard", "A lighthouse", "--llm", "outline", "--max-shots", "2", "--seed", "1", "-o", "a/b.json"
    )
    assert again.stdout.strip() == "a/b.json"
    document = json.loads(Path("a/b.json").read_text(encoding="utf-8"))
    assert document.pop("$schema").endswith("/storyboard.schema.json")
    assert json.loads(written.stdout) == document
    short = ["--num-frames", "24", "--transition", "cut", "--json"]
    job = json.loads(process("render", "-", *SMALL, *short, text=written.stdout).stdout)
    assert job["video"]["num_frames"] == 48


@pytest.mark.parametrize(("name", "codec"), [("film.webm", "vp9"), ("film.gif", "gif")])
def test_the_extension_chooses_the_format(name: str, codec: str) -> None:
    localvid("render", "board.json", *SMALL, "--num-frames", "6", "--transition", "cut", "--output", name)
    assert probe(Path(name)).codec == codec


def test_a_film_is_rendered_again_from_what_it_carries_byte_for_byte(workspace: Path) -> None:
    localvid("render", "board.json", *SMALL, "--captions", "--output", "one.mp4")
    other = ["--workspace", str(workspace.with_name("other"))]
    job = printed_json("render", "one.mp4", "--output", "two.mp4", *other)
    assert Path("one.mp4").read_bytes() == Path("two.mp4").read_bytes()
    assert job["options"]["captions"] is True
    small = printed_json("render", "one.mp4", "--width", "64", "--height", "64", "--no-captions", *other)
    assert (small["video"]["width"], small["video"]["num_frames"]) == (64, job["video"]["num_frames"])


def test_redo_makes_one_shot_and_a_transition_makes_none() -> None:
    job = printed_json("render", "board.json", *SMALL, "--output", "film.mp4")
    before = Path("film.mp4").read_bytes()
    done = localvid("redo", job["id"], "--shot", "2", "--description", "a desert at noon")
    assert done.stderr.count("(made already)") == 2
    assert "a desert at noon" in done.stdout
    assert Path("film.mp4").read_bytes() != before
    done = localvid("redo", job["id"], "--transition", "fade_black:0.5")
    assert done.stderr.count("(made already)") == 3
    # The crossfade had cost three frames.
    assert probe(Path("film.mp4")).num_frames == job["video"]["num_frames"] + 3
    done = localvid("resume", job["id"], "--quiet")
    assert (done.stdout, done.stderr) == (f"{Path.cwd() / 'film.mp4'}\n", "")


def test_flags_that_mean_nothing_to_render_are_said() -> None:
    Path("board.json").write_text(json.dumps({"shots": [{**shot, "seed": 1} for shot in BOARD["shots"]]}))  # type: ignore[attr-defined]
    done = localvid("render", "board.json", *SMALL, "--llm", "outline", "--seed", "3", "--max-shots", "1")
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert [
        next(flag for flag in ("--llm", "first 1 of 3 shots", "--seed") if flag in note) for note in notes[:3]
    ] == [
        "--llm",
        "first 1 of 3 shots",
        "--seed",
    ]
    assert done.stderr.count("rendering") == 2  # the note and the shot


def test_images_are_looked_for_beside_the_storyboard() -> None:
    folder = Path("boards")
    folder.mkdir()
    Image.new("RGB", (300, 200), (200, 30, 30)).save(folder / "red.png")
    shot = {"description": "something red", "duration_seconds": 0.5, "reference_image": "red.png"}
    (folder / "board.json").write_text(json.dumps({"shots": [shot]}))
    localvid("render", "boards/board.json", *SMALL, "--output", "red.mp4")
    localvid("info", "red.mp4", "--frame", "0", "--output", "frame.png")
    with Image.open("frame.png") as frame:
        red, green, _blue = frame.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert red > 150
    assert green < 90


def test_a_dry_run_says_all_and_does_nothing(workspace: Path) -> None:
    workspace.rmdir()
    done = localvid("render", "board.json", *SMALL, "--dry-run")
    assert done.stdout.count("to do") == 4
    assert not workspace.exists()
    planned = printed_json("render", "board.json", *SMALL, "--dry-run")
    assert planned["models"]["clips"] == "local:animatic"
    assert planned["film"] == {
        "size": "128x72", "fps": 12, "shots": 3, "file": ".mp4", "frames": 33, "seconds": 2.75,
    }  # fmt: skip
    localvid("render", "board.json", *SMALL)
    again = printed_json("render", "board.json", *SMALL, "--dry-run")
    assert [step["made"] for step in again["steps"]] == [True] * 4
    prompt = printed_json("generate", "A forest", "--llm", "outline", *SMALL, "--dry-run")
    assert prompt["models"]["storyboard"] == "llm:outline"
    assert [step["made"] for step in prompt["steps"]] == [False] * 5
    assert len(printed_json("list-jobs")) == 1


def test_a_film_gets_the_length_that_is_asked_for() -> None:
    asked = ["--duration", "3.5s", *SMALL]
    planned = printed_json("render", "board.json", *asked, "--dry-run")
    assert (planned["film"]["frames"], planned["film"]["seconds"], planned["notes"]) == (42, 3.5, [])
    made = printed_json("render", "board.json", *asked)
    assert made["video"]["num_frames"] == 42
    again = printed_json("render", str(made["output_video_path"]), "--dry-run")
    assert [step["made"] for step in again["steps"]] == [True] * 4
    written = printed_json(
        "generate", "A forest", "--llm", "outline", *SMALL, "--duration", "20s", "--dry-run"
    )
    assert (written["film"]["shots"], written["film"]["seconds"]) == (5, 20)
    board = json.loads(localvid("storyboard", "A forest", "--llm", "outline", "--duration", "1m10s").stdout)
    assert len(board["shots"]) == 7
    Path("long.json").write_text(json.dumps(board))
    assert printed_json("render", "long.json", "--dry-run")["film"]["seconds"] == 70
    refused = localvid("render", "board.json", "--duration", "3s", "--num-frames", "5", code=2)
    assert "both given" in refused.stderr
    assert "shot 1 lasts" not in localvid("render", "board.json", *asked, "--dry-run").stderr


def test_a_speed_is_shown_with_its_move() -> None:
    shots = [{**shot, "camera": "pan_left", "camera_speed": "slow"} for shot in BOARD["shots"]]
    Path("slow.json").write_text(json.dumps({"shots": shots}))
    made = printed_json("render", "slow.json", *SMALL, "--num-frames", "3", "--transition", "cut")
    assert localvid("get-job", made["id"]).stdout.count("slow pan left") == 3


def test_info_tells_all_and_saves_pictures() -> None:
    localvid("render", "board.json", *SMALL, "--output", "film.mp4")
    pictures = ["--frame", "1", "-o", "frame.png", "--thumbnail", "small.jpg", "--contact-sheet", "sheet.png"]
    for _again in range(2):  # what exists is overwritten
        told = printed_json("info", "film.mp4", *pictures)
    assert told["saved"] == ["frame.png", "small.jpg", "sheet.png"]
    assert told["record"]["storyboard"]["shots"][1]["description"] == "a city in the rain"
    assert told["video"]["faststart"] is True
    for name in told["saved"]:
        with Image.open(name) as picture:
            picture.load()
    text = localvid("info", "film.mp4").stdout
    assert "a city in the rain" in text
    assert "local:animatic" in text


def test_jobs_are_listed_paged_deleted_and_cleaned_up() -> None:
    first = printed_json("render", "board.json", *SMALL, "--num-frames", "6", "--transition", "cut")
    second = printed_json("render", "board.json", *SMALL, "--num-frames", "8", "--transition", "cut")
    assert [job["id"] for job in printed_json("list-jobs")] == [second["id"], first["id"]]
    assert [job["id"] for job in printed_json("list-jobs", "--limit", "1", "--offset", "1")] == [first["id"]]
    assert printed_json("list-jobs", "--status", "failed") == []
    table = localvid("list-jobs").stdout
    assert table.splitlines()[0].split() == ["job", "status", "shots", "created", "prompt", "film"]
    assert "A day at the sea" in table

    films = Path(first["output_video_path"])
    assert films.exists()
    freed = localvid("delete-job", first["id"][:-1], "--yes").stdout
    assert first["id"] in freed
    assert not films.exists()
    localvid("get-job", first["id"], code=2)

    assert printed_json("clean", "--dry-run")["cleaned"]["dry_run"] is True
    cleaned = printed_json("clean", "--everything-unused", "--yes")
    assert cleaned["cleaned"]["artifacts"]["count"] > 0
    assert Path(second["output_video_path"]).exists()
    done = localvid("redo", second["id"], "--shot", "1")
    assert done.stderr.count("rendering") == 3  # what was cleaned away is made anew


def test_listings_of_this_installation() -> None:
    models = {info["manifest"]["id"]: info for info in printed_json("list-models")}
    assert models["local:animatic"]["available"] is True
    assert all(info["available"] or (info["reason"] and info["remedy"]) for info in models.values())
    assert "local:animatic" in localvid("list-models").stdout
    findings = printed_json("doctor")
    assert {finding["level"] for finding in findings} <= {"ok", "warn"}
    assert "workspace" in localvid("doctor").stdout


def test_a_model_is_listed_with_the_size_of_its_weights(workspace: Path) -> None:
    own = workspace / "models" / "mine.toml"
    own.parent.mkdir()
    own.write_text(
        'id = "llm:mine"\nkind = "storyboard"\ntitle = "Mine"\nlicence = "MIT"\nrevision = "main"\n'
        'adapter = "localvid.llm.llama.writer:LlamaWriter"\nrepo = "someone/mine-GGUF"\n'
        'files = [{ path = "mine.gguf" }]\n'
    )
    lines = localvid("list-models").stdout.splitlines()
    sizes = {
        line.split()[1]: below.strip().split(", ")[0]
        for line, below in itertools.pairwise(lines)
        if line.startswith(("  ✓", "  ✗"))
    }
    assert sizes["local:svd-xt-1-1"] == "4.5 GB"
    assert sizes["keyframe:sdxl-turbo"] == "6.9 GB"
    assert sizes["llm:mine"] == "weights of unknown size"
    assert sizes["local:animatic"] == "no weights"


def test_doctor_fails_where_no_film_can_be_made() -> None:
    Path("file").write_text("")
    done = localvid("doctor", "--workspace", "file/inside", code=1)
    assert "✗ workspace" in done.stdout


def test_nobody_reads_the_result() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "localvid", "list-models", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert process.returncode == 1
    assert process.stderr == ""


def test_an_encoding_without_the_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("PYTHONUTF8", "0")
    job = process("render", "board.json", *SMALL, "--num-frames", "6", "--transition", "cut").stdout.split()[
        -3
    ]
    assert job in process("list-jobs").stdout
    assert "the sea at dawn" in process("get-job", job).stdout


@pytest.mark.parametrize("columns", [40, 80])
def test_the_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    arguments = ["render", "board.json", *SMALL, "--model", "animatic"]
    process = subprocess.Popen(
        [sys.executable, "-m", "localvid", *arguments],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        env=dict(os.environ),  # without COLUMNS, which the readline of this process may have set
    )
    os.close(slave)
    drawn = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        drawn += chunk
    os.close(master)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out.splitlines()[0].endswith(".mp4")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode())
    assert re.search(r"clips · shot \d/3", text)
    assert "✓ clips  3 shots" in text
    assert re.search(r"━+─* +\d+%", text)
    assert [line for line in re.split(r"[\r\n]+", text) if len(line) > columns] == []
    assert drawn.count(b"\x1b[?25l") == drawn.count(b"\x1b[?25h") == 1  # the cursor is shown again
