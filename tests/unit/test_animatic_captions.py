"""Captions: readable at every size, in every script, and never an empty box in place of a letter."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from localvid.media import lettering
from localvid.pipelines.animatic.captions import draw_caption
from localvid.schemas import Camera, Caption

CAPTION = Caption(shot_number=12, num_shots=34)
LONG = "A very long sentence that tells of a forest, a river and a road, " * 20


def drawn(text: str, *, size: tuple[int, int] = (640, 360), camera: Camera = Camera.STATIC) -> np.ndarray:
    overlay = draw_caption(Image.new("RGBa", size), CAPTION, text, camera)
    assert overlay.size == size
    assert overlay.mode == "RGBa"
    return np.frombuffer(overlay.tobytes(), dtype=np.uint8).reshape(size[1], size[0], 4)


def letters(pixels: np.ndarray) -> np.ndarray:
    """Where the paper-white of letters and sign stands."""
    return np.asarray(pixels[..., :3].min(axis=2) > 160)


@pytest.mark.parametrize(
    "size", [(64, 64), (64, 360), (96, 54), (320, 180), (576, 1024), (1920, 1080), (3840, 2160)]
)
@pytest.mark.parametrize("text", ["A fox", LONG, "W" * 500, ""])
def test_every_size_has_number_and_sign_within_the_frame(size: tuple[int, int], text: str) -> None:
    pixels = drawn(text, size=size)
    badge = (pixels[..., 0] > 220) & (pixels[..., 2] < 120)
    rows, columns = np.nonzero(badge)
    assert rows.size > 20
    assert columns.min() >= 1
    assert rows.max() < size[1] - 1
    assert columns.max() < size[0] * (0.5 if size[0] > 64 else 0.7)
    white = letters(pixels)
    assert white[:, size[0] // 2 :].any()  # the camera's sign, on the right
    assert not white[:, :1].any()
    assert not white[:, -1:].any()
    assert not pixels[: size[1] // 4, ..., 3].any()  # the upper part stays free


def test_a_long_text_is_cut_and_stays_beside_number_and_sign() -> None:
    short, long = letters(drawn("A fox")), letters(drawn(LONG))
    assert long.sum() > 4 * short.sum()
    rows = np.flatnonzero(long[:, 100:560].any(axis=1))
    assert rows.max() < 360 - 5


@pytest.mark.parametrize(("lacking", "ellipsis"), [("", "…"), ("…", "..."), ("….", "・・・"), ("….・", "")])
def test_a_text_is_cut_without_an_empty_box(
    monkeypatch: pytest.MonkeyPatch, lacking: str, ellipsis: str
) -> None:
    monkeypatch.setattr(lettering, "_covers", lambda _font, char: char not in lacking)
    lines, font = lettering.wrapped("a fox runs " * 30, size=16, room=200, most=2)
    assert len(lines) == 2
    assert lines[1].rstrip("….・") + ellipsis == lines[1]
    assert font.getlength(lines[1]) <= 200


def test_each_camera_has_a_sign_of_its_own() -> None:
    signs = {camera: letters(drawn("", camera=camera))[:, 560:].tobytes() for camera in Camera}
    assert len(set(signs.values())) == len(Camera)
    for camera in (Camera.PAN_LEFT, Camera.TRUCK_LEFT, Camera.ORBIT_LEFT):
        left = letters(drawn("", camera=camera))[:, 560:]
        right = letters(drawn("", camera=Camera(camera.value.replace("left", "right"))))[:, 560:]
        assert not np.array_equal(left, right)


def test_latin_letters_of_every_kind_are_drawn(caplog: pytest.LogCaptureFixture) -> None:
    assert letters(drawn("Größe, cœur, señor, über, São, naïve"))[:, 100:560].sum() > 150
    assert caplog.records == []


def test_a_script_without_a_font_is_said_and_not_drawn_as_boxes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lettering, "_font_files", tuple)
    lettering._system_font.cache_clear()
    with caplog.at_level(logging.WARNING):
        written = drawn("寂静的森林")
    lettering._system_font.cache_clear()
    assert "CJK" in caplog.text
    np.testing.assert_array_equal(written, drawn("[no font for CJK]"))


def test_the_machines_fonts_are_used_for_what_the_built_in_one_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faces = [path for path in lettering._font_files() if path.stem == "DejaVuSans"]
    if not faces:
        pytest.skip("this machine has no DejaVu Sans")
    monkeypatch.setattr(lettering, "_font_files", lambda: (Path("/nonexistent/broken.ttf"), *faces))
    lettering._system_font.cache_clear()
    greek, cyrillic = drawn("Ήσυχο δάσος"), drawn("Тихий лес")
    lettering._system_font.cache_clear()
    for written in (greek, cyrillic):
        assert letters(written)[:, 100:560].sum() > 60
    assert not np.array_equal(greek, cyrillic)


@pytest.mark.parametrize(
    "text", ["غابة هادئة عند الفجر", "יער שקט", "शांत वन", "ป่าอันเงียบสงบ", "🦊🌲", "\u200b\u200d", "a\u0301"]
)
def test_no_script_fails(text: str) -> None:
    drawn(text)
    drawn(text, size=(64, 64))


def test_text_from_right_to_left_stands_on_the_right() -> None:
    if lettering._system_font(frozenset("שלום"), frozenset("שלום")) is None or not lettering.features.check(
        "raqm"
    ):
        pytest.skip("this machine has no Hebrew font, or Pillow no Raqm")
    white = letters(drawn("שלום"))
    assert white[:, 420:560].any()
    assert not white[:, 100:300].any()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [("a fox runs", ["a ", "fox ", "runs"]), ("森林 a", ["森", "林", " ", "a"]), ("", [])],
)
def test_where_a_line_may_break(text: str, pieces: list[str]) -> None:
    assert list(lettering._pieces(text)) == pieces
