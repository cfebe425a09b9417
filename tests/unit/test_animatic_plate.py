"""Plates are laid over one another exactly, and what is hidden is never needed."""

from __future__ import annotations

import numpy as np
import pytest

from localvid.pipelines.animatic.camera import Pose
from localvid.pipelines.animatic.painting import paint
from localvid.pipelines.animatic.plate import NEVER
from localvid.pipelines.animatic.scene import Scene
from localvid.pipelines.animatic.stage import Stage

STAGE = Stage(64, 48, 0.2, 0.2)
FOCUS = (64 / 48 / 2, 0.5)


def flat(value: float) -> np.ndarray:
    return np.full((STAGE.rows, STAGE.columns), value, dtype=np.float32)


def test_half_of_white_over_black_is_grey() -> None:
    ground = paint(STAGE, (0.0, 0.0, 0.0), flat(1.0), depth=5)
    veil = paint(STAGE, (1.0, 1.0, 1.0), flat(0.5), depth=2)
    frame = Scene(STAGE, [ground, veil], FOCUS).frame(Pose(), 0.0)
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25, 0.37, 0.5, 0.99])
def test_a_move_by_part_of_a_pixel_keeps_the_light(shift: float) -> None:
    mask = flat(0.0)
    mask[28:33, 30:37] = 1.0
    plate = paint(STAGE, (1.0, 1.0, 1.0), mask, depth=1)
    still = Scene(STAGE, [plate], FOCUS).frame(Pose(), 0.0).astype(int).sum()
    moved = Scene(STAGE, [plate], FOCUS).frame(Pose(pan=shift / 48, tilt=shift / 48), 0.0).astype(int).sum()
    assert moved == pytest.approx(still, rel=0.01)


def test_wide_empty_columns_are_cut_out_and_the_picture_stays() -> None:
    stage = Stage(400, 60)
    mask = np.zeros((stage.rows, stage.columns), dtype=np.float32)
    mask[10:50, 20:40] = mask[10:50, 300:310] = 1.0
    plate = paint(stage, (1.0, 1.0, 1.0), mask, depth=2)
    assert [piece.image.width for piece in plate.pieces] == [20, 10]
    frame = Scene(stage, [plate], (3.3, 0.5)).frame(Pose(), 0.0)
    np.testing.assert_array_equal(frame[..., 0] > 127, mask[1:61, 1:401] > 0.5)


@pytest.mark.parametrize("pose", [Pose(), Pose(forward=0.2), Pose(zoom=1.2)], ids=["moves", "dolly", "zoom"])
def test_a_lean_bends_the_top_and_not_the_foot(pose: Pose) -> None:
    mask = flat(0.0)
    mask[20:50, 35:40] = 1.0
    upright, leaning = (
        Scene(STAGE, [paint(STAGE, (1.0, 1.0, 1.0), mask, depth=2, sway=lean)], FOCUS).frame(pose, 0.0)
        for lean in (None, lambda _seconds: 0.1)
    )

    def middle(frame: np.ndarray, row: int) -> float:
        weight = frame[row, :, 0].astype(float)
        return float((np.arange(len(weight)) * weight).sum() / weight.sum())

    rows = np.flatnonzero(upright[..., 0].max(axis=1) > 200)
    assert middle(leaning, rows[1]) - middle(upright, rows[1]) > 3.5
    assert abs(middle(leaning, rows[-2]) - middle(upright, rows[-2])) < 1.0


def test_a_plate_knows_from_where_on_it_hides_what_is_behind() -> None:
    ridge = flat(0.0)
    ridge[30:] = 1.0
    hole = ridge.copy()
    hole[40, 5] = 0.5
    assert paint(STAGE, (0.2, 0.2, 0.2), ridge, depth=3).solid_from == 30
    assert paint(STAGE, (0.2, 0.2, 0.2), hole, depth=3).solid_from == 41
    assert paint(STAGE, (0.2, 0.2, 0.2), ridge[:-5], depth=3).solid_from == NEVER


def test_a_slow_gradient_does_not_band() -> None:
    ramp = np.linspace(0.2, 0.22, STAGE.columns, dtype=np.float32)
    colours = np.broadcast_to(ramp[None, :, None], (STAGE.rows, STAGE.columns, 3))
    frame = Scene(STAGE, [paint(STAGE, colours, None, depth=9)], FOCUS).frame(Pose(), 0.0)
    values = frame[..., 0].astype(float)
    assert values.std(axis=0).min() > 0.1  # no column is of one value: the steps are broken up …
    fitted = np.polyval(np.polyfit(np.arange(64), values.mean(axis=0), 1), np.arange(64))
    assert np.abs(values.mean(axis=0) - fitted).max() < 0.5  # … and their mean follows the ramp
