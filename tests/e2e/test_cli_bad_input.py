"""What bad input gets: one clear line, a hint, the right exit code, no traceback, and no job."""

import errno
import io
import json
import os
import re
import shlex
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import NoReturn

import pytest
from PIL import Image

from localvid.cli import run
from localvid.schemas import FilmOptions, JobStatus
from localvid.store import Store

SMALL = ["--llm", "outline", "--model", "animatic", "--width", "128", "--height", "72", "--num-frames", "4"]
SHOT = {"description": "a forest", "duration_seconds": 0.25}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LOCALVID_WORKSPACE", str(workspace))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run a command that must fail with this code, and return what it says in one line."""
    assert run(arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    *progress, error, hint = shown.err.splitlines()
    assert all(re.match(r"note: | *\d+% ", line) for line in progress)
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert len(hint) > len("hint: ")
    return error.removeprefix("error: ")


def jobs(workspace: Path) -> int:
    with Store(workspace) as store:
        return len(store.list_jobs())


# --- the command line itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["genrate", "x"], "Did you mean 'generate'"),
        (["--colour"], "no such option: --colour"),
        (["generate"], "missing argument 'PROMPT'"),
        (["generate", "one", "two"], "unexpected extra argument"),
        (["generate", "x", "--widht", "64"], "no such option: --widht"),
        (["generate", "x", "--width", "wide"], "'--width'"),
        (["generate", "x", "--width"], "'--width' requires an argument"),
        (["generate", "x", "--seed", "-1"], "'--seed'"),
        (["generate", "x", "--seed", str(2**32)], "'--seed'"),
        (["generate", "x", "--output", ""], "an empty path"),
        (["generate", "x", "--workspace", " "], "an empty path"),
        (["generate", "x", "--device", "gpu"], "--device: Input should be"),
        (["resume", "x", "--device", "gpu"], "--device: Input should be"),
        (["redo", "x", "--device", "gpu"], "--device: Input should be"),
        (["doctor", "--device", "gpu"], "--device: Input should be"),
        (["list-models", "--device", "gpu"], "--device: Input should be"),
        (["generate", "x", "--max-cost", "-1"], "--max-cost: Input should be"),
        (["render", "x.yaml", "--max-cost", "nan"], "--max-cost: Input should be"),
        (["batch", "x.csv", "--max-cost", "-1"], "--max-cost: Input should be"),
        (["resume", "x", "--max-cost", "-1"], "--max-cost: Input should be"),
        (["list-jobs", "--status", "ready"], "there is no status 'ready'"),
        (["list-jobs", "--limit", "0"], "'--limit'"),
        (["redo", "x", "--shot", "one"], "'--shot'"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert said.lower() in refused(capsys, *arguments).lower()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["storyboard", "--show"], "localvid storyboard"),
        (["--", "generate", "x", "--width"], "localvid generate"),
        (["generate", "x", "--widht", "64"], "localvid generate"),
        (["genrate"], "localvid"),
        (["--colour"], "localvid"),
    ],
)
def test_wrong_use_names_the_help_of_its_command(
    capsys: pytest.CaptureFixture[str], arguments: list[str], command: str
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"hint: {command} --help"


@pytest.mark.parametrize(
    ("command", "name"),
    [("render", "board.yaml"), ("render", "film.mp4"), ("info", "film.mp4"), ("batch", "films.csv")],
)
def test_a_file_that_may_not_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    Path(name).write_text("")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK or Path(path) != Path(name))
    monkeypatch.setattr(Path, "open", refuse)
    assert run([command, name]) == 2
    assert capsys.readouterr().err == (
        f"error: {name} cannot be read: Permission denied\nhint: check the path and its permissions\n"
    )


