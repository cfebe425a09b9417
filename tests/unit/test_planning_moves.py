"""Camera moves made by a crop: how far they go, that they show nothing but the picture, what they cost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localvid.pipelines.animatic.camera import CameraPath
from localvid.pipelines.animatic.staging import STANDARD_DEPTH
from localvid.planning.moves import FULL_MOVE_SECONDS, crop_path
from localvid.schemas import Camera, CameraSpeed, CropPath, Window

WIDTH, HEIGHT = 1024, 576
MOVES = [camera for camera in Camera if camera is not Camera.STATIC]
OUTWARDS = {Camera.ZOOM_OUT, Camera.DOLLY_OUT}


def path_of(
    camera: Camera,
    speed: CameraSpeed = CameraSpeed.NORMAL,
    *,
    seconds: float = FULL_MOVE_SECONDS,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    continues: bool = False,
) -> CropPath:
    path = crop_path(camera, speed, seconds=seconds, width=size[0], height=size[1], continues=continues)
    assert path is not None
    return path


def test_a_static_camera_has_no_path() -> None:
    assert crop_path(Camera.STATIC, CameraSpeed.FAST, seconds=4, width=8, height=8, continues=False) is None


@pytest.mark.parametrize("speed", list(CameraSpeed))
@pytest.mark.parametrize("size", [(1024, 576), (576, 1024), (512, 512)])
@pytest.mark.parametrize("camera", MOVES)
def test_it_is_the_move_that_the_animatic_makes_over_a_picture(
    camera: Camera, size: tuple[int, int], speed: CameraSpeed
) -> None:
    """Both show a plane where a subject stands; a point of it travels as far, and grows as much."""
    width, height = size
    unit = min(size)
    animatic = CameraPath(camera, seconds=3, subject_depth=2 * STANDARD_DEPTH, speed=speed)
    first, last = animatic.pose(0), animatic.pose(1)
    path = path_of(camera, speed, seconds=3, size=size)
    start, end = path.at(0), path.at(1)
    grown = (last.scale(STANDARD_DEPTH) * last.zoom) / (first.scale(STANDARD_DEPTH) * first.zoom)
    assert end.enlargement / start.enlargement == pytest.approx(grown, rel=1e-4)
    if grown == 1:
        (x0, y0), (x1, y1) = first.shift(STANDARD_DEPTH), last.shift(STANDARD_DEPTH)
        assert (start.left - end.left) * width / start.size == pytest.approx((x1 - x0) * unit, abs=0.01)
        assert (start.top - end.top) * height / start.size == pytest.approx((y1 - y0) * unit, abs=0.01)


@given(
    camera=st.sampled_from(MOVES),
    speed=st.sampled_from(CameraSpeed),
    seconds=st.floats(min_value=0.03, max_value=60),
    width=st.integers(min_value=16, max_value=4096),
    height=st.integers(min_value=16, max_value=4096),
    num_frames=st.integers(min_value=1, max_value=60),
    continues=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_no_window_leaves_the_frame_or_enlarges_beyond_what_is_said(
    camera: Camera,
    speed: CameraSpeed,
    seconds: float,
    width: int,
    height: int,
    num_frames: int,
    continues: bool,
) -> None:
    path = crop_path(camera, speed, seconds=seconds, width=width, height=height, continues=continues)
    if path is None:
        assert continues and camera in OUTWARDS
        return
    assert 1 < path.enlargement < 1.24**1.5 + 1e-5
    windows = path.windows(num_frames)
    assert len(windows) == num_frames
    for window in windows:
        left, top, right, bottom = window.box(width, height)
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left) / width == pytest.approx((bottom - top) / height)
        assert window.enlargement <= path.enlargement + 1e-9


@pytest.mark.parametrize("camera", MOVES)
def test_a_slow_move_goes_half_as_far_and_a_fast_one_half_as_far_again(camera: Camera) -> None:
    slow, normal, fast = (path_of(camera, speed).enlargement for speed in CameraSpeed)
    if camera.value.startswith("zoom"):
        assert (slow**2, fast) == pytest.approx((normal, normal**1.5), rel=1e-4)
    elif camera.value.startswith("dolly"):
        assert (1 - 1 / slow, 1 - 1 / fast) == pytest.approx(
            ((1 - 1 / normal) / 2, (1 - 1 / normal) * 1.5), rel=1e-4
        )
    else:
        assert (slow - 1, fast - 1) == pytest.approx(((normal - 1) / 2, (normal - 1) * 1.5), rel=1e-4)


@pytest.mark.parametrize("camera", MOVES)
def test_a_short_shot_moves_less_and_no_faster(camera: Camera) -> None:
    short, usual, long = (path_of(camera, seconds=seconds).enlargement for seconds in (1, 4, 20))
    assert 1 < short < usual == long


@pytest.mark.parametrize("camera", MOVES)
def test_the_picture_that_is_gone_on_from_is_seen_whole_at_first(camera: Camera) -> None:
    path = crop_path(camera, CameraSpeed.FAST, seconds=4, width=WIDTH, height=HEIGHT, continues=True)
    if camera in OUTWARDS:
        assert path is None
        return
    assert path is not None
    assert path.at(0) == Window()
    assert path.at(1) == path_of(camera, CameraSpeed.FAST).at(1)


@pytest.mark.parametrize("camera", MOVES)
def test_a_move_eases_in_and_out(camera: Camera) -> None:
    path = path_of(camera)
    places = [
        window.left + window.top + 3 * window.size
        for window in (path.at(step / 100) for step in (0, 1, 50, 51, 99, 100))
    ]
    first, middle, last = (abs(places[index + 1] - places[index]) for index in (0, 2, 4))
    assert 0 < first < middle / 5
    assert 0 < last < middle / 5


def test_a_zoom_grows_by_equal_factors_about_the_middle() -> None:
    path = path_of(Camera.ZOOM_IN)
    halfway = path.at(0.5)
    assert halfway.size == pytest.approx(path.end.size**0.5)
    assert halfway.left + halfway.size / 2 == pytest.approx(0.5)


@pytest.mark.parametrize("window", [(0.2, 0, 0.9), (0, 0.5, 0.6), (0, 0, 0), (-0.1, 0, 0.5)])
def test_a_window_outside_of_the_frame_is_refused(window: tuple[float, float, float]) -> None:
    left, top, size = window
    with pytest.raises(ValueError, match=r"window|greater than"):
        Window(left=left, top=top, size=size)


def test_the_documents_table_is_what_is_planned() -> None:
    document = (Path(__file__).parents[2] / "docs" / "motion.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)_\*` \|.*\| ([\d., ]+) \|$", document, re.MULTILINE)
    moves = {camera.value.partition("_")[0]: camera for camera in MOVES}
    assert {name for name, _ in rows} == set(moves)
    for name, numbers in rows:
        planned = [f"{path_of(moves[name], speed).enlargement:.2f}" for speed in CameraSpeed]
        assert numbers.split(", ") == planned
