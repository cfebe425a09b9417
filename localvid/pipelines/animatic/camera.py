"""Where the camera is at each moment, and what that does to a picture plane at a given depth.

The camera is a pinhole of focal length 1; lengths are in units of the frame's shorter side. A plane that
faces the camera at depth z shows its points at scale 1 when nothing moves. With the camera moved by
(tx right, ty up, tz forward) and turned by (pan right, tilt up), a point of that plane that stood at
(x, y) from the optical axis is seen at

    s  = z / (z - tz)
    x' = s·x - tx / (z - tz) - pan
    y' = s·y + ty / (z - tz) + tilt

so a pan or tilt moves near and far alike, a truck or pedestal moves each by t / z (near more than far),
and a dolly enlarges near more than far. A zoom changes the focal length: all planes scale alike, by
`zoom`, about the middle of the frame. An orbit is a truck with a pan that holds the subject, at depth zs,
where it is: x' = x - tx·(1/z - 1/zs), so near and far go opposite ways. Turning is by shift alone: for
angles as small as these the keystone of a true rotation is below what the eye sees in a drawn picture.

The ground is the plane y = H below the camera, seen from the horizon down at row u = H·X / Z; it moves
by the homography in `ground_coefficients`, which agrees with the formulas above for whatever stands on it
at row u, depth z = H / u.

A move eases in and out: its progress is p²·(3 - 2p). Shots shorter than 4 s make a shorter move, so that
its speed stays watchable. A slow move goes half as far in its time, a fast one half as far again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from localvid.schemas import Camera, CameraSpeed, eased

FULL_MOVE_SECONDS = 4.0

TRUCK = 0.26
"""Travel from one end of a truck or orbit to the other; a plane at depth 1 shifts by as much."""
PEDESTAL = 0.16
PAN = 0.24
TILT = 0.15
DOLLY = 0.26
"""Forward travel: a plane at depth 1 grows by 1/(1 - 0.26), about a third."""
ZOOM = 1.24
"""Greatest focal length over the least."""


@dataclass(frozen=True)
class Pose:
    """The camera at one moment; all zero is where the scene was painted from."""

    right: float = 0.0
    up: float = 0.0
    forward: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 1.0

    def scale(self, depth: float) -> float:
        """Enlargement of a plane at `depth` (`math.inf` for the sky)."""
        return 1.0 if math.isinf(depth) else depth / (depth - self.forward)

    def shift(self, depth: float) -> tuple[float, float]:
        """Displacement (right, down) of a plane at `depth`, in units."""
        nearness = 0.0 if math.isinf(depth) else 1.0 / (depth - self.forward)
        return (-self.right * nearness - self.pan, self.up * nearness + self.tilt)


class CameraPath:
    """A camera move over a shot.

    `subject_depth` is the plane that an orbit turns around. Poses are symmetric about zero for moves to
    the side, and run between 0 and the full travel for dollies and zooms, so a picture painted with
    `overscan()` on each side never shows an edge.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        seconds: float,
        subject_depth: float,
        speed: CameraSpeed = CameraSpeed.NORMAL,
    ) -> None:
        self.camera = camera
        self._reach = speed.factor * min(1.0, seconds / FULL_MOVE_SECONDS)
        self._subject_depth = subject_depth

    def pose(self, progress: float) -> Pose:
        """The pose at `progress` 0 (first frame) to 1 (last frame) of the shot."""
        share = eased(progress)
        side = (share - 0.5) * self._reach
        ahead = share * self._reach
        match self.camera:
            case Camera.STATIC:
                return Pose()
            case Camera.PAN_LEFT | Camera.PAN_RIGHT:
                return Pose(pan=PAN * self._signed(side, Camera.PAN_RIGHT))
            case Camera.TILT_UP | Camera.TILT_DOWN:
                return Pose(tilt=TILT * self._signed(side, Camera.TILT_UP))
            case Camera.TRUCK_LEFT | Camera.TRUCK_RIGHT:
                return Pose(right=TRUCK * self._signed(side, Camera.TRUCK_RIGHT))
            case Camera.PEDESTAL_UP | Camera.PEDESTAL_DOWN:
                return Pose(up=PEDESTAL * self._signed(side, Camera.PEDESTAL_UP))
            case Camera.ORBIT_LEFT | Camera.ORBIT_RIGHT:
                right = TRUCK * self._signed(side, Camera.ORBIT_RIGHT)
                return Pose(right=right, pan=-right / self._subject_depth)
            case Camera.DOLLY_IN:
                return Pose(forward=DOLLY * ahead)
            case Camera.DOLLY_OUT:
                return Pose(forward=DOLLY * (self._reach - ahead))
            case Camera.ZOOM_IN:
                return Pose(zoom=ZOOM**ahead)
            case Camera.ZOOM_OUT:
                return Pose(zoom=ZOOM ** (self._reach - ahead))

    def overscan(self, nearest: float) -> tuple[float, float]:
        """Units that planes no nearer than `nearest` must reach beyond the frame: (sides, top and bottom)."""
        reach_x = reach_y = 0.0
        for progress in (0.0, 1.0):
            pose = self.pose(progress)
            for depth in (nearest, math.inf):
                shift_x, shift_y = pose.shift(depth)
                reach_x, reach_y = max(reach_x, abs(shift_x)), max(reach_y, abs(shift_y))
        return reach_x, reach_y

    def _signed(self, side: float, positive: Camera) -> float:
        return side if self.camera is positive else -side


def ground_coefficients(
    pose: Pose, *, height: float, horizon: float, middle: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """Where a row and column of the frame lie on the ground as painted, all in units.

    (a, b, c, d, e, f, g, h): x = (a·x' + b·y' + c) / (g·x' + h·y' + 1), y = (d·x' + e·y' + f) / (same).
    `height` is the camera's above the ground, `horizon` the row and `middle` the column of the vanishing
    point. With u' the rows below the horizon and H' = height + up, u = u'·height / (H' + u'·forward) and
    x = (x'·H' + u'·right) / (H' + u'·forward).
    """
    raised = height + pose.up
    row = horizon + pose.tilt
    column = middle - pose.pan
    # u' = y' - row; denominators divided by (raised - row·forward) so that the constant term is 1.
    base = raised - row * pose.forward
    h = pose.forward / base
    a = raised / base
    b = pose.right / base + middle * h
    c = (-column * raised - row * pose.right + middle * base) / base
    e = height / base + horizon * h
    f = (-row * height + horizon * base) / base
    return (a, b, c, 0.0, e, f, 0.0, h)
