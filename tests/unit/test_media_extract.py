"""Pictures out of films, and looking at clips for black, flat and frozen pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from localvid.errors import InvalidRequestError, InvalidVideoError
from localvid.media.check import check_clip
from localvid.media.encode import ClipWriter
from localvid.media.extract import contact_sheet, extract_frame, thumbnail

WIDTH, HEIGHT = 160, 96
Picture = Callable[[int], NDArray[np.uint8]]


def moving(number: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([(x + 3 * number) % 256, (y * 2) % 256, np.full_like(x, number * 4)], -1).astype(np.uint8)


def write(path: Path, picture: Picture, num_frames: int = 48) -> Path:
    with ClipWriter(path, width=WIDTH, height=HEIGHT, fps=24) as writer:
        for number in range(num_frames):
            writer.write(picture(number))
    return path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write(tmp_path / "film.mp4", moving)


def pixels(path: Path) -> NDArray[np.int64]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.int64)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_the_frame_that_was_asked_for(tmp_path: Path, film: Path, suffix: str) -> None:
    extract_frame(film, tmp_path / f"frame.{suffix}", index=30)
    assert np.abs(pixels(tmp_path / f"frame.{suffix}") - moving(30)).mean() < 8
    assert np.median(pixels(tmp_path / f"frame.{suffix}")[..., 2]) == pytest.approx(120, abs=6)


@pytest.mark.parametrize(("seconds", "number"), [(0.0, 0), (0.5, 12), (0.499, 11), (1.99, 47), (2.0, 47)])
def test_the_frame_shown_at_a_time(tmp_path: Path, film: Path, seconds: float, number: int) -> None:
    extract_frame(film, tmp_path / "frame.png", seconds=seconds)
    assert round(float(np.median(pixels(tmp_path / "frame.png")[..., 2])) / 4) == number


def test_wrong_questions(tmp_path: Path, film: Path) -> None:
    for wrong in ({}, {"index": 1, "seconds": 1.0}, {"index": 48}, {"seconds": 2.5}, {"seconds": -1.0},
                  {"seconds": float("nan")}):  # fmt: skip
        with pytest.raises(InvalidRequestError) as caught:
            extract_frame(film, tmp_path / "frame.png", **wrong)  # type: ignore[arg-type]
        assert caught.value.hint
    with pytest.raises(InvalidRequestError, match="extension"):
        extract_frame(film, tmp_path / "frame.tga", index=0)
    (tmp_path / "there.png").write_bytes(b"precious")
    with pytest.raises(InvalidRequestError, match="exists"):
        extract_frame(film, tmp_path / "there.png", index=0)
    assert (tmp_path / "there.png").read_bytes() == b"precious"


def test_thumbnail(tmp_path: Path, film: Path) -> None:
    thumbnail(film, tmp_path / "small.jpg", width=80)
    small = pixels(tmp_path / "small.jpg")
    assert small.shape == (48, 80, 3)
    assert np.median(small[..., 2]) == pytest.approx(16 * 4, abs=6)


def test_contact_sheet_shows_frames_across_the_film_in_order(tmp_path: Path, film: Path) -> None:
    contact_sheet(film, tmp_path / "sheet.png", columns=4, rows=3, width=800)
    sheet = pixels(tmp_path / "sheet.png")
    assert sheet.shape[1] == 800
    cell, gap = (800 - 8 * 5) // 4, 8
    lit = (np.abs(sheet - np.array([18, 18, 22])).max(-1) > 25).mean(axis=1) > 0.5
    starts = np.flatnonzero(np.diff(lit.astype(int)) == 1) + 1
    assert len(starts) == 3
    seen = [
        float(np.median(sheet[top + 10 : top + 60, gap + column * (cell + gap) :][:, :cell, 2])) / 4
        for top in starts
        for column in range(4)
    ]
    assert seen == pytest.approx([2 + 4 * place for place in range(12)], abs=1.5)


def test_contact_sheet_of_a_short_film_and_wrong_grids(tmp_path: Path) -> None:
    short = write(tmp_path / "short.mp4", moving, 3)
    contact_sheet(short, tmp_path / "sheet.png", columns=4, rows=3, width=640)
    for columns, rows, width in ((0, 1, 800), (1, 0, 800), (100, 100, 800), (40, 1, 300), (4, 3, 5)):
        with pytest.raises(InvalidRequestError) as caught:
            contact_sheet(short, tmp_path / "no.png", columns=columns, rows=rows, width=width)
        assert caught.value.hint
    assert not (tmp_path / "no.png").exists()


def still(_number: int) -> NDArray[np.uint8]:
    return moving(7)


def black(_number: int) -> NDArray[np.uint8]:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def gray(_number: int) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), 130, np.uint8)


def one_black(number: int) -> NDArray[np.uint8]:
    return black(0) if number == 20 else moving(number)


def night(number: int) -> NDArray[np.uint8]:
    """Dark, with a small light that moves."""
    frame = np.full((HEIGHT, WIDTH, 3), 6, np.uint8)
    frame[30:50, number : number + 20] = 90
    return frame


def creeping(number: int) -> NDArray[np.uint8]:
    """A slow drift: half a pixel a frame."""
    return moving(number // 6)


@pytest.mark.parametrize(
    ("picture", "kind", "num_frames"),
    [
        (moving, None, 0),
        (night, None, 0),
        (creeping, None, 0),
        (black, "black", 48),
        (one_black, "black", 1),
        (gray, "flat", 48),
        (still, "frozen", 48),
    ],
)
def test_findings(tmp_path: Path, picture: Picture, kind: str | None, num_frames: int) -> None:
    finding = check_clip(write(tmp_path / "clip.mp4", picture))
    assert (finding.kind if finding else None) == kind
    assert (finding.num_frames if finding else 0) == num_frames


def test_a_noisy_still_is_frozen_after_coding_too(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    finding = check_clip(write(tmp_path / "clip.mp4", lambda _number: noise, 72))
    assert finding is not None
    assert finding.kind == "frozen"


def test_one_frame_is_not_frozen(tmp_path: Path) -> None:
    assert check_clip(write(tmp_path / "clip.mp4", still, 1)) is None


def test_no_clip(tmp_path: Path) -> None:
    with pytest.raises(InvalidVideoError):
        check_clip(tmp_path / "missing.mp4")
