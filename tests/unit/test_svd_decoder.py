"""The decoder and the encoder over slices against diffusers' own over everything at once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder
from torch import Tensor, nn

from localvid.pipelines.svd.networks import decoder as svd_decoder
from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.encoder import encode_image
from localvid.pipelines.svd.networks.feature_map import FeatureMap, HostMap, MapShape, map_opener
from localvid.pipelines.svd.plan import DecoderSlices, Maps

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread", "inference", "slices_as_asked")


@pytest.fixture(scope="module")
def made() -> Any:
    return make_vae()


def make_vae(*channels: int, layers: int = 2) -> Any:
    """Of two layers, so that the middle block attends as the published one does; its share of time is not
    the half that it is drawn as."""
    torch.manual_seed(0)
    channels = channels or (32, 32, 64)
    vae: Any = AutoencoderKLTemporalDecoder(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        layers_per_block=layers,
    ).eval()
    for module in vae.modules():
        if hasattr(module, "mix_factor"):
            module.mix_factor.data.fill_(0.4)
    return vae


@pytest.fixture
def vae(made: Any) -> Any:
    return copy.deepcopy(made)


def frames_of(vae: Any, latents: Tensor, slicing: DecoderSlices | None = None, **settings: Any) -> Tensor:
    return torch.stack(list(decode(vae, latents, slicing, **settings)))


def rms(values: Tensor) -> float:
    return values.double().square().mean().sqrt().item()


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("maps", list(Maps))
@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_all_frames_together_are_those_of_diffusers(vae: Any, maps: Maps, frames: int) -> None:
    latents = torch.randn(frames, 4, 5, 3)
    expected = vae.decode(latents, num_frames=frames).sample

    for slicing in (
        DecoderSlices(maps=maps),
        DecoderSlices(maps=maps, frames=1, pixels=7),
        DecoderSlices(maps=maps, frames=4, pixels=100),
    ):
        result = frames_of(vae, latents, slicing)
        assert result.shape == expected.shape
        assert (result - expected).abs().max() <= 1e-5


def test_slices_below_the_smallest_are_not_made(vae: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    latents = torch.randn(4, 4, 4, 4)

    def slices_of(slicing: DecoderSlices) -> int:
        done: list[None] = []
        frames_of(vae, latents, slicing, on_slice=lambda: done.append(None))
        return len(done)

    whole, tight = slices_of(DecoderSlices()), slices_of(DecoderSlices(frames=1, pixels=4))
    monkeypatch.setattr(svd_decoder, "SMALLEST", 2**30)
    assert slices_of(DecoderSlices(frames=1, pixels=4)) == whole < tight


def test_the_architecture_of_one_layer_has_no_attention() -> None:
    shallow = make_vae(layers=1)
    latents = torch.randn(3, 4, 4, 4)

    assert torch.allclose(
        frames_of(shallow, latents), shallow.decode(latents, num_frames=3).sample, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 9])
def test_chunks_are_those_of_diffusers(vae: Any, chunk: int) -> None:
    latents = torch.randn(5, 4, 4, 4)
    expected = torch.cat([vae.decode(part, num_frames=len(part)).sample for part in latents.split(chunk)])

    slicing = DecoderSlices(frames=2, pixels=9, chunk_frames=chunk)
    assert torch.allclose(frames_of(vae, latents, slicing), expected, rtol=0, atol=1e-5)


def test_chunks_are_not_what_all_frames_together_are(vae: Any) -> None:
    latents = torch.randn(4, 4, 4, 4)

    chunked = frames_of(vae, latents, DecoderSlices(chunk_frames=2))
    assert (chunked - frames_of(vae, latents)).abs().max() > 1e-3


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_half_precision_it_is_no_further_from_the_truth(dtype: torch.dtype) -> None:
    vae = make_vae(32, 64, 64).to(dtype)
    latents = torch.randn(5, 4, 6, 5, dtype=dtype)
    truth = copy.deepcopy(vae).double().decode(latents.double(), num_frames=5).sample
    stock = vae.decode(latents, num_frames=5).sample

    result = frames_of(vae, latents, DecoderSlices(frames=1, pixels=50))
    assert result.dtype == dtype
    assert rms(result - truth) <= rms(stock - truth)


def test_maps_that_are_copied_to_the_device_and_back(vae: Any) -> None:
    latents = torch.randn(3, 4, 4, 3)

    def new_map(shape: MapShape, dtype: torch.dtype) -> FeatureMap:
        return HostMap(shape, dtype, device=CPU)

    result = frames_of(vae, latents, DecoderSlices(frames=2, pixels=20), new_map=new_map)
    expected = vae.decode(latents, num_frames=3).sample
    assert torch.allclose(result, expected, rtol=0, atol=1e-5)


def test_frames_leave_one_by_one(vae: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    narrowed: list[int] = []
    whole = vae.decoder.conv_out.forward

    def counted(values: Tensor) -> Tensor:
        narrowed.append(len(values))
        result: Tensor = whole(values)
        return result

    monkeypatch.setattr(vae.decoder.conv_out, "forward", counted)
    seen = [sum(narrowed) for _ in decode(vae, torch.randn(4, 4, 3, 3))]
    assert seen == [2, 3, 4, 4]  # each as soon as the next one, which is mixed into it, is known


class Maps2:
    """Opens maps and watches how many of them are."""

    def __init__(self, maps: Maps, directory: Path | None = None) -> None:
        self._open = map_opener(maps, device=CPU, directory=directory)
        self.now: list[FeatureMap] = []
        self.most_bytes = 0

    def __call__(self, shape: MapShape, dtype: torch.dtype) -> FeatureMap:
        features = self._open(shape, dtype)
        self.now.append(features)
        close = features.close

        def closed() -> None:
            close()
            if features in self.now:
                self.now.remove(features)

        features.close = closed  # type: ignore[method-assign]
        self.most_bytes = max(self.most_bytes, sum(one.shape.num_bytes(one.dtype) for one in self.now))
        return features


def test_at_most_the_two_last_maps_are_kept(vae: Any) -> None:
    maps = Maps2(Maps.DEVICE)
    frames_of(vae, torch.randn(3, 4, 4, 4), new_map=maps)

    # 32 channels at full size and at half of it: none of 64 channels, none before upsampling's convolution.
    assert maps.most_bytes == 3 * 32 * 4 * (16 * 16 + 8 * 8)
    assert maps.now == []


@pytest.mark.parametrize("after", [0, 1, 10, 40])
@pytest.mark.parametrize("maps", list(Maps))
def test_a_decoding_that_is_broken_off_keeps_nothing(
    vae: Any, after: int, maps: Maps, tmp_path: Path
) -> None:
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt

    opened = Maps2(maps, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        frames_of(vae, torch.randn(3, 4, 4, 4), DecoderSlices(frames=1), new_map=opened, on_slice=stop)
    assert len(calls) == after + 1
    assert opened.now == []
    assert list(tmp_path.iterdir()) == []


def test_a_decoding_that_is_left_after_a_frame_keeps_nothing(vae: Any) -> None:
    opened, weights = Maps2(Maps.DISK), Weights()
    with closing(decode(vae, torch.randn(3, 4, 4, 4), new_map=opened, weights=weights)) as frames:
        next(frames)
        assert opened.now
        assert weights.open
    assert opened.now == []
    assert weights.open == []


class Weights:
    """Notes whose weights are asked for."""

    def __init__(self) -> None:
        self.open: list[nn.Module] = []
        self.seen: set[nn.Module] = set()

    @contextmanager
    def on(self, module: nn.Module) -> Iterator[None]:
        self.open.append(module)
        self.seen.add(module)
        try:
            yield
        finally:
            self.open.remove(module)


def test_weights_are_asked_for_while_they_are_used(vae: Any) -> None:
    weights = Weights()
    frames_of(vae, torch.randn(2, 4, 3, 3), weights=weights)

    resnets = [*vae.decoder.mid_block.resnets]
    resnets += [resnet for block in vae.decoder.up_blocks for resnet in block.resnets]
    assert weights.seen == {vae, vae.decoder, *resnets}
    assert weights.open == []


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(("height", "width"), [(16, 16), (36, 20), (12, 44)])
def test_an_image_is_encoded_as_by_diffusers(vae: Any, height: int, width: int) -> None:
    image = torch.rand(1, 3, height, width) * 2 - 1
    expected = vae.encode(image).latent_dist.mode()

    result = encode_image(vae, image)
    assert result.shape == (1, 4, height // 4, width // 4)
    assert torch.allclose(result, expected, rtol=0, atol=1e-5)


def test_half_precision_is_encoded_in_single_as_the_pipeline_does(vae: Any) -> None:
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    half = vae.half()
    weights = {name: weight.clone() for name, weight in half.state_dict().items()}
    expected = copy.deepcopy(half).float().encode(image.half().float()).latent_dist.mode()

    result = encode_image(half, image.half())
    assert result.dtype == torch.float32
    assert torch.allclose(result, expected, rtol=0, atol=1e-5)
    assert all(weight.dtype == torch.float16 for weight in half.state_dict().values())
    assert all(torch.equal(weight, weights[name]) for name, weight in half.state_dict().items())


def test_without_force_upcast_it_is_encoded_in_half(vae: Any) -> None:
    vae.register_to_config(force_upcast=False)

    assert encode_image(vae.half(), torch.zeros(1, 3, 8, 8)).dtype == torch.float16


def test_an_encoding_that_fails_leaves_the_weights_as_they_were(vae: Any) -> None:
    half = vae.half()
    with pytest.raises(RuntimeError):
        encode_image(half, torch.zeros(1, 5, 8, 8))  # five channels

    assert all(weight.dtype == torch.float16 for weight in half.state_dict().values())


def test_encoding_asks_for_weights(vae: Any) -> None:
    weights = Weights()
    encode_image(vae, torch.zeros(1, 3, 8, 8), weights=weights)

    assert weights.seen == {vae, vae.encoder, vae.quant_conv}
    assert weights.open == []