# --- prompts and options -------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["generate", "storyboard"])
def test_a_file_in_place_of_words(capsys: pytest.CaptureFixture[str], command: str) -> None:
    Path("board.yaml").write_text("shots:\n- description: waves\n", encoding="utf-8")
    assert "board.yaml is a file, and words are wanted" in refused(capsys, command, "board.yaml")


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("prompt", "said"),
    [("", "prompt is empty"), (" \n\t\x00", "prompt is empty"), ("word " * 4000, "19,999 characters")],
)
def test_prompts_that_say_nothing_or_too_much(
    capsys: pytest.CaptureFixture[str], workspace: Path, prompt: str, said: str, dry_run: list[str]
) -> None:
    assert said in refused(capsys, "generate", prompt, *SMALL, *dry_run)
    assert jobs(workspace) == 0


@pytest.mark.parametrize(
    "prompt",
    [
        "海辺の灯台",
        "غابة عند الفجر",
        "जंगल में सुबह",
        "🌲🌅",
        "-dash",
        "a\udcffb",
        "\u202eevil\u2066",
        "x" * 4000,
    ],
)
def test_prompts_in_any_script_are_fine(capsys: pytest.CaptureFixture[str], prompt: str) -> None:
    assert run(["generate", *SMALL, "--dry-run", "--", prompt]) == 0
    assert "rendering shot 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-shots", "0"], "--max-shots"),
        (["--max-shots", "8"], "--max-shots"),
        (["--width", "127"], "not a multiple of 2 (nearest: 126 and 128)"),
        (["--width", "8"], "outside 64 to 3840"),
        (["--height", "100000"], "outside 64 to 3840"),
        (["--fps", "1000"], "outside 1 to 60"),
        (["--num-frames", "100000"], "outside 1 to 1500"),
        (["--num-inference-steps", "25"], "cannot heed --num-inference-steps"),
        (["--transition", "wipe"], "--transition"),
        (["--model", "sora"], "sora"),
        (["--model", "smollm2-135m"], "smollm2-135m"),
        (["--keyframe-model", "local:animatic"], "local:animatic"),
        (["--llm", "gpt"], "gpt"),
    ],
)
def test_options_that_nothing_can_heed(
    capsys: pytest.CaptureFixture[str], workspace: Path, options: list[str], said: str
) -> None:
    assert said in refused(capsys, "generate", "a forest", *SMALL, *options)
    assert jobs(workspace) == 0


def test_a_model_whose_weights_are_missing(capsys: pytest.CaptureFixture[str], workspace: Path) -> None:
    said = refused(capsys, "generate", "a forest", "--llm", "outline", "--model", "svd-xt", code=3)
    assert said.startswith("local:svd-xt does not run here: ")
    assert jobs(workspace) == 0


@pytest.mark.parametrize(
    ("content", "code"), [(None, 2), (b"", 2), (b"garbage", 2), (b"GGUF", 3), (b"GGUF\x03" + bytes(64), 3)]
)
def test_a_gguf_file_that_is_none(
    capsys: pytest.CaptureFixture[str], content: bytes | None, code: int
) -> None:
    """Not a GGUF file is wrong use; a damaged one is weights that are not available."""
    if content is not None:
        Path("model.gguf").write_bytes(content)
    assert "model.gguf" in refused(capsys, "storyboard", "a forest", "--llm", "model.gguf", code=code)


# --- images --------------------------------------------------------------------------------------


