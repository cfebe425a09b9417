"""Whatever the slices and the clip: the sliced UNet gives what diffusers' own gives."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_unet import run_stock, tiny_unet, unet_inputs

from localvid.pipelines.svd.networks import unet as svd_unet
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.plan import WHOLE, Guidance, UNetSlices


@cache
def unet() -> Any:
    return tiny_unet()


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 2),
    frames=st.integers(1, 6),
    # From 5 latents on: of fewer, the second level's norms are taken over so few values that rounding is
    # amplified beyond any bound, in stock as well.
    height=st.integers(5, 14),
    width=st.integers(5, 14),
    slices=st.builds(
        UNetSlices,
        frames=st.integers(1, 8) | st.just(WHOLE),
        pixels=st.integers(1, 200) | st.just(WHOLE),
        guidance=st.sampled_from(Guidance),
    ),
)
def test_slices_change_nothing(batch: int, frames: int, height: int, width: int, slices: UNetSlices) -> None:
    torch.set_num_threads(1)
    inputs = unet_inputs(batch=batch, frames=frames, height=height, width=width)
    sliced = SlicedUNet(unet(), slices)
    conditions = sliced.condition(inputs.embeddings, inputs.time_ids, num_frames=frames)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svd_unet, "SMALLEST", 1)  # the maps of a tiny network are smaller than it
        result = sliced(inputs.sample, inputs.timestep, conditions)

    torch.testing.assert_close(result, run_stock(unet(), inputs), rtol=0, atol=1e-5)
