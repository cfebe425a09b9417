"""How sharp a frame is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
"""ITU-R BT.709-6, 3.2."""


def sharpness(frame: NDArray[np.uint8]) -> float:
    """The variance of the Laplacian of the luma of `frame`, `(height, width, 3)`; more is sharper.

    The measure of J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative
    study" (ICPR 2000), with the kernel of four neighbours. It tells frames of one scene from each other;
    between scenes it says nothing. A frame with fewer than 3 rows or columns is as sharp as none: 0.
    """
    luma = frame[..., :3].astype(np.float32) @ _LUMA
    if min(luma.shape) < 3:
        return 0.0
    edges = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
    return float(edges.var())
