"""Storyboards as sheets: stills where they belong, every word in the page, and nothing that could run."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from localvid.cli import showing
from localvid.config import Settings
from localvid.errors import InvalidImageError, InvalidRequestError
from localvid.media.storyboard_page import write_page
from localvid.media.storyboard_sheet import SheetSize, draw_sheet, sheet_size
from localvid.planning import film_seconds
from localvid.schemas import Camera, Shot, Storyboard, Transition, TransitionKind
from localvid.stills import paint_stills

SIZE = SheetSize(columns=3, width=160, height=90)
LONG = "A very long sentence that tells of a forest, a river and a road, " * 15


def board(num_shots: int, description: str = "a forest") -> Storyboard:
    return Storyboard(
        title="The owl",
        shots=tuple(
            Shot(description=f"{description} {number}", camera=list(Camera)[number % 15])
            for number in range(num_shots)
        ),
    )


def coloured(folder: Path, num_stills: int) -> tuple[list[Path], list[tuple[int, int, int]]]:
    """Stills of one colour each."""
    colours = [
        (40 + 9 * number % 200, 200 - 7 * number % 190, 90 + 31 * number % 160)
        for number in range(num_stills)
    ]
    paths = [folder / f"{number}.png" for number in range(num_stills)]
    for path, colour in zip(paths, colours, strict=True):
        Image.new("RGB", SIZE[1:], colour).save(path)
    return paths, colours


@pytest.mark.parametrize("num_shots", [1, 3, 7, 20])
def test_a_sheet_has_every_still_once_and_in_order(tmp_path: Path, num_shots: int) -> None:
    stills, colours = coloured(tmp_path, num_shots)
    draw_sheet(board(num_shots), stills, tmp_path / "sheet.png", size=SIZE, summary="so long")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 3 * (160 + 24) + 24
    places = []
    for colour in colours:
        rows, columns = np.nonzero((sheet == colour).all(axis=2))
        assert len(rows) > 0.8 * 160 * 90  # the number stands on the rest
        places.append((rows.min() // 90, int(columns.min())))
    assert places == sorted(places)
    assert {left for _, left in places} == {24 + 184 * column for column in range(min(3, num_shots))}


def test_long_words_are_cut_in_a_sheet_and_cost_only_their_own_line(tmp_path: Path) -> None:
    stills, _ = coloured(tmp_path, 6)
    heights = {}
    for name, texts in {"short": ["a"] * 6, "first": [LONG, *"bcdef"], "all": [LONG] * 6}.items():
        storyboard = Storyboard(shots=tuple(Shot(description=text) for text in texts))
        draw_sheet(storyboard, stills, tmp_path / f"{name}.png", size=SIZE, summary="")
        with Image.open(tmp_path / f"{name}.png") as sheet:
            heights[name] = sheet.height
    assert heights["short"] < heights["first"] < heights["all"] < 1000


@pytest.mark.parametrize(
    "text", ["غابة هادئة عند الفجر", "静かな森の夜明け", "W" * 500, "🦊", "a\nb\x1b[31m"]
)
def test_every_script_is_drawn_or_said_to_lack_a_font(tmp_path: Path, text: str) -> None:
    stills, _ = coloured(tmp_path, 1)
    draw_sheet(board(1, text), stills, tmp_path / "one.png", size=SIZE, summary="1 shot, 4.0 s")
    draw_sheet(board(1, ". "), stills, tmp_path / "none.png", size=SIZE, summary="1 shot, 4.0 s")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "none.png").read_bytes()


@pytest.mark.parametrize(
    ("num_shots", "aspect", "columns"), [(1, 16 / 9, 1), (4, 16 / 9, 2), (7, 9 / 16, 4), (100, 1, 5)]
)
def test_few_shots_are_shown_large(num_shots: int, aspect: float, columns: int) -> None:
    size = sheet_size(num_shots, aspect=aspect)
    assert size.columns == columns
    assert size.width / size.height == pytest.approx(aspect, rel=0.02)
    assert 600 < columns * size.width < 2200


def test_a_sheet_of_another_kind_is_refused(tmp_path: Path) -> None:
    stills, _ = coloured(tmp_path, 1)
    with pytest.raises(InvalidRequestError, match="extension"):
        draw_sheet(board(1), stills, tmp_path / "sheet.docx", size=SIZE, summary="")


# --- the page ------------------------------------------------------------------------------------


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_page_holds_every_word_and_loads_nothing(tmp_path: Path) -> None:
    stills, _ = coloured(tmp_path, 3)
    hostile = '<script>alert(1)</script> & "quotes" <img src=x onerror=alert(2)>'
    storyboard = Storyboard(
        title=f"</title>{hostile}",
        style=hostile,
        shots=(
            Shot(
                description=f"\u202e\x1b[31m{hostile}",
                transition=Transition(kind=TransitionKind.CROSSFADE),
                energy=0.25,
            ),
            Shot(description="غابة هادئة", camera=Camera.PAN_LEFT, continue_from_previous=True),
            Shot(description=LONG),
        ),
    )
    write_page(storyboard, stills, tmp_path / "page.html", summary="3 shots, 11.5 s")
    page = _Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("img") == tags.count("li") == 3
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(tags)
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "srcset")]
        if tag == "img":
            assert (attributes["src"] or "").startswith("data:image/jpeg;base64,")
    words = " ".join(page.words)
    for said in (hostile, "غابة هادئة", LONG.strip(), "pan left", "then crossfade 0.5 s", "3 shots, 11.5 s"):
        assert said in words
    assert "\x1b" not in words
    assert "\u202e" not in words
    assert "then cut; " not in words
    assert "goes on from the shot before; then cut" in words


# --- stills --------------------------------------------------------------------------------------


def test_stills_are_painted_from_words_or_are_the_users_image(tmp_path: Path, workspace: Path) -> None:
    Image.new("RGB", (64, 64), (200, 30, 30)).save(tmp_path / "red.png")
    storyboard = board(3).with_shot(1, reference_image=tmp_path / "red.png")
    told: list[int | None] = []
    stills = paint_stills(
        storyboard,
        tmp_path,
        Settings(workspace=workspace),
        width=128,
        height=72,
        on_progress=lambda progress: told.append(progress.shot),
    )
    pictures = [np.asarray(Image.open(still)) for still in stills]
    assert [picture.shape for picture in pictures] == [(72, 128, 3)] * 3
    assert (pictures[1] == (200, 30, 30)).all()
    assert len(np.unique(pictures[0].reshape(-1, 3), axis=0)) > 200
    assert not np.array_equal(pictures[0], pictures[2])
    assert list(dict.fromkeys(told)) == [2, 1, 3]


def test_an_image_that_cannot_be_read_is_told_before_anything_is_painted(
    tmp_path: Path, workspace: Path
) -> None:
    storyboard = board(5).with_shot(4, reference_image=tmp_path / "missing.png")
    with pytest.raises(InvalidImageError, match=r"missing\.png does not exist"):
        paint_stills(storyboard, tmp_path, Settings(workspace=workspace), width=128, height=72)
    assert list(tmp_path.glob("*.png")) == []


# --- the table -----------------------------------------------------------------------------------


def printed(storyboard: Storyboard, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    showing._print(console, storyboard)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_table_fits_its_terminal_and_cuts_no_words(width: int) -> None:
    storyboard = board(2, "a forest of tall dark pines in deep snow").with_shot(0, transition="crossfade:0.8")
    lines = printed(storyboard, width)
    assert max(map(len, lines)) <= width
    words = " ".join(" ".join(lines).split())
    for word in ("pines", "snow", "4", "2 shots, 7.2 s", "The owl"):
        assert word in words
    assert ("crossfade" in words) and ("pan left" in words or width < 46)


def test_a_pipe_gets_one_line_for_each_shot() -> None:
    lines = printed(board(3, LONG.strip()), 100_000)
    assert len([line for line in lines if "very long sentence" in line]) == 3


def test_every_move_has_an_arrow() -> None:
    assert set(showing._ARROWS) == {camera.value for camera in Camera}
    assert len(set(showing._ARROWS.values())) == len(Camera)


@pytest.mark.parametrize(
    ("transition", "seconds"), [("cut", 5), ("crossfade:0.5", 4.5), ("fade_black:1", 5), ("crossfade:5", 4)]
)
def test_how_long_a_film_is(transition: str, seconds: float) -> None:
    shots = (Shot(description="a", duration_seconds=4), Shot(description="b", duration_seconds=1))
    storyboard = (
        Storyboard(shots=shots).with_shot(0, transition=transition).with_shot(1, transition="crossfade")
    )
    assert film_seconds(storyboard) == pytest.approx(seconds)
