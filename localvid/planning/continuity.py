"""Which shots go on from the picture of the one before, and which begin anew all the same."""

from __future__ import annotations

from localvid.schemas import ModelCapabilities, Storyboard

MAX_IN_A_ROW = 4
"""Most shots in a row that go on from the one before. Each is made from a picture that a model has made, so
what it gets wrong is handed on; the shot after them begins with a keyframe of its own."""

NUM_LATE_FRAMES = 4
"""Among so many last frames the sharpest is looked for: about half a second of Stable Video Diffusion, and
at most so much is cut off its clip. localvid's choice."""


def continuing_shots(storyboard: Storyboard) -> tuple[bool, ...]:
    """For each shot, whether it is made to go on from the one before."""
    continuing: list[bool] = []
    in_a_row = 0
    for shot in storyboard.shots:
        in_a_row = in_a_row + 1 if shot.continue_from_previous and in_a_row < MAX_IN_A_ROW else 0
        continuing.append(in_a_row > 0)
    return tuple(continuing)


def num_late_frames(capabilities: ModelCapabilities, num_frames: int) -> int:
    """Among how many last frames of a clip of `num_frames` the one to go on from is chosen.

    At least one frame is left before it, where there are two. Drawn frames are all as sharp, so there it is
    the last.
    """
    return 1 if capabilities.sampling is None else max(1, min(NUM_LATE_FRAMES, num_frames - 1))
