"""How a camera move is made over frames that do not hold it: by a crop whose window travels.

A model of the kind of Stable Video Diffusion reads no words and promises no move. Its frames are one flat
picture after another; over such a picture a window can travel exactly. So a pan, a tilt and a zoom are what
they are called. A truck, a pedestal, a dolly and an orbit differ from them by parallax, which a flat
picture does not have: they are made as the pan, tilt, zoom and pan that a picture as far away as the
animatic's subjects would show.
"""

from __future__ import annotations

from localvid.schemas import Camera, CameraSpeed, CropPath, Window

FULL_MOVE_SECONDS = 4.0
"""A shot that is shorter makes a shorter move, so that its speed stays watchable; as in the animatic."""

_PICTURE_DEPTH = 2.2
"""How far away the picture stands for moves with parallax: where the animatic puts a picture."""
_PAN, _TILT = 0.24, 0.15
_TRUCK, _PEDESTAL, _DOLLY = 0.26 / _PICTURE_DEPTH, 0.16 / _PICTURE_DEPTH, 0.26 / _PICTURE_DEPTH
_ORBIT = _TRUCK / 2
"""The subject, which an orbit holds in its place, stands twice as far away."""
_ZOOM = 1.24
_SIDEWAYS = {
    Camera.PAN_LEFT: -_PAN,
    Camera.PAN_RIGHT: _PAN,
    Camera.TRUCK_LEFT: -_TRUCK,
    Camera.TRUCK_RIGHT: _TRUCK,
    Camera.ORBIT_LEFT: -_ORBIT,
    Camera.ORBIT_RIGHT: _ORBIT,
}
"""The camera's travel to the right, in units of the frame's shorter side, as in the animatic's camera."""
_DOWNWARDS = {
    Camera.TILT_UP: -_TILT,
    Camera.TILT_DOWN: _TILT,
    Camera.PEDESTAL_UP: -_PEDESTAL,
    Camera.PEDESTAL_DOWN: _PEDESTAL,
}
_OUTWARDS = frozenset({Camera.ZOOM_OUT, Camera.DOLLY_OUT})

APPROXIMATIONS = {
    Camera.TRUCK_LEFT: "a pan",
    Camera.TRUCK_RIGHT: "a pan",
    Camera.ORBIT_LEFT: "a pan",
    Camera.ORBIT_RIGHT: "a pan",
    Camera.PEDESTAL_UP: "a tilt",
    Camera.PEDESTAL_DOWN: "a tilt",
    Camera.DOLLY_IN: "a zoom",
    Camera.DOLLY_OUT: "a zoom",
}
"""What a crop makes of the moves that have parallax."""

_DECIMALS = 6
"""So that a path is the same number, and its step the same key, on any machine: 0.004 pixels of 4,096."""


def crop_path(
    camera: Camera, speed: CameraSpeed, *, seconds: float, width: int, height: int, continues: bool
) -> CropPath | None:
    """The window's way for a camera move; None for a static camera.

    The window is as large as the move allows. What enlarges most is a fast zoom, 1.24 to the power of 1.5:
    1.38 times. Where the shot `continues` a picture, the way begins with the whole of it, so that nothing
    jumps at the cut: moves to a side then begin in the middle, close in a little and go half as far, and a
    move outwards is not possible (None).
    """
    if camera is Camera.STATIC or (continues and camera in _OUTWARDS):
        return None
    reach = speed.factor * min(1.0, seconds / FULL_MOVE_SECONDS)
    if camera in (Camera.ZOOM_IN, Camera.ZOOM_OUT):
        return _along_the_axis(camera, _ZOOM**-reach)
    if camera in (Camera.DOLLY_IN, Camera.DOLLY_OUT):
        return _along_the_axis(camera, 1 - _DOLLY * reach)
    side = min(width, height) * reach
    return _sideways(
        _SIDEWAYS.get(camera, 0.0) * side / width,
        _DOWNWARDS.get(camera, 0.0) * side / height,
        continues=continues,
    )


def _along_the_axis(camera: Camera, size: float) -> CropPath:
    inner = _window(size, 0, 0)
    return CropPath(start=inner, end=Window()) if camera in _OUTWARDS else CropPath(start=Window(), end=inner)


def _sideways(right: float, down: float, *, continues: bool) -> CropPath:
    """What is seen travels by these shares of the frame the other way. A window of size 1 / (1 + t) has room
    for t of its own sizes."""
    size = 1 / (1 + max(abs(right), abs(down)))
    across, along = _sign(right), _sign(down)
    start = Window() if continues else _window(size, -across, -along)
    return CropPath(start=start, end=_window(size, across, along))


def _window(size: float, across: int, along: int) -> Window:
    """A window at the left or top edge (-1), in the middle (0), at the right or lower edge (1)."""
    size = round(size, _DECIMALS)
    room = 1 - size
    return Window(
        left=round(room * (1 + across) / 2, _DECIMALS),
        top=round(room * (1 + along) / 2, _DECIMALS),
        size=size,
    )


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