def _png_of(width: int, height: int) -> bytes:
    """A PNG that announces this size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def _images(folder: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "whole.png")
    whole = (folder / "whole.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "huge.png").write_bytes(_png_of(60_000, 60_000))
    frames[0].save(folder / "animated.png", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "drawing.eps")
    (folder / "text.png").write_text("not an image")
    (folder / "empty.png").write_bytes(b"")
    (folder / "folder.png").mkdir()


@pytest.mark.parametrize(
    "name",
    [
        "missing.png",
        "truncated.png",
        "huge.png",
        "animated.png",
        "animated.gif",
        "drawing.eps",
        "text.png",
        "empty.png",
        "folder.png",
    ],
)
@pytest.mark.parametrize("way", ["flag", "storyboard"])
def test_images_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], workspace: Path, name: str, way: str
) -> None:
    _images(Path.cwd())
    if way == "flag":
        said = refused(capsys, "generate", "a forest", *SMALL, "--reference-image", name)
    else:
        Path("board.json").write_text(json.dumps({"shots": [{**SHOT, "reference_image": name}]}))
        said = refused(capsys, "render", "board.json", *SMALL[2:])
    assert name in said
    assert jobs(workspace) == 0


# --- storyboards ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"shots": [SHOT], "colour": "red"}, "colour: unknown key"),
        ({"shots": [SHOT] * 500}, "at most 100"),
        ({"shots": [{**SHOT, "transition": "crossfade:2"}] * 2}, "its transitions need"),
        ("not JSON", "is not JSON"),
    ],
)
def test_storyboards_that_cannot_be_rendered(
    capsys: pytest.CaptureFixture[str], workspace: Path, content: object, said: str
) -> None:
    Path("board.json").write_text(content if isinstance(content, str) else json.dumps(content))
    assert said in refused(capsys, "render", "board.json", *SMALL[2:])
    assert jobs(workspace) == 0


# --- settings, folders, disks --------------------------------------------------------------------


def test_a_configuration_with_a_typo(capsys: pytest.CaptureFixture[str]) -> None:
    Path("localvid.toml").write_text('modle = "auto"\n')
    assert "did you mean model" in refused(capsys, "list-jobs")
    Path("localvid.toml").write_text("model = \n")
    assert "not valid TOML" in refused(capsys, "generate", "a forest", *SMALL)


def test_a_variable_with_a_typo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVID_DEVISE", "cpu")
    assert "did you mean LOCALVID_DEVICE" in refused(capsys, "list-models")


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("film.avi", 2, "film.avi: '.avi' is not a film's extension"),
        ("film", 2, "film has no extension"),
        ("mp4", 2, "mp4 has no extension"),
        (".", 2, "here has no extension"),
        ("/dev/null", 2, "null has no extension"),
        ("/", 2, "/ has no extension"),
        ("folder.mp4", 2, "is a folder"),
        ("file.txt/film.mp4", 2, "is not a folder"),
        ("/proc/localvid/film.mp4", 1, "cannot write"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], workspace: Path, output: str, code: int, said: str
) -> None:
    Path("folder.mp4").mkdir()
    Path("file.txt").write_text("")
    assert said in refused(capsys, "generate", "a forest", *SMALL, "--output", output, code=code)
    assert jobs(workspace) == 0


@pytest.mark.parametrize("command", [["list-jobs"], ["generate", "a forest", *SMALL], ["clean"]])
@pytest.mark.parametrize("place", ["file.txt", "file.txt/inside", "/proc/localvid"])
def test_a_workspace_that_cannot_be_one(
    capsys: pytest.CaptureFixture[str], command: list[str], place: str
) -> None:
    Path("file.txt").write_text("")
    assert place in refused(capsys, *command, "--workspace", place, code=1)


def test_a_full_disk_stops_the_film_and_the_job_is_kept(
    capsys: pytest.CaptureFixture[str], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALVID_MIN_FREE_GIB", "1000000000")
    assert run(["generate", "a forest", *SMALL, "--workspace", str(workspace)]) == 1
    shown = capsys.readouterr()
    with Store(workspace) as store:
        (job,) = store.list_jobs()
    assert job.status is JobStatus.FAILED
    error, hint = shown.err.splitlines()[-2:]
    assert error.startswith("error: ")
    assert f"localvid resume --workspace {workspace}" in hint


# --- streams -------------------------------------------------------------------------------------


def _from_a_shell(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.quote(sys.executable)} -m localvid {command}"
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env={**os.environ, **variables}
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["list-jobs --json", "list-models", "--help", "get-job {job}"])
def test_a_standard_output_that_cannot_be_written(workspace: Path, command: str, unbuffered: str) -> None:
    with Store(workspace) as store:
        job = store.create_job(prompt="waves", options=FilmOptions(), seed=0)
    done = _from_a_shell(f"{command.format(job=job.id)} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the standard output cannot be written: No space left on device\n"
        "hint: send it elsewhere, or free some space there\n"
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["list-jobs", "list-jobs --json", "list-models"])
def test_a_closed_stream_keeps_no_command_from_running(command: str, closed: str) -> None:
    done = _from_a_shell(f"{command} {closed}")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_errors_stay_off_the_standard_output_where_theirs_is_closed() -> None:
    done = _from_a_shell("get-job nothing 2>&-")
    assert done.returncode == 2
    assert done.stdout == ""


# --- jobs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["redo", "resume", "cancel", "get-job", "delete-job"])
def test_a_job_that_does_not_exist(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert "no job 'nothing'" in refused(capsys, command, "nothing")


def test_two_processes_on_one_job(capsys: pytest.CaptureFixture[str], workspace: Path) -> None:
    Path("board.json").write_text(json.dumps({"shots": [SHOT]}))
    assert run(["render", "board.json", *SMALL[2:], "--quiet"]) == 0
    capsys.readouterr()
    with Store(workspace) as store:
        (job,) = store.list_jobs()
        with store.lease(job.id):
            for command in (
                ["resume", job.id],
                ["redo", job.id, "--shot", "1"],
                ["delete-job", job.id, "-y"],
            ):
                assert "is being worked on" in refused(capsys, *command, code=1)
    assert run(["resume", job.id]) == 0


def test_a_redo_that_says_nothing(capsys: pytest.CaptureFixture[str], workspace: Path) -> None:
    Path("board.json").write_text(json.dumps({"shots": [SHOT]}))
    assert run(["render", "board.json", *SMALL[2:], "--quiet"]) == 0
    capsys.readouterr()
    with Store(workspace) as store:
        (job,) = store.list_jobs()
    assert "which shot" in refused(capsys, "redo", job.id)
    assert "no shot 2" in refused(capsys, "redo", job.id, "--shot", "2")
    assert "shot 1" in refused(capsys, "redo", job.id, "--shot", "1", "--description", " ")


# --- films ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["info", "render"])
def test_a_film_that_is_none(capsys: pytest.CaptureFixture[str], command: str) -> None:
    Path("film.mp4").write_bytes(b"\0\0\0\x18ftypmp42 and then nothing of the kind")
    assert "film.mp4" in refused(capsys, command, "film.mp4")
    assert "missing.mp4" in refused(capsys, command, "missing.mp4")


def test_frames_that_do_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    Path("board.json").write_text(json.dumps({"shots": [SHOT]}))
    assert run(["render", "board.json", *SMALL[2:], "--quiet", "--output", "film.mp4"]) == 0
    capsys.readouterr()
    refused(capsys, "info", "film.mp4", "--frame", "99", "--output", "frame.png")
    refused(capsys, "info", "film.mp4", "--frame", "-1", "--output", "frame.png")
    refused(capsys, "info", "film.mp4", "--frame", "0", "--output", "frame.docx")
    assert "belong together" in refused(capsys, "info", "film.mp4", "--frame", "0")
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["board.json", "film.mp4"]


def test_a_film_without_a_record_is_not_rendered_again(capsys: pytest.CaptureFixture[str]) -> None:
    Path("board.json").write_text(json.dumps({"shots": [SHOT]}))
    output = ["--quiet", "--no-metadata", "--output", "film.mp4"]
    assert run(["render", "board.json", *SMALL[2:], *output]) == 0
    capsys.readouterr()
    assert "does not carry how it was made" in refused(capsys, "render", "film.mp4")


# --- questions -----------------------------------------------------------------------------------


def test_nothing_is_deleted_or_downloaded_unasked(
    capsys: pytest.CaptureFixture[str], workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("board.json").write_text(json.dumps({"shots": [SHOT]}))
    assert run(["render", "board.json", *SMALL[2:], "--quiet"]) == 0
    capsys.readouterr()
    with Store(workspace) as store:
        (job,) = store.list_jobs()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert "no terminal to ask on" in refused(capsys, "delete-job", job.id)
    assert jobs(workspace) == 1
    assert run(["pull", "svd-xt"]) == 2
    assert "Stability AI Community License" in capsys.readouterr().err
