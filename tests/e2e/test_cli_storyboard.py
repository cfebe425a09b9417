"""The storyboard file by the real command line: written, shown, planned, rendered, and refused."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from jsonschema import Draft7Validator
from PIL import Image

from localvid.cli import run
from localvid.media import lettering, probe

WRITE = ["storyboard", "A lighthouse in a storm", "--llm", "outline", "--max-shots", "2", "--seed", "1"]
YAML = """\
title: Two shots  # mine
shots:
  - description: "the sea at dawn"
    duration_seconds: 1
    transition: crossfade:0.5
  - {description: a city in the rain, camera: pan left, duration_seconds: 1}
"""
SMALL = ["--width", "128", "--height", "72", "--fps", "12", "--quiet"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LOCALVID_WORKSPACE", str(workspace))
    Path("board.yaml").write_text(YAML, encoding="utf-8")


def localvid(*arguments: str, code: int = 0) -> tuple[str, str]:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        returned = run(arguments)
    assert returned == code, err.getvalue()
    return out.getvalue(), err.getvalue()


def refused(*arguments: str, code: int = 2) -> str:
    """The error's message; it is one line, and a hint follows."""
    _, said = localvid(*arguments, code=code)
    error, hint = said.splitlines()[-2:]
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    return error.removeprefix("error: ")


@pytest.mark.parametrize(
    "command",
    [
        ["render", "board.yaml", *SMALL[:-1], "--captions"],
        ["storyboard", "--show", "board.yaml", "-o", "sheet.png"],
    ],
)
def test_a_script_without_a_font_is_one_note(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_font_files", tuple)
    lettering._system_font.cache_clear()
    Path("board.yaml").write_text(YAML.replace("the sea", "海").replace("a city", "城市"), encoding="utf-8")
    _, err = localvid(*command)
    lettering._system_font.cache_clear()
    (said,) = [line for line in err.splitlines() if "no font" in line]
    assert said.startswith("note: no font on this machine for a text's script (CJK)")


def test_yaml_is_written_shown_planned_and_rendered() -> None:
    assert localvid(*WRITE, "-o", "film.yaml")[0] == "film.yaml\n"
    text = Path("film.yaml").read_text(encoding="utf-8")
    first, *_ = text.splitlines()
    assert first.startswith("# yaml-language-server: $schema=file:///")
    assert Path(unquote(first.partition("file://")[2])).is_file()
    assert "#   localvid render film.yaml" in text
    out, err = localvid("storyboard", "--show", "film.yaml")
    assert "2 shots" in out
    assert "-o sheet.html" in err
    localvid(*WRITE, "-o", "film.json")
    in_json = json.loads(localvid("storyboard", "--show", "film.json", "--json")[0])
    assert in_json == json.loads(localvid("storyboard", "--show", "film.yaml", "--json")[0])
    tiny = ["--width", "128", "--height", "64", "--num-frames", "2", "--num-inference-steps", "1"]
    assert (
        json.loads(localvid("plan", "film.yaml", *tiny, "--vram", "8", "--json")[0])["film"]["num_shots"] == 2
    )


def test_a_yaml_file_is_rendered_and_its_film_shown() -> None:
    localvid("render", "board.yaml", *SMALL, "--transition", "cut", "--output", "film.mp4")
    assert probe(Path("film.mp4")).num_frames == 24
    document = json.loads(localvid("storyboard", "--show", "film.mp4", "--json", "-o", "film.png", "-q")[0])
    assert (document["seconds"], document["sheet"]) == (2, "film.png")
    assert [shot["transition"] for shot in document["shots"]] == [
        {"kind": "cut", "duration_seconds": 0.5},
        None,
    ]
    assert document["shots"][1]["camera"] == "pan_left"
    assert len(np.unique(np.asarray(Image.open("film.png")).reshape(-1, 3), axis=0)) > 1000


def test_images_of_a_film_are_found_in_the_workspace() -> None:
    Image.new("RGB", (64, 64), (200, 30, 30)).save("red.png")
    localvid("render", "board.yaml", *SMALL, "--reference-image", "red.png", "--output", "film.mp4")
    Path("red.png").unlink()
    localvid("storyboard", "--show", "film.mp4", "-o", "sheet.png", "-q")
    sheet = np.asarray(Image.open("sheet.png"))
    assert (sheet == (200, 30, 30)).all(axis=2).mean() > 0.3


def test_a_page_is_drawn_from_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(YAML.encode())))
    out, err = localvid("storyboard", "--show", "-", "-o", "new/sheet.html")
    assert out.splitlines()[-1] == "saved new/sheet.html"
    assert err.count("painting the still") == 2
    page = Path("new/sheet.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 2
    assert "the sea at dawn" in page


def test_the_schema_is_printed_or_written_and_then_named() -> None:
    schema = json.loads(localvid("storyboard", "--schema")[0])
    assert localvid("storyboard", "--schema", "-o", "storyboard.schema.json")[0] == "storyboard.schema.json\n"
    assert json.loads(Path("storyboard.schema.json").read_text(encoding="utf-8")) == schema
    localvid(*WRITE, "-o", "film.json")
    document = json.loads(Path("film.json").read_text(encoding="utf-8"))
    assert document["$schema"] == "./storyboard.schema.json"
    Draft7Validator(schema).validate(document)
    localvid("render", "film.json", *SMALL, "--num-frames", "4", "--dry-run")


def test_a_link_is_followed_and_permissions_stay() -> None:
    Path("board.yaml").chmod(0o600)
    Path("link.yaml").symlink_to("board.yaml")
    localvid(*WRITE, "-o", "link.yaml")
    assert Path("link.yaml").is_symlink()
    assert "lighthouse" in Path("board.yaml").read_text(encoding="utf-8")
    assert Path("board.yaml").stat().st_mode & 0o777 == 0o600


def test_the_home_folder_is_found_and_nobodys_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    localvid(*WRITE, "-o", "~/film.yaml")
    assert Path("film.yaml").is_file()
    localvid(*WRITE, "-o", "~nobody-of-that-name/film.yaml")
    assert Path("~nobody-of-that-name/film.yaml").is_file()
    Path("board.yaml").write_text(
        YAML.replace("camera: pan left", "reference_image: ~nobody-of-that-name/a.png")
    )
    assert "a.png" in refused("storyboard", "--show", "board.yaml", "-o", "sheet.png")
    assert "a.png" in refused("render", "board.yaml", *SMALL)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "what shall it be"),
        (["a forest", "--show", "board.yaml"], "--show and PROMPT do not go together"),
        (["a forest", "--show", "board.yaml", "--edit", "b.yaml"], "--show and --edit do not go together"),
        (["--show", "board.yaml", "--schema"], "--show and --schema do not go together"),
        (["--schema", "a forest"], "--schema and PROMPT do not go together"),
        (["--show", "board.yaml", "--llm", "outline"], "--llm: without meaning with --show"),
        (["--schema", "--seed", "0"], "--seed: without meaning with --schema"),
        (["a forest", "--json"], "--json: without meaning with a prompt"),
        (["--show", "board.yaml", "-o", "sheet.docx"], "no extension of a sheet"),
        (["--show", "board.yaml", "-o", "board.yaml"], "no extension of a sheet"),
        (["--show", "board.yaml", "-o", "board.yaml/sheet.png"], "is not a folder"),
        (["--show", "missing.yaml"], "missing.yaml cannot be read"),
        (["--show", "."], "cannot be read"),
        (["--show", "missing.mp4"], "missing.mp4"),
        (["--show", " "], "empty path"),
        (["--schema", "-o", "board.yaml/s.json"], "is not a folder"),
        (["a forest", "-o", "film.mp4"], "no extension of a storyboard"),
        (["a forest", "-o", "-"], "no extension of a storyboard"),
        (["a forest", "-o", "board.yaml/new.yaml"], "is not a folder"),
    ],
)
def test_wrong_use(arguments: list[str], said: str) -> None:
    assert said in refused("storyboard", *arguments)
    assert [path.name for path in Path.cwd().iterdir()] == ["board.yaml"]


