"""Layers over slices against diffusers' own over the whole clip."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D, SpatioTemporalResBlock
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from localvid.pipelines.svd.networks.feature_map import FeatureMap, MapShape, map_opener
from localvid.pipelines.svd.networks.layers import (
    Moments,
    affine,
    frame_norm,
    frame_norm_silu,
    norm_silu,
    prepare,
    run_resblock,
    spatial_resnet,
    temporal_convolution,
)
from localvid.pipelines.svd.networks.upsampling import Upsampled
from localvid.pipelines.svd.plan import WHOLE, Maps

CPU = torch.device("cpu")
DECODER = {
    "temb_channels": None,
    "eps": 1e-6,
    "temporal_eps": 1e-5,
    "merge_factor": 0.0,
    "merge_strategy": "learned",
    "switch_spatial_to_temporal_mix": True,
}
UNET = {"temb_channels": 24, "eps": 1e-5}
HALVES = [torch.float16, torch.bfloat16]

pytestmark = pytest.mark.usefixtures("one_thread", "inference")


def randomised(module: Any) -> Any:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.1)
    for norm in module.modules():
        if isinstance(norm, nn.GroupNorm):
            nn.init.normal_(norm.weight, mean=1, std=0.2)
    for mixer in module.modules():
        if hasattr(mixer, "mix_factor"):
            mixer.mix_factor.fill_(0.7)
    return module.eval()


def filled(frames: Tensor, *, maps: Maps = Maps.DEVICE, block: int = 1) -> FeatureMap:
    count, channels, height, width = frames.shape
    features = map_opener(maps, device=CPU, block=block)(
        MapShape(count, height, width, channels), frames.dtype
    )
    features.put_frames(0, frames)
    return features


def new_like(features: FeatureMap, channels: int, *, maps: Maps = Maps.DEVICE, block: int = 1) -> FeatureMap:
    shape = features.shape._replace(channels=channels)
    return map_opener(maps, device=CPU, block=block)(shape, features.dtype)


def rms(values: Tensor) -> float:
    return values.double().square().mean().sqrt().item()


@pytest.mark.parametrize("kind", [DECODER, UNET], ids=["decoder", "unet"])
@pytest.mark.parametrize("channels", [(32, 32), (64, 32)])
@pytest.mark.parametrize(("clips", "num_frames"), [(1, 1), (1, 5), (2, 3)])
@pytest.mark.parametrize("maps", [Maps.DEVICE, Maps.DISK])
@pytest.mark.parametrize("with_scratch", [False, True])
def test_resblock_is_that_of_diffusers(
    kind: dict[str, Any],
    channels: tuple[int, int],
    clips: int,
    num_frames: int,
    maps: Maps,
    with_scratch: bool,
) -> None:
    block = randomised(SpatioTemporalResBlock(*channels, **kind))
    frames = torch.randn(clips * num_frames, channels[0], 5, 7)
    temb = torch.randn(len(frames), 24) if kind is UNET else None
    expected = block(frames, temb, torch.zeros(clips, num_frames))
    prepare(block)

    for size, pixels in ((1, 1), (2, 4), (WHOLE, 34), (4, WHOLE)):
        source = filled(frames, maps=maps, block=size)
        out = new_like(source, channels[1], maps=maps, block=size)
        scratch = new_like(out, channels[1], maps=maps, block=size) if with_scratch else None
        result = run_resblock(
            block, source, temb, out=out, frames=size, pixels=pixels, num_frames=num_frames, scratch=scratch
        )
        assert result is out
        assert (out.frames(0, len(frames)) - expected).abs().max() <= 1e-5 * max(1, expected.abs().max())
        for features in (source, out, scratch):
            if features is not None:
                features.close()


@pytest.mark.parametrize("strategy", ["fixed", "learned", "learned_with_images"])
@pytest.mark.parametrize("switched", [False, True])
def test_each_way_of_blending(strategy: str, switched: bool) -> None:
    block = randomised(
        SpatioTemporalResBlock(
            32,
            32,
            temb_channels=None,
            merge_strategy=strategy,
            switch_spatial_to_temporal_mix=switched,
        )
    )
    frames = torch.randn(3, 32, 2, 2)
    expected = block(frames, None, torch.zeros(1, 3))

    features = filled(frames)
    run_resblock(block, features, out=features, frames=1, pixels=2)
    assert torch.allclose(features.frames(0, 3), expected, rtol=0, atol=1e-5)


def test_frames_are_released_as_they_are_consumed() -> None:
    block = randomised(SpatioTemporalResBlock(64, 32, **DECODER))
    source = filled(torch.randn(3, 64, 4, 4))
    out = new_like(source, 32)
    seen: list[bool] = []

    def look() -> None:
        if len(seen) < 3:  # the spatial half
            with pytest.raises(LookupError):
                source.frames(len(seen), len(seen) + 1)
        seen.append(True)

    run_resblock(block, source, out=out, frames=1, pixels=8, on_slice=look)
    assert len(seen) == 3 + 2 + 2


def test_what_a_slice_raises_passes_and_weights_are_let_go() -> None:
    class Counting:
        opened = 0

        @contextmanager
        def on(self, module: nn.Module) -> Iterator[None]:
            assert module is block
            self.opened += 1
            try:
                yield
            finally:
                self.opened -= 1

    def stop() -> None:
        assert weights.opened == 1
        raise KeyboardInterrupt

    block = randomised(SpatioTemporalResBlock(32, 32, **DECODER))
    features, weights = filled(torch.randn(2, 32, 2, 2)), Counting()
    with pytest.raises(KeyboardInterrupt):
        run_resblock(block, features, out=features, frames=1, pixels=1, weights=weights, on_slice=stop)
    assert weights.opened == 0


@pytest.mark.parametrize(
    ("pixels", "with_scratch", "expected"), [(4, True, 4), (4, False, 8), (WHOLE, False, 1)]
)
def test_the_first_temporal_convolution_is_computed_once_where_it_is_kept(
    pixels: int, with_scratch: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = randomised(SpatioTemporalResBlock(32, 32, **DECODER))
    calls: list[nn.Module] = []

    def counted(conv: nn.Conv3d, values: Tensor) -> Tensor:
        calls.append(conv)
        return temporal_convolution(conv, values)

    monkeypatch.setattr("localvid.pipelines.svd.networks.layers.temporal_convolution", counted)
    features = filled(torch.randn(2, 32, 4, 4))
    scratch = new_like(features, 32) if with_scratch else None
    run_resblock(block, features, out=features, frames=1, pixels=pixels, scratch=scratch)

    assert calls.count(block.temporal_res_block.conv1) == expected


@pytest.mark.parametrize("dtype", HALVES)
def test_in_half_precision_it_is_no_further_from_the_truth(dtype: torch.dtype) -> None:
    block = randomised(SpatioTemporalResBlock(64, 64, **UNET)).to(dtype)
    frames, temb = torch.randn(5, 64, 12, 12, dtype=dtype), torch.randn(5, 24, dtype=dtype)
    truth = copy.deepcopy(block).double()(frames.double(), temb.double(), torch.zeros(1, 5))
    stock = block(frames, temb, torch.zeros(1, 5))
    prepare(block)

    features = filled(frames)
    run_resblock(block, features, temb, out=features, frames=2, pixels=50)
    assert rms(features.frames(0, 5) - truth) <= rms(stock - truth)


@pytest.mark.parametrize("temb_channels", [None, 24])
@pytest.mark.parametrize("channels", [(32, 32), (64, 32), (32, 96)])
def test_spatial_resnet(channels: tuple[int, int], temb_channels: int | None) -> None:
    resnet = randomised(
        ResnetBlock2D(in_channels=channels[0], out_channels=channels[1], temb_channels=temb_channels)
    )
    frames = torch.randn(3, channels[0], 5, 3).contiguous(memory_format=torch.channels_last)
    temb = None if temb_channels is None else torch.randn(3, temb_channels)
    before = frames.clone()

    result = spatial_resnet(resnet, frames, temb)
    assert torch.allclose(result, resnet(frames, temb), rtol=0, atol=1e-5)
    assert torch.equal(frames, before)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_moments_do_not_depend_on_the_slices() -> None:
    values = torch.randn(2, 30, 64) * 3 + 100
    expected = values.double().view(2, 30, 8, 8)
    for size in (1, 7, 30):
        moments = Moments(8)
        for part in torch.split(values, size, dim=1):
            moments.add(part)
        mean, variance = moments.of_rows()
        assert torch.allclose(mean.double(), expected.mean((1, 3)), rtol=1e-6)
        assert torch.allclose(variance.double(), expected.var((1, 3), correction=0), rtol=1e-5)


def test_a_large_mean_in_some_slices_costs_no_digits() -> None:
    near, far = torch.randn(1, 500, 32), torch.randn(1, 500, 32) + 1000
    moments = Moments(32)
    for part in (near, far):
        moments.add(part)

    whole = torch.cat([near, far], dim=1).double()
    assert torch.allclose(moments.of_rows()[1].double(), whole.var(1, correction=0), rtol=1e-5)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("mean", [0, 10])
@pytest.mark.parametrize("count", [100, 4096, 4099])
def test_moments_of_half_precision_are_not_rounded_to_it(dtype: torch.dtype, mean: int, count: int) -> None:
    values = (torch.randn(2, count, 32) + mean).to(dtype)
    moments = Moments(32)
    moments.add(values)

    exact = values.double()
    found, variance = moments.of_rows()
    assert torch.allclose(found.double(), exact.mean(1), rtol=1e-6, atol=1e-6)
    rtol = torch.finfo(dtype).eps if mean else 1e-5
    assert torch.allclose(variance.double(), exact.var(1, correction=0), rtol=rtol)


@pytest.mark.usefixtures("either_way")
def test_moments_of_frames_become_those_of_their_clips() -> None:
    values = torch.randn(6, 5, 64) + torch.arange(6).view(6, 1, 1)
    moments = Moments(32)
    for start, stop in ((0, 1), (1, 5), (5, 6)):  # slices need not end where a clip does
        moments.add_rows(values[start:stop])
    mean, variance = moments.of_clips(3)

    expected = values.view(2, 15, 32, 2)
    assert torch.allclose(mean, expected.mean((1, 3)), atol=1e-6)
    assert torch.allclose(variance, expected.var((1, 3), correction=0), rtol=1e-5)


def test_moments_of_more_values_than_are_taken_in_together(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.randn(2, 37, 32) + 5
    whole, parted = Moments(8), Moments(8)
    whole.add(values)
    monkeypatch.setattr("localvid.pipelines.svd.networks.layers._AT_ONCE", 10 * 64)
    parted.add(values)

    for one, other in zip(whole.of_rows(), parted.of_rows(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize("size", [(9, 7), (184, 184)])
def test_norm_of_frames(dtype: torch.dtype, size: tuple[int, int]) -> None:
    norm = randomised(nn.GroupNorm(8, 32)).to(dtype)
    frames = torch.randn(3, 32, *size).to(dtype).contiguous(memory_format=torch.channels_last)
    truth = copy.deepcopy(norm).double()(frames.double())

    for result, expected in (
        (frame_norm(norm, frames), truth),
        (frame_norm_silu(norm, frames), nn.functional.silu(truth)),
    ):
        assert result.dtype == dtype
        assert result.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(result.double(), expected, rtol=0, atol=30 * torch.finfo(dtype).eps)


@pytest.mark.usefixtures("either_way")
def test_norm_of_a_large_frame_is_as_exact_as_of_a_small_one() -> None:
    """torch's own kernel for a processor is a hundred times further off where channels lie last."""
    norm = randomised(nn.GroupNorm(4, 16))
    frames = torch.randn(1, 16, 512, 1024).contiguous(memory_format=torch.channels_last)
    truth = copy.deepcopy(norm).double()(frames.double())

    assert (frame_norm(norm, frames) - truth).abs().max() <= 3e-6


