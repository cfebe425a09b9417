"""Feature maps in every place: what is written is read, in slices of either kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from localvid.pipelines.svd.networks.feature_map import (
    DeviceMap,
    FeatureMap,
    FileMap,
    HostMap,
    MapShape,
    map_opener,
)
from localvid.pipelines.svd.plan import WHOLE, Maps

CPU = torch.device("cpu")
SHAPE = MapShape(5, 3, 4, 2)

KINDS: dict[str, Callable[[MapShape, torch.dtype], FeatureMap]] = {
    "device, by frame": lambda shape, dtype: DeviceMap(shape, dtype, device=CPU),
    "device, by two": lambda shape, dtype: DeviceMap(shape, dtype, device=CPU, block=2),
    "device, whole": lambda shape, dtype: DeviceMap(shape, dtype, device=CPU, block=WHOLE),
    "host": lambda shape, dtype: HostMap(shape, dtype, device=CPU),
    "file": lambda shape, dtype: FileMap(shape, dtype, device=CPU),
}


@pytest.fixture(params=sorted(KINDS))
def new_map(request: pytest.FixtureRequest) -> Callable[..., FeatureMap]:
    made: list[FeatureMap] = []

    def make(shape: MapShape = SHAPE, dtype: torch.dtype = torch.float32) -> FeatureMap:
        made.append(KINDS[request.param](shape, dtype))
        return made[-1]

    request.addfinalizer(lambda: [one.close() for one in made])
    return make


def values(shape: MapShape = SHAPE, dtype: torch.dtype = torch.float32) -> Tensor:
    """Frames `(frames, channels, height, width)`, no two values alike."""
    count = shape.frames * shape.pixels * shape.channels
    flat = torch.arange(count, dtype=torch.float32).to(dtype)
    return flat.view(shape.frames, shape.channels, shape.height, shape.width)


def as_pixels(frames: Tensor) -> Tensor:
    return frames.permute(0, 2, 3, 1).flatten(1, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_frames_written_are_frames_and_pixels_read(
    new_map: Callable[..., FeatureMap], step: int, dtype: torch.dtype
) -> None:
    features, expected = new_map(SHAPE, dtype), values(dtype=dtype)
    for start in range(0, 5, step):
        features.put_frames(start, expected[start : start + step])  # channels first: the map turns them

    for first, last in ((0, 1), (4, 5), (1, 4), (0, 5)):
        frames = features.frames(first, last)
        assert torch.equal(frames, expected[first:last])
        assert frames.dtype == dtype
        assert frames.is_contiguous(memory_format=torch.channels_last)
    for first, last in ((0, 1), (11, 12), (2, 9), (0, 12)):
        assert torch.equal(features.pixels(first, last), as_pixels(expected)[:, first:last])


@pytest.mark.parametrize("step", [1, 5, 12])
def test_pixels_written_are_frames_read(new_map: Callable[..., FeatureMap], step: int) -> None:
    features, expected = new_map(), values()
    for start in range(0, 12, step):
        features.put_pixels(start, as_pixels(expected)[:, start : start + step])

    assert torch.equal(features.frames(0, 5), expected)


def test_pixels_change_frames_that_were_written(new_map: Callable[..., FeatureMap]) -> None:
    features, expected = new_map(), values()
    features.put_frames(0, expected.clone())
    features.put_pixels(3, features.pixels(3, 8).clone().neg_())

    changed = as_pixels(expected).clone()
    changed[:, 3:8] *= -1
    assert torch.equal(features.pixels(0, 12), changed)


def test_a_map_of_one_value(new_map: Callable[..., FeatureMap]) -> None:
    shape = MapShape(1, 1, 1, 1)
    features = new_map(shape)
    features.put_frames(0, torch.full((1, 1, 1, 1), 3.0))

    assert features.pixels(0, 1).item() == 3


def test_what_was_released_is_not_read(new_map: Callable[..., FeatureMap]) -> None:
    features = new_map()
    features.put_frames(0, values())
    features.close()

    with pytest.raises((LookupError, ValueError)):
        features.frames(0, 1)


def test_a_map_may_be_closed_twice(new_map: Callable[..., FeatureMap]) -> None:
    features = new_map()
    features.close()
    features.close()


def test_a_block_is_the_tensor_that_was_put() -> None:
    features = DeviceMap(SHAPE, torch.float32, device=CPU, block=2)
    tensor = values()[:2].contiguous(memory_format=torch.channels_last).clone()
    features.put_frames(0, tensor)

    assert features.frames(0, 2).data_ptr() == tensor.data_ptr()


def test_a_part_of_a_tensor_is_copied_so_that_the_rest_can_be_freed() -> None:
    features = DeviceMap(SHAPE, torch.float32, device=CPU, block=1)
    tensor = values().contiguous(memory_format=torch.channels_last)
    features.put_frames(0, tensor)
    tensor.zero_()

    assert torch.equal(features.frames(0, 5), values())


def test_pixels_of_a_single_block_are_a_view() -> None:
    features = DeviceMap(SHAPE, torch.float32, device=CPU, block=WHOLE)
    features.put_frames(0, values())
    features.pixels(2, 3).zero_()

    assert not features.frames(0, 5).flatten(2)[:, :, 2].any()


@pytest.mark.parametrize(
    ("size", "span"), [((3, 2, 4, 8), (0, 8)), ((3, 2, 4, 8), (2, 5)), ((1, 1, 4, 8), (1, 2))]
)
def test_pixels_that_were_changed_where_they_lie_are_not_copied(
    size: tuple[int, int, int, int], span: tuple[int, int]
) -> None:
    features = map_opener(Maps.DEVICE, device=CPU, block=WHOLE)(MapShape(*size), torch.float32)
    before = torch.randn(size).permute(0, 3, 1, 2)
    features.put_frames(0, before.clone())
    with profile(activities=[ProfilerActivity.CPU]) as taken:
        features.put_pixels(span[0], features.pixels(*span).neg_())

    assert not any(event.name == "aten::copy_" for event in taken.events())
    expected = before.permute(0, 2, 3, 1).flatten(1, 2).clone()
    expected[:, slice(*span)] *= -1
    assert torch.equal(features.pixels(0, size[1] * size[2]), expected)


def test_released_frames_are_freed_and_the_others_stay() -> None:
    features = DeviceMap(SHAPE, torch.float32, device=CPU, block=2)
    features.put_frames(0, values())
    features.release_frames(0, 3)

    assert torch.equal(features.frames(2, 5), values()[2:])
    with pytest.raises(LookupError):
        features.frames(1, 2)


def test_the_last_block_may_be_short() -> None:
    features = DeviceMap(SHAPE, torch.float32, device=CPU, block=2)
    features.put_frames(0, values())
    features.release_frames(4, 5)

    with pytest.raises(LookupError):
        features.frames(4, 5)


def test_a_file_leaves_nothing_behind(tmp_path: Path) -> None:
    features = FileMap(SHAPE, torch.float32, device=CPU, directory=tmp_path)
    features.put_frames(0, values())

    assert list(tmp_path.iterdir()) == []
    features.close()


def test_a_file_that_finds_no_room_fails_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        FileMap(MapShape(2**20, 2**12, 2**12, 2**6), torch.float32, device=CPU, directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("maps", "kind"), [(Maps.DEVICE, DeviceMap), (Maps.HOST, DeviceMap), (Maps.DISK, FileMap)]
)
def test_the_place_decides_the_kind(maps: Maps, kind: type[FeatureMap]) -> None:
    features = map_opener(maps, device=CPU)(SHAPE, torch.float32)  # the host's memory is the CPU's own

    assert type(features) is kind
    features.close()


def test_bytes_of_a_map() -> None:
    assert SHAPE.num_bytes(torch.float16) == 5 * 3 * 4 * 2 * 2
