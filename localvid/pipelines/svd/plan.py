"""How one clip is run: where weights and feature maps are kept, and in which slices the networks work.

All of it but `DecoderSlices.chunk_frames` and `EnginePlan.fp8` leaves the result as it is. No torch here: a
plan is chosen by `planner`, carried to the engine, recorded and printed.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from localvid.schemas import Frozen

WHOLE = 2**31 - 1
"""As the size of a slice: larger than any clip, so nothing is sliced."""


class Weights(StrEnum):
    """Which weights are on the device while a network works."""

    RESIDENT = "resident"
    """Those of all networks, from clip to clip."""
    MODEL = "model"
    """Those of one network at a time."""
    STREAM = "stream"
    """Those of one unit of a network, and of the unit after it on its way."""


class Maps(StrEnum):
    """Where the decoder keeps the feature maps between two layers."""

    DEVICE = "device"
    HOST = "host"
    DISK = "disk"
    """A temporary file that passes through host memory in slices."""


class Guidance(StrEnum):
    """How the UNet computes the pair of predictions that guidance is made of."""

    TOGETHER = "together"
    """One pass over a batch of two."""
    PASSES = "passes"
    """Two passes over a batch of one: the same numbers in less memory."""


class Attention(StrEnum):
    SDPA = "sdpa"
    XFORMERS = "xformers"


class UNetSlices(Frozen):
    """How much of a clip the UNet's layers work on at once."""

    frames: int = Field(default=WHOLE, ge=1)
    """Frames together in spatial layers; WHOLE: all."""
    pixels: int = Field(default=WHOLE, ge=1)
    """Pixels of the feature map, over all frames, together in temporal layers; WHOLE: all."""
    guidance: Guidance = Guidance.TOGETHER


class DecoderSlices(Frozen):
    """How much of a clip the VAE's decoder works on at once."""

    frames: int = Field(default=WHOLE, ge=1)
    """Frames together in spatial layers; WHOLE: all. The VAE's encoder has one."""
    pixels: int = Field(default=WHOLE, ge=1)
    """Pixels of the feature map, over all frames, together in temporal layers; WHOLE: all."""
    maps: Maps = Maps.DEVICE
    chunk_frames: int | None = Field(default=None, ge=1)
    """None: all frames together, as the decoder defines it. A number: so many at a time, with a seam where
    two chunks meet, because the decoder mixes neighbouring frames."""


class EnginePlan(Frozen):
    """Everything that decides how a clip is computed, apart from what is computed."""

    weights: Weights = Weights.RESIDENT
    unet: UNetSlices = UNetSlices()
    decoder: DecoderSlices = DecoderSlices()
    attention: Attention = Attention.SDPA
    compile: bool = False
    """`torch.compile` of the networks' blocks."""
    fp8: bool = False
    """Weights stored in eight bits: half the memory, and lossy."""

    @property
    def exact(self) -> bool:
        """Whether the clip is what the networks define, but for rounding."""
        return self.decoder.chunk_frames is None and not self.fp8
