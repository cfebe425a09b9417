import io
import json
from pathlib import Path

import pytest

from localvid.cli.storyboards import STANDARD_INPUT, read_storyboard
from localvid.errors import InvalidStoryboardError, InvalidVideoError
from localvid.schemas import Shot, Storyboard

SHOT = {"description": "a forest"}


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_reads_what_was_written(tmp_path: Path) -> None:
    board = Storyboard(prompt="海", shots=(Shot(description="a forest", seed=3), Shot(description="the sea")))
    found = read_storyboard(write(tmp_path / "board.json", board.model_dump_json()))
    assert (found.storyboard, found.prompt, found.recorded) == (board, "海", None)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"shots": [SHOT]}).encode())
    assert len(read_storyboard(path).storyboard.shots) == 1


def test_images_lie_beside_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "boards"
    folder.mkdir()
    shots = [{**SHOT, "reference_image": "a.png"}, {**SHOT, "reference_image": "/b.png"}, SHOT]
    write(folder / "board.json", {"shots": shots})
    monkeypatch.chdir(tmp_path)
    storyboard = read_storyboard(Path("boards/board.json")).storyboard
    assert [shot.reference_image for shot in storyboard.shots] == [folder / "a.png", Path("/b.png"), None]


def test_reads_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(json.dumps({"shots": [SHOT]}).encode()))
    monkeypatch.setattr("sys.stdin", text)
    assert read_storyboard(STANDARD_INPUT).storyboard.shots[0].description == "a forest"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "should be an object"),
        ({}, "shots"),
        ({"shots": []}, "shots"),
        ({"shots": [SHOT], "colour": "red"}, "colour: unknown key"),
        ({"shots": [{**SHOT, "lens": "35mm"}]}, "shots.0.lens: unknown key"),
        ({"shots": [SHOT] * 500}, "at most 100"),
        ({"shots": [{**SHOT, "energy": 7}]}, "shots.0.energy"),
        ({"shots": [{"description": " "}]}, "shots.0.description"),
        ({"version": 2, "shots": [SHOT]}, "version"),
        ({"shots": [{**SHOT, "continue_from_previous": True}]}, "no shot before"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_storyboard_is_one_line(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(InvalidStoryboardError) as caught:
        read_storyboard(write(tmp_path / "board.json", content))
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert len(caught.value.message) < 500


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    path.write_bytes(b'{"shots": "\xff"}')
    with pytest.raises(InvalidStoryboardError, match="not UTF-8"):
        read_storyboard(path)


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    with path.open("wb") as file:
        file.truncate(2**34)  # sparse: more than the memory of the machine may be
    with pytest.raises(InvalidStoryboardError, match="larger than a storyboard can be"):
        read_storyboard(path)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidStoryboardError, match="cannot be read"):
        read_storyboard(tmp_path / name)


@pytest.mark.parametrize("name", ["missing.mp4", "text.mp4"])
def test_a_film_that_is_none(tmp_path: Path, name: str) -> None:
    write(tmp_path / "text.mp4", "not a film")
    with pytest.raises(InvalidVideoError):
        read_storyboard(tmp_path / name)