@pytest.mark.parametrize("command", [["storyboard", "--show"], ["render"], ["plan"]])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (YAML.encode()[:60], "line 3"),
        (b"\x00\x01\x02", "control character"),
        (b"shots: \xff", "not UTF-8"),
        (YAML.encode() * 2, "twice"),
        (b"#" * (2**20 + 1), "larger than a storyboard can be"),
        (b"shots:\n" + b"  - description: a\n" * 500, "at most 100"),
        (YAML.encode() + b"colour: red\n", "line 7: colour: unknown key"),
        (b"shots: a forest\n", "line 1: shots"),
    ],
)
def test_a_yaml_file_that_is_no_storyboard(command: list[str], content: bytes, said: str) -> None:
    Path("bad.yml").write_bytes(content)
    message = refused(*command, "bad.yml")
    assert message.startswith("bad.yml")
    assert said in message


def test_an_image_that_cannot_be_drawn_leaves_no_sheet() -> None:
    Path("text.png").write_text("not an image")
    Path("board.yaml").write_text(YAML.replace("camera: pan left", "reference_image: text.png"))
    localvid("storyboard", "--show", "board.yaml")
    assert "text.png is not an image" in refused("storyboard", "--show", "board.yaml", "-o", "sheet.png")
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["board.yaml", "text.png"]


@pytest.mark.parametrize("named", ["red.png", "boards/../red.png", "link.png"])
def test_an_image_of_the_storyboard_is_not_drawn_over(named: str) -> None:
    Path("boards").mkdir()
    Path("link.png").symlink_to("red.png")
    Image.new("RGB", (64, 64), (200, 30, 30)).save("red.png")
    before = Path("red.png").read_bytes()
    Path("boards/board.yaml").write_text(YAML.replace("camera: pan left", "reference_image: ../red.png"))
    said = refused("storyboard", "--show", "boards/board.yaml", "-o", named)
    assert "is an image of this storyboard" in said
    assert Path("red.png").read_bytes() == before