@pytest.mark.usefixtures("either_way")
def test_norm_of_rows_with_their_own_statistics() -> None:
    norm = randomised(nn.GroupNorm(8, 32))
    values = torch.randn(2, 3, 5, 32) * torch.tensor([1.0, 9.0]).view(2, 1, 1, 1)
    moments = Moments(8)
    moments.add(values)

    expected = nn.functional.silu(norm(values.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
    assert torch.allclose(norm_silu(values, *affine(norm, moments.of_rows())), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
@pytest.mark.parametrize(("clips", "frames"), [(1, 1), (1, 2), (2, 4)])
@pytest.mark.parametrize("prepared", [False, True])
def test_temporal_convolution(clips: int, frames: int, dtype: torch.dtype, prepared: bool) -> None:
    conv = nn.Conv3d(16, 24, (3, 1, 1), padding=(1, 0, 0)).to(dtype)
    values = torch.randn(clips, frames, 6, 16).to(dtype)
    truth = copy.deepcopy(conv).double()(values.double().permute(0, 3, 1, 2).unsqueeze(-1))
    if prepared:
        prepare(conv)

    result = temporal_convolution(conv, values)
    assert result.dtype == dtype
    expected = truth.squeeze(-1).permute(0, 2, 3, 1)
    assert torch.allclose(result.double(), expected, rtol=0, atol=8 * torch.finfo(dtype).eps)


def test_preparing_changes_no_value_and_no_shape() -> None:
    block = randomised(SpatioTemporalResBlock(32, 64, **DECODER))
    before = {name: weight.clone() for name, weight in block.state_dict().items()}
    prepare(block)

    assert all(torch.equal(weight, before[name]) for name, weight in block.state_dict().items())
    conv = block.temporal_res_block.conv1
    assert conv.weight.stride()[:2] == (3 * 64, 1)


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (7, 5)])
def test_upsampling_is_that_of_diffusers(size: tuple[int, int]) -> None:
    upsampler = randomised(Upsample2D(32, use_conv=True, out_channels=48))
    frames = torch.randn(3, 32, *size)
    source = filled(frames)
    upsampled = Upsampled(source, upsampler)

    assert upsampled.shape == MapShape(3, 2 * size[0], 2 * size[1], 48)
    expected = upsampler(frames)
    for start, stop in ((0, 1), (1, 3)):
        result = upsampled.frames(start, stop)
        assert torch.allclose(result, expected[start:stop], rtol=0, atol=1e-5)
        assert result.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(7, 6), (8, 5), (7, 5), (9, 6)])
