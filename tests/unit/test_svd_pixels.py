"""Clips that show nothing are told from clips that are merely dark, still or foggy.

The material is measured, not imagined: ten pictures that the animatic paints, each in the five ways in which
a sound clip comes near a broken one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from localvid import registry
from localvid.config import Settings
from localvid.errors import GenerationFailedError
from localvid.media.check import Finding
from localvid.media.look import ClipLook
from localvid.pipelines.svd.pixels import all_finite, judge
from localvid.schemas import KeyframeRequest, ModelKind

Picture = NDArray[np.float64]
"""`(height, width, 3)` in levels of 255"""
Frames = Iterator[NDArray[np.uint8]]

WIDTH, HEIGHT, NUM_FRAMES = 256, 144, 14
SCENES = (
    "a lighthouse above the sea at night",
    "stars over a desert at midnight",
    "a forest in thick fog",
    "snow falling on a village",
    "a street at night in the rain",
    "a lake in the mist at dawn",
    "a cave",
    "the moon above a city",
    "an empty beach on a grey day",
    "a campfire in the dark",
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    folder = tmp_path_factory.mktemp("pictures")
    settings = Settings(workspace=folder)
    info = registry.get_model("local:animatic-still", settings, ModelKind.KEYFRAME)
    with registry.open_painter(info, settings) as painter:
        return [paint(painter, scene, folder / f"{index}.png") for index, scene in enumerate(SCENES)]


def paint(painter: object, scene: str, output: Path) -> Picture:
    request = KeyframeRequest(
        model_id="local:animatic-still",
        description=scene,
        width=WIDTH + 32,
        height=HEIGHT,
        seed=3,
        output=output,
    )
    painter.paint(request)  # type: ignore[attr-defined]
    with Image.open(output, formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB")).astype(np.float64)


def as_bytes(picture: Picture) -> NDArray[np.uint8]:
    return picture.clip(0, 255).round().astype(np.uint8)


def grain(number: int, deviation: float) -> Picture:
    return np.random.default_rng(number).normal(0, deviation, (HEIGHT, WIDTH, 3))


def still_with_grain(picture: Picture) -> Frames:
    for number in range(NUM_FRAMES):
        yield as_bytes(picture[:, :WIDTH] + grain(number, 1.0))


def dark_with_grain(picture: Picture) -> Frames:
    """A night of at most 24 levels in 255."""
    dark = picture[:, :WIDTH] * (24 / picture[:, :WIDTH].max())
    for number in range(NUM_FRAMES):
        yield as_bytes(dark + grain(number, 0.7))


def fog(picture: Picture) -> Frames:
    """All contrast within 12 levels of a bright grey."""
    low = 190 + 12 * (picture[:, :WIDTH] - picture.min()) / np.ptp(picture)
    for number in range(NUM_FRAMES):
        yield as_bytes(low + grain(number, 0.7))


def slow_drift(picture: Picture) -> Frames:
    """A quarter of a pixel a frame, without any grain."""
    for number in range(NUM_FRAMES):
        start, part = divmod(number / 4, 1)
        left = int(start)
        yield as_bytes(
            (1 - part) * picture[:, left : left + WIDTH] + part * picture[:, left + 1 : left + 1 + WIDTH]
        )


def one_small_light(picture: Picture) -> Frames:
    """Nothing moves but four pixels."""
    for number in range(NUM_FRAMES):
        frame = picture[:, :WIDTH].copy()
        frame[70:72, 40 + number : 42 + number] += 60 if frame[70:72, 40:60].mean() < 128 else -60
        yield as_bytes(frame)


SOUND = (still_with_grain, dark_with_grain, fog, slow_drift, one_small_light)


def look_at(frames: Frames) -> Finding | None:
    look = ClipLook()
    for frame in frames:
        look.see(frame)
    return look.finding()


@pytest.mark.parametrize("way", SOUND, ids=lambda way: way.__name__)
def test_no_false_alarm_on_fifty_sound_clips(
    pictures: list[Picture], way: Callable[[Picture], Frames]
) -> None:
    found = {scene: look_at(way(picture)) for scene, picture in zip(SCENES, pictures, strict=True)}
    assert found == dict.fromkeys(SCENES)


def black(_sound: list[NDArray[np.uint8]]) -> Frames:
    yield from np.zeros((NUM_FRAMES, HEIGHT, WIDTH, 3), np.uint8)


def not_numbers(sound: list[NDArray[np.uint8]]) -> Frames:
    """What a cast makes of NaN."""
    for frame in sound:
        with np.errstate(invalid="ignore"):
            yield (frame * np.float32(np.nan)).astype(np.uint8)


def black_with_noise(_sound: list[NDArray[np.uint8]]) -> Frames:
    for number in range(NUM_FRAMES):
        yield as_bytes(grain(number, 1.0))


def one_black_frame(sound: list[NDArray[np.uint8]]) -> Frames:
    for number, frame in enumerate(sound):
        yield frame * (number != 9)


def one_colour(_sound: list[NDArray[np.uint8]]) -> Frames:
    for number in range(NUM_FRAMES):
        yield np.full((HEIGHT, WIDTH, 3), (100 + 5 * number, 130, 90), np.uint8)


def one_colour_rounded(_sound: list[NDArray[np.uint8]]) -> Frames:
    for number in range(NUM_FRAMES):
        yield as_bytes(128 + np.random.default_rng(number).uniform(-1, 1, (HEIGHT, WIDTH, 3)))


def frozen(sound: list[NDArray[np.uint8]]) -> Frames:
    yield from [sound[0]] * NUM_FRAMES


def frozen_rounded(sound: list[NDArray[np.uint8]]) -> Frames:
    for number in range(NUM_FRAMES):
        yield as_bytes(sound[0] + np.random.default_rng(number).uniform(-1, 1, (HEIGHT, WIDTH, 3)))


def frozen_after_a_while(sound: list[NDArray[np.uint8]]) -> Frames:
    yield from sound[:5]
    yield from [sound[5]] * (NUM_FRAMES - 5)


@pytest.mark.parametrize(
    ("fault", "kind", "num_frames"),
    [
        (black, "black", 14),
        (not_numbers, "black", 14),
        (black_with_noise, "black", 14),
        (one_black_frame, "black", 1),
        (one_colour, "flat", 14),
        (one_colour_rounded, "flat", 14),
        (frozen, "frozen", 13),
        (frozen_rounded, "frozen", 13),
        (frozen_after_a_while, "frozen", 8),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_injected_fault_is_found_in_every_clip(
    pictures: list[Picture], fault: Callable[[list[NDArray[np.uint8]]], Frames], kind: str, num_frames: int
) -> None:
    for picture, way in zip(pictures, SOUND * 2, strict=True):
        finding = look_at(fault(list(way(picture))))
        assert finding is not None
        assert (finding.kind, finding.num_frames) == (kind, num_frames)


def drifting_slowly(picture: Picture) -> Frames:
    """A pixel in three seconds, as the animatic moves at its slowest: no frame differs from the one before
    by more than a repetition may."""
    for number in range(72):
        part = number / 72
        yield as_bytes((1 - part) * picture[:, :WIDTH] + part * picture[:, 1 : 1 + WIDTH])


@pytest.mark.parametrize("way", [slow_drift, one_small_light, drifting_slowly])
def test_no_false_alarm_on_what_is_drawn(pictures: list[Picture], way: Callable[[Picture], Frames]) -> None:
    found = {}
    for scene, picture in zip(SCENES, pictures, strict=True):
        look = ClipLook(drawn=True)
        for frame in way(picture):
            look.see(np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]))
        found[scene] = look.finding()
    assert found == dict.fromkeys(SCENES)


@pytest.mark.parametrize(
    ("fault", "kind", "num_frames"),
    [(black, "black", 14), (one_black_frame, "black", 1), (one_colour, "flat", 14), (frozen, "frozen", 14)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_fault_is_found_in_what_is_drawn(
    pictures: list[Picture], fault: Callable[[list[NDArray[np.uint8]]], Frames], kind: str, num_frames: int
) -> None:
    for picture in pictures:
        look = ClipLook(drawn=True)
        for frame in fault(list(slow_drift(picture))):
            look.see(np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]))
        finding = look.finding()
        assert finding is not None
        assert (finding.kind, finding.num_frames) == (kind, num_frames)


def test_one_frame_is_not_frozen_and_none_is_nothing() -> None:
    assert look_at(still_with_grain(np.random.default_rng(0).uniform(0, 255, (HEIGHT, WIDTH, 3)))) is None
    look = ClipLook()
    look.see(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    assert look.finding() is None


# --- judging -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["black", "flat"])
def test_a_clip_that_shows_nothing_fails(kind: str) -> None:
    finding = Finding.model_validate({"kind": kind, "num_frames": 3, "detail": "3 of 14 frames are it"})
    with pytest.raises(GenerationFailedError, match="shows nothing: 3 of 14") as caught:
        judge(finding, lambda _notice: None)
    assert caught.value.hint


def test_a_frozen_clip_is_told_once_and_a_sound_one_not_at_all() -> None:
    told: list[str] = []
    judge(Finding(kind="frozen", num_frames=13, detail="13 of 14 frames repeat the one before"), told.append)
    judge(None, told.append)
    (notice,) = told
    assert "13 of 14" in notice


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("place", [0, -1])
def test_a_single_number_that_is_none_is_found(dtype: torch.dtype, value: float, place: int) -> None:
    frames = torch.ones(2, 3, 64, 64, dtype=dtype)
    assert all_finite(frames)
    frames.view(-1)[place] = value
    assert not all_finite(frames)


def test_infinities_that_cancel_out_are_found() -> None:
    frames = torch.zeros(10)
    frames[0], frames[1] = torch.inf, -torch.inf
    assert not all_finite(frames)


def test_the_largest_numbers_of_half_precision_are_numbers() -> None:
    assert all_finite(torch.full((3, 576, 1024), 65_504.0, dtype=torch.float16))


def test_layouts_do_not_matter() -> None:
    frames = torch.ones(2, 3, 8, 8).to(memory_format=torch.channels_last)
    assert all_finite(frames)
    assert all_finite(frames[:, :, ::2])
    frames[1, 2, 3, 4] = torch.nan
    assert not all_finite(frames)
