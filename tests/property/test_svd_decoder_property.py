"""Whatever the clip and the slices: the decoder's frames are diffusers' frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import cache
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder
from hypothesis import given, settings
from hypothesis import strategies as st

from localvid.pipelines.svd.networks import decoder as svd_decoder
from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.feature_map import DeviceMap, FeatureMap, FileMap, HostMap, MapShape
from localvid.pipelines.svd.plan import DecoderSlices, Maps

CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def vae() -> Any:
    torch.manual_seed(0)
    return AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        layers_per_block=2,
    ).eval()


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 7),
    height=st.integers(2, 6),
    width=st.integers(2, 6),
    chunk=st.none() | st.integers(1, 8),
    frames_at_once=st.integers(1, 9),
    pixels_at_once=st.integers(1, 200),
    maps=st.sampled_from(Maps),
    seed=st.integers(0, 999),
)
def test_frames_are_those_of_diffusers(
    frames: int,
    height: int,
    width: int,
    chunk: int | None,
    frames_at_once: int,
    pixels_at_once: int,
    maps: Maps,
    seed: int,
) -> None:
    latents = torch.randn(frames, 4, height, width, generator=torch.Generator().manual_seed(seed))
    slicing = DecoderSlices(frames=frames_at_once, pixels=pixels_at_once, maps=maps, chunk_frames=chunk)
    with torch.inference_mode():
        parts = latents.split(chunk or frames)
        expected = torch.cat([vae().decode(part, num_frames=len(part)).sample for part in parts])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(svd_decoder, "SMALLEST", 1)  # the maps of a tiny network are smaller than it
            result = torch.stack(list(decode(vae(), latents, slicing)))

    assert (result - expected).abs().max() <= 1e-5


@settings(max_examples=100, deadline=None)
@given(
    shape=st.builds(MapShape, st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    block=st.integers(1, 7),
    data=st.data(),
)
def test_every_place_holds_the_same_values(shape: MapShape, block: int, data: st.DataObject) -> None:
    with ExitStack() as opened:
        places = [
            opened.enter_context(closing(place))
            for place in (
                DeviceMap(shape, torch.float32, device=CPU, block=block),
                HostMap(shape, torch.float32, device=CPU),
                FileMap(shape, torch.float32, device=CPU),
            )
        ]
        compare(places, shape, data)


def compare(places: list[FeatureMap], shape: MapShape, data: st.DataObject) -> None:
    expected = torch.zeros(shape.frames, shape.pixels, shape.channels)
    for place in places:
        place.put_pixels(0, expected.clone())
    for _ in range(data.draw(st.integers(1, 6))):
        by_frames = data.draw(st.booleans())
        length = shape.frames if by_frames else shape.pixels
        start = data.draw(st.integers(0, length - 1))
        stop = data.draw(st.integers(start + 1, length))
        part = expected[start:stop] if by_frames else expected[:, start:stop]
        part.copy_(torch.randn(part.shape))
        for place in places:
            if by_frames:
                place.put_frames(start, part.clone().unflatten(1, shape[1:3]).permute(0, 3, 1, 2))
            else:
                place.put_pixels(start, part.clone())

    for place in places:
        assert torch.equal(place.pixels(0, shape.pixels), expected)
        frames = place.frames(0, shape.frames)
        assert torch.equal(frames.permute(0, 2, 3, 1).flatten(1, 2), expected)
