"""A camera move made exactly, by a window that travels over frames before they are encoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from localvid.schemas import Window

Frame = NDArray[np.uint8]


def cropped(frame: Frame, window: Window) -> Frame:
    """What the window shows of `frame`, `(height, width, 3)`, at the frame's own size.

    The window's corners lie between pixels where they fall. Resampled by cubic convolution with a = -1/2
    (R. Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on
    Acoustics, Speech, and Signal Processing 29, 1981): it gives back every picture that is a polynomial of
    the second degree exactly, so that a slope stays a slope and nothing trembles as the window travels.
    The whole frame is given back as it is.
    """
    if window == Window():
        return frame
    height, width = frame.shape[:2]
    picture = Image.fromarray(frame)
    return np.asarray(
        picture.resize((width, height), Image.Resampling.BICUBIC, box=window.box(width, height))
    )
