"""The camera moves as its formulas say: measured on rendered frames, to a fraction of a pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from localvid.pipelines.animatic.camera import DOLLY, PAN, PEDESTAL, TILT, TRUCK, ZOOM, CameraPath, Pose
from localvid.pipelines.animatic.painting import paint, paint_ground
from localvid.pipelines.animatic.plate import Element
from localvid.pipelines.animatic.scene import Scene, poses
from localvid.pipelines.animatic.stage import Stage
from localvid.schemas import Camera

WIDTH, HEIGHT = 320, 200
FOCUS = (WIDTH / HEIGHT / 2, 0.55)
SUBJECT = 2.5
NEAR, FAR = 1.25, 10.0

Where = tuple[float, float]


def stage_for(camera: Camera) -> Stage:
    margin_x, margin_y = CameraPath(camera, seconds=4, subject_depth=SUBJECT).overscan(1.0)
    return Stage(WIDTH, HEIGHT, margin_x + 0.1, margin_y + 0.1)


def dot(stage: Stage, at: Where, depth: float) -> Element:
    """A soft white dot at a place (units) on a plane."""
    away = np.hypot(stage.xs()[None, :] - at[0], stage.ys()[:, None] - at[1])
    mask = np.clip(1.5 - away * stage.density / 3, 0.0, 1.0).astype(np.float32)
    return paint(stage, (1.0, 1.0, 1.0), mask, depth=depth)


def found(frame: NDArray[np.uint8]) -> Where:
    """The middle of what is white, in units."""
    weight = np.maximum(frame[..., 0].astype(np.float64) - 8, 0)  # less the dither of what is black
    rows, columns = np.indices(weight.shape)
    total = weight.sum()
    assert total > 0, "the dot has left the frame"
    x, y = (columns * weight).sum() / total, (rows * weight).sum() / total
    return float((x + 0.5) / HEIGHT), float((y + 0.5) / HEIGHT)


def seen(camera: Camera, depth: float, at: Where, progress: float) -> Where:
    stage = stage_for(camera)
    path = CameraPath(camera, seconds=4, subject_depth=SUBJECT)
    return found(Scene(stage, [dot(stage, at, depth)], FOCUS).frame(path.pose(progress), 0.0))


def travelled(camera: Camera, depth: float, at: Where = (0.8, 0.5)) -> Where:
    (x0, y0), (x1, y1) = seen(camera, depth, at, 0.0), seen(camera, depth, at, 1.0)
    return x1 - x0, y1 - y0


PIXEL = 1 / HEIGHT
EXACT = 0.26 * PIXEL  # both ends of a way are placed to an eighth of a pixel


@pytest.mark.parametrize("depth", [NEAR, FAR, math.inf])
@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        (Camera.PAN_RIGHT, (-PAN, 0.0)),
        (Camera.PAN_LEFT, (PAN, 0.0)),
        (Camera.TILT_UP, (0.0, TILT)),
        (Camera.TILT_DOWN, (0.0, -TILT)),
    ],
)
def test_turning_moves_near_and_far_alike(camera: Camera, expected: Where, depth: float) -> None:
    assert travelled(camera, depth) == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("depth", [NEAR, FAR, math.inf])
@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        (Camera.TRUCK_RIGHT, (-TRUCK, 0.0)),
        (Camera.TRUCK_LEFT, (TRUCK, 0.0)),
        (Camera.PEDESTAL_UP, (0.0, PEDESTAL)),
        (Camera.PEDESTAL_DOWN, (0.0, -PEDESTAL)),
    ],
)
def test_travelling_moves_each_plane_by_travel_over_depth(
    camera: Camera, expected: Where, depth: float
) -> None:
    by_depth = (expected[0] / depth, expected[1] / depth)
    assert travelled(camera, depth) == pytest.approx(by_depth, abs=EXACT)


@pytest.mark.parametrize("camera", [Camera.ORBIT_LEFT, Camera.ORBIT_RIGHT])
def test_an_orbit_holds_the_subject_and_moves_near_and_far_opposite_ways(camera: Camera) -> None:
    near, subject, far = (travelled(camera, depth)[0] for depth in (NEAR, SUBJECT, FAR))
    sign = -1 if camera is Camera.ORBIT_RIGHT else 1
    assert subject == pytest.approx(0.0, abs=EXACT)
    assert near == pytest.approx(sign * TRUCK * (1 / NEAR - 1 / SUBJECT), abs=EXACT)
    assert far == pytest.approx(sign * TRUCK * (1 / FAR - 1 / SUBJECT), abs=EXACT)
    assert near * far < 0


@pytest.mark.parametrize("depth", [NEAR, FAR, math.inf])
def test_a_zoom_enlarges_all_planes_alike_about_the_middle(depth: float) -> None:
    middle = (WIDTH / HEIGHT / 2, 0.5)
    at = (middle[0] + 0.3, middle[1] + 0.2)
    start, end = seen(Camera.ZOOM_IN, depth, at, 0.0), seen(Camera.ZOOM_IN, depth, at, 1.0)
    assert start == pytest.approx(at, abs=EXACT)
    assert end == pytest.approx((middle[0] + 0.3 * ZOOM, middle[1] + 0.2 * ZOOM), abs=EXACT)


@pytest.mark.parametrize("depth", [NEAR, FAR])
def test_a_dolly_enlarges_each_plane_by_its_depth_about_the_vanishing_point(depth: float) -> None:
    at = (FOCUS[0] + 0.3, FOCUS[1] + 0.1)
    grown = depth / (depth - DOLLY)
    end = seen(Camera.DOLLY_IN, depth, at, 1.0)
    assert end == pytest.approx((FOCUS[0] + 0.3 * grown, FOCUS[1] + 0.1 * grown), abs=EXACT)


def test_a_dolly_leaves_the_sky_and_enlarges_near_more_than_far() -> None:
    scales = [Pose(forward=DOLLY).scale(depth) for depth in (NEAR, FAR, math.inf)]
    assert scales[0] > scales[1] > scales[2] == 1.0


@pytest.mark.parametrize(
    ("there", "back"),
    [(Camera.DOLLY_IN, Camera.DOLLY_OUT), (Camera.ZOOM_IN, Camera.ZOOM_OUT)],
)
@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
def test_out_is_in_played_backwards(there: Camera, back: Camera, progress: float) -> None:
    forth, reverse = (CameraPath(camera, seconds=4, subject_depth=SUBJECT) for camera in (there, back))
    first, second = forth.pose(progress), reverse.pose(1 - progress)
    assert first.forward == pytest.approx(second.forward)
    assert first.zoom == pytest.approx(second.zoom)


@pytest.mark.parametrize(
    "pose",
    [Pose(right=0.1), Pose(up=0.07), Pose(up=-0.06), Pose(forward=0.2), Pose(pan=0.1), Pose(tilt=-0.07),
     Pose(right=-0.1, pan=0.04)],
    ids=["right", "up", "down", "forward", "pan", "tilt", "orbit"],
)  # fmt: skip
def test_the_ground_moves_as_what_stands_on_it(pose: Pose) -> None:
    stage = Stage(WIDTH, HEIGHT, 0.3, 0.3)
    eye, row = 0.45, 0.16  # the camera's height, and how far below the horizon the thing stands
    at = (FOCUS[0] + 0.12, FOCUS[1] + row)
    standing = found(Scene(stage, [dot(stage, at, eye / row)], FOCUS).frame(pose, 0.0))
    first = stage.row(FOCUS[1])
    ys = stage.ys(first)
    away = np.hypot(stage.xs()[None, :] - at[0], ys[:, None] - at[1])
    picture = np.repeat(np.clip(1.5 - away * stage.density / 3, 0, 1)[..., None], 3, axis=-1)
    ground = paint_ground(stage, picture.astype(np.float32), horizon=FOCUS[1], height=eye)
    lying = found(Scene(stage, [ground], FOCUS).frame(pose, 0.0))
    # A round dot that lies flat is seen a little larger towards the viewer, so its middle is a little lower.
    assert lying == pytest.approx(standing, abs=0.8 * PIXEL)


@pytest.mark.parametrize("camera", list(Camera))
def test_a_move_eases_in_and_out(camera: Camera) -> None:
    path = CameraPath(camera, seconds=4, subject_depth=SUBJECT)
    xs = [abs(pose.right) + abs(pose.up) + pose.forward + abs(pose.pan) + abs(pose.tilt) + pose.zoom
          for pose in (path.pose(i / 100) for i in (0, 1, 50, 51, 99, 100))]  # fmt: skip
    if camera is Camera.STATIC:
        assert len(set(xs)) == 1
    else:
        first, middle, last = abs(xs[1] - xs[0]), abs(xs[3] - xs[2]), abs(xs[5] - xs[4])
        assert first < middle / 5
        assert last < middle / 5


def test_a_short_shot_moves_less_and_no_faster() -> None:
    short, usual, long = (
        CameraPath(Camera.TRUCK_RIGHT, seconds=seconds, subject_depth=SUBJECT) for seconds in (1, 4, 20)
    )
    assert short.pose(1.0).right == pytest.approx(usual.pose(1.0).right / 4)
    assert long.pose(1.0).right == usual.pose(1.0).right == pytest.approx(TRUCK / 2)


def test_one_frame_is_the_start_of_the_move() -> None:
    path = CameraPath(Camera.DOLLY_IN, seconds=4, subject_depth=SUBJECT)
    assert poses(path, 1) == [Pose(forward=0.0)]
    assert poses(path, 3)[-1].forward == pytest.approx(DOLLY)
