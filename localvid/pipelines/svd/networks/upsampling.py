"""Upsampling to nearest neighbours with a 3x3 convolution after it, without the upsampled frames.

Of the nine values that such a convolution sees, at most four differ: a pixel of the result is a 2x2
convolution of the small frame, by one of four kernels, according to whether its row and its column are even.
The same sum takes 4/9 of the products, and no frame of the large size with the channels of the small one.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from localvid.pipelines.svd.networks.feature_map import Frames, MapShape


class Upsampled:
    """Frames of an `Upsample2D` with a convolution, computed when they are read.

    Its weights must be on the device while frames are read.
    """

    def __init__(
        self, source: Frames, upsampler: Any, *, height: int | None = None, width: int | None = None
    ) -> None:
        """`height` and `width` by default are twice the source's."""
        self._source = source
        self._conv = upsampler.conv
        self._kernels: dict[tuple[int, int], Tensor] = {}
        shape = source.shape
        self.shape = MapShape(
            shape.frames, height or 2 * shape.height, width or 2 * shape.width, self._conv.out_channels
        )

    def frames(self, start: int, stop: int) -> Tensor:
        """Frames `(stop - start, channels, height, width)`, channels last."""
        small = self._source.frames(start, stop)
        _, height, width, _ = self.shape
        if (height, width) != (2 * small.shape[2], 2 * small.shape[3]):
            result: Tensor = self._conv(functional.interpolate(small, size=(height, width)))
            return result
        if not self._kernels:
            self._kernels = kernels(self._conv.weight)
        return _upsample(small, self._kernels, self._conv.bias)

    def release_frames(self, start: int, stop: int) -> None:
        """Let go of the source's frames; after the last one, of the kernels."""
        self._source.release_frames(start, stop)
        if stop == self.shape.frames:
            self._kernels = {}


def kernels(weight: Tensor) -> dict[tuple[int, int], Tensor]:
    """The four 2x2 kernels by the parity of row and column, summed in single precision, then rounded."""
    single = weight.float()
    return {
        (row, column): _paired(_paired(single, row, dim=2), column, dim=3)
        .to(weight.dtype)
        .contiguous(memory_format=torch.channels_last)
        for row, column in product(range(2), range(2))
    }


def _paired(weight: Tensor, parity: int, *, dim: int) -> Tensor:
    """Taps before, at and after a pixel, summed where they meet the same pixel of the small frame.

    At even places the one before meets another pixel than the two others do, at odd places the one after.
    """
    before, here, after = weight.unbind(dim)
    taps = (before + here, after) if parity else (before, here + after)
    return torch.stack(taps, dim)


def _upsample(small: Tensor, kernels: dict[tuple[int, int], Tensor], bias: Tensor) -> Tensor:
    count, _, height, width = small.shape
    result = small.new_empty((count, 2 * height, 2 * width, len(bias)))
    for (row, column), kernel in kernels.items():
        # Padded on both sides it is larger by one; where the odd pixels' values begin, the even ones' end.
        part = functional.conv2d(small, kernel, bias, padding=1).permute(0, 2, 3, 1)
        result[:, row::2, column::2] = part[:, row : row + height, column : column + width]
    return result.permute(0, 3, 1, 2)