def test_upsampling_to_another_size_than_twice(size: tuple[int, int]) -> None:
    upsampler = randomised(Upsample2D(32, use_conv=True))
    frames = torch.randn(2, 32, 4, 3)
    upsampled = Upsampled(filled(frames), upsampler, height=size[0], width=size[1])

    assert upsampled.shape == MapShape(2, *size, 32)
    assert torch.allclose(upsampled.frames(0, 2), upsampler(frames, size), rtol=0, atol=1e-5)


def test_upsampling_releases_its_source() -> None:
    source = filled(torch.randn(2, 32, 4, 3))
    upsampled = Upsampled(source, randomised(Upsample2D(32, use_conv=True)))
    upsampled.frames(0, 1)
    upsampled.release_frames(0, 1)

    assert upsampled.frames(1, 2).shape == (1, 32, 8, 6)
    with pytest.raises(LookupError):
        source.frames(0, 1)


def test_a_resblock_reads_upsampled_frames() -> None:
    upsampler = randomised(Upsample2D(32, use_conv=True))
    block = randomised(SpatioTemporalResBlock(32, 32, **DECODER))
    frames = torch.randn(3, 32, 3, 2)
    source = Upsampled(filled(frames), upsampler)
    out = map_opener(Maps.DEVICE, device=CPU)(source.shape, torch.float32)

    run_resblock(block, source, out=out, frames=2, pixels=5)
    expected = block(upsampler(frames), None, torch.zeros(1, 3))
    assert torch.allclose(out.frames(0, 3), expected, rtol=0, atol=2e-5)
