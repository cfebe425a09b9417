"""Weights that come to the device unit by unit: the same numbers, and never more than two units there."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_unet import run_stock, tiny_unet, unet_inputs
from torch import Tensor, nn

from localvid.pipelines.svd.budget.architecture import build_networks, weight_bytes
from localvid.pipelines.svd.budget.rehearsal import _on_host
from localvid.pipelines.svd.budget.tracing import DEVICE, trace
from localvid.pipelines.svd.networks import packed
from localvid.pipelines.svd.networks.layers import Residency
from localvid.pipelines.svd.networks.packed import FP8
from localvid.pipelines.svd.networks.placement import Placement
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.networks.weights import Streamed, Units, unet_units, whole
from localvid.pipelines.svd.plan import Guidance, UNetSlices, Weights

CPU = torch.device("cpu")
SLICES = UNetSlices(frames=2, pixels=40, guidance=Guidance.TOGETHER)

pytestmark = pytest.mark.usefixtures("one_thread", "slices_as_asked")


@pytest.fixture(scope="module")
def original() -> Any:
    return tiny_unet((32, 64, 64), (2, 4, 4))


@pytest.fixture
def unet(original: Any) -> Any:
    return copy.deepcopy(original)


class Fetched:
    """Every buffer that was copied to the device, and how many bytes of them were alive at once."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.live = self.peak = 0

    def add(self, buffer: Tensor) -> None:
        size = buffer.numel() * buffer.itemsize
        self.order.append(size)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(buffer.untyped_storage(), self._free, size)

    def _free(self, size: int) -> None:
        self.live -= size


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """Counts by the storages' own lives: a tensor that anything still refers to is counted."""
    counted = Fetched()
    start = packed._Fetched.__init__

    def recorded(self: Any, *args: Any) -> None:
        start(self, *args)
        for buffer in self._buffers.values():
            counted.add(buffer)

    monkeypatch.setattr(packed._Fetched, "__init__", recorded)
    return counted


def run(
    unet: Any, weights: Residency | None = None, *, steps: int = 1, slices: UNetSlices = SLICES
) -> Tensor:
    inputs = unet_inputs(batch=2, height=12)
    sliced = SlicedUNet(unet, slices, weights=weights)
    conditions = sliced.condition(inputs.embeddings, inputs.time_ids, num_frames=3)
    for _ in range(steps):
        result = sliced(inputs.sample, inputs.timestep, conditions)
    return result


def unit_bytes(units: Units) -> list[int]:
    return [
        sum(weight.numel() * 4 for module in unit for weight in module.parameters()) for unit in units.steps
    ]


def test_every_weight_of_a_step_is_in_one_unit_or_stays(unet: Any) -> None:
    units = unet_units(unet)

    modules = [id(module) for unit in (*units.steps, *units.once) for module in unit]
    assert len(modules) == len(set(modules))
    inside = sum(unit_bytes(units)) / sum(weight.numel() * 4 for weight in unet.parameters())
    assert inside > 0.9


@pytest.mark.parametrize("guidance", Guidance)
def test_streamed_numbers_are_the_same(unet: Any, original: Any, guidance: Guidance) -> None:
    slices = SLICES.model_copy(update={"guidance": guidance})
    expected = run(copy.deepcopy(original), slices=slices)

    result = run(unet, Streamed(unet, unet_units(unet), device=CPU), steps=2, slices=slices)
    assert torch.equal(result, expected)


def test_at_most_two_units_are_there_at_any_time(unet: Any, fetched: Fetched) -> None:
    units = unet_units(unet)
    weights = Streamed(unet, units, device=CPU)
    largest = sum(sorted(unit_bytes(units))[-2:])

    run(unet, weights, steps=2)

    alignment = 64 * 256  # bytes: fewer than 64 weights a unit
    assert 0 < fetched.peak <= largest + alignment
    assert fetched.peak < weights.stored_bytes / 3
    weights.rest()
    gc.collect()
    assert fetched.live == 0


def test_each_unit_is_fetched_once_a_pass(unet: Any, fetched: Fetched) -> None:
    units = unet_units(unet)
    weights = Streamed(unet, units, device=CPU)

    run(unet, weights)
    first = len(fetched.order)
    inputs = unet_inputs(batch=2, height=12)
    sliced = SlicedUNet(unet, SLICES, weights=weights)
    conditions = sliced.condition(inputs.embeddings, inputs.time_ids, num_frames=3)
    before = len(fetched.order)
    sliced(inputs.sample, inputs.timestep, conditions)
    sliced(inputs.sample, inputs.timestep, conditions)

    assert first == len(units.once) + len(units.steps) + 1  # the first unit of the next pass is on its way
    assert len(fetched.order) - before <= 2 * len(units.steps) + 1


def test_the_next_unit_is_on_its_way_while_one_works(unet: Any, fetched: Fetched) -> None:
    units = unet_units(unet)
    weights = Streamed(unet, units, device=CPU)

    with weights.on(units.steps[0][0]):
        assert len(fetched.order) == 2
    with weights.on(units.steps[1][0]):
        assert len(fetched.order) == 3


def test_another_order_is_right_too(unet: Any, fetched: Fetched) -> None:
    units = unet_units(unet)
    weights = Streamed(unet, units, device=CPU)
    expected = [unit[0].state_dict() for unit in unet_units(copy.deepcopy(unet)).steps]

    for index in (3, 0, 0, 7):
        with weights.on(units.steps[index][0]):
            for name, weight in units.steps[index][0].state_dict().items():
                assert torch.equal(weight, expected[index][name])
    assert fetched.live <= 2 * max(unit_bytes(units)) + 2**15


def test_what_fails_inside_leaves_nothing_behind(unet: Any, fetched: Fetched) -> None:
    units = unet_units(unet)
    weights = Streamed(unet, units, device=CPU)
    expected = run(copy.deepcopy(unet))

    with pytest.raises(KeyboardInterrupt), weights.on(units.steps[2][0]):
        raise KeyboardInterrupt
    weights.rest()
    gc.collect()

    assert fetched.live == 0
    assert torch.equal(run(unet, weights), expected)


def test_memory_that_runs_out_on_the_way_leaves_nothing_behind(
    unet: Any, fetched: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = unet_units(unet)
    weights = Streamed(unet, units, device=CPU)
    expected = run(copy.deepcopy(unet))
    start = packed._Fetched.__init__
    tries = 0

    def failing(self: Any, *args: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 5:
            raise torch.OutOfMemoryError("no memory left")
        start(self, *args)

    with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
        patch.setattr(packed._Fetched, "__init__", failing)
        for unit in units.steps:
            with weights.on(unit[0]):
                pass
    weights.rest()
    gc.collect()

    assert tries == 5
    assert fetched.live == 0
    assert torch.equal(run(unet, weights), expected)


def test_without_steps_only_what_a_clip_needs_once_is_away(unet: Any, fetched: Fetched) -> None:
    units = unet_units(unet)
    weights = Streamed(unet, Units(steps=[], once=units.once), device=CPU)
    expected = run(copy.deepcopy(unet))

    assert torch.equal(run(unet, weights, steps=3), expected)
    assert len(fetched.order) == len(units.once)
    assert fetched.live == 0


def test_a_whole_network_is_a_unit(fetched: Fetched) -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)).eval()
    values = torch.randn(4, 8)
    expected = network(values)
    weights = Streamed(network, whole(network), device=CPU)

    with weights.on(network):
        assert torch.equal(network(values), expected)
        assert fetched.live > 0
    assert fetched.live == 0
    assert torch.equal(network(values), expected)  # with the stored weights, where they are


def test_streaming_keeps_the_layout_of_convolutions(unet: Any) -> None:
    weights = Streamed(unet, unet_units(unet), device=CPU)
    conv = unet.down_blocks[0].resnets[0].spatial_res_block.conv1

    with weights.on(unet.down_blocks[0].resnets[0]):
        assert conv.weight.is_contiguous(memory_format=torch.channels_last)
        assert not conv.weight.requires_grad


@pytest.mark.parametrize("fp8", [False, True])
def test_nothing_keeps_the_weights_that_came_in(unet: Any, fp8: bool) -> None:
    """On a GPU they would stay there beside the host's copies, all of them."""
    before = [weakref.ref(weight.untyped_storage()) for weight in unet.parameters()]
    streamed = Streamed(unet, whole(unet), device=CPU, fp8=fp8)
    assert streamed.stored_bytes
    assert not any(reference() for reference in before)


@pytest.mark.parametrize("on_device", [False, True])
def test_eight_bits_are_closer_than_a_bare_cast(unet: Any, on_device: bool) -> None:
    """A bare cast, without scales, is what diffusers' `enable_layerwise_casting` does."""
    inputs = unet_inputs(batch=2)
    expected = run_stock(unet, inputs)
    bare = copy.deepcopy(unet)
    for module in (module for unit in unet_units(bare).steps for module in unit):
        for weight in module.parameters():
            if weight.dim() > 1:
                weight.data = weight.data.to(FP8).float()
    weights = Streamed(unet, unet_units(unet), device=CPU, on_device=on_device, fp8=True)
    sliced = SlicedUNet(unet, SLICES, weights=weights)
    conditions = sliced.condition(inputs.embeddings, inputs.time_ids, num_frames=3)

    def error(result: Tensor) -> float:
        return ((result - expected).square().mean().sqrt() / expected.std()).item()

    result = error(sliced(inputs.sample, inputs.timestep, conditions))
    assert 0.001 < result < 0.15
    assert result < error(run_stock(bare, inputs))


def test_eight_bits_halve_the_weights(unet: Any) -> None:
    half = copy.deepcopy(unet).half()
    exact = Streamed(half, unet_units(half), device=CPU).stored_bytes
    eight = copy.deepcopy(unet).half()

    assert Streamed(eight, unet_units(eight), device=CPU, fp8=True).stored_bytes < 0.56 * exact


def test_eight_bits_are_within_a_sixteenth_of_each_value() -> None:
    """Also of values that are far below eight bits' own range, by the scale of their row."""
    layer = nn.Linear(64, 32)
    layer.weight.data *= torch.logspace(-6, 3, 32)[:, None]
    before = layer.weight.detach().clone()
    weights = Streamed(layer, whole(layer), device=CPU, fp8=True)

    assert layer.weight.dtype == FP8
    with weights.on(layer):
        assert layer.weight.dtype == torch.float32
        large = before.abs() > before.abs().amax(1, keepdim=True) / 2**10  # smaller ones lose digits
        error = ((layer.weight - before) / before).abs()[large]
    assert 0 < error.max() <= 1 / 16


def test_eight_bits_move_as_they_are() -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(40, 30))
    weights = Streamed(layer, whole(layer), device=CPU, on_device=True, fp8=True)

    def read() -> Tensor:
        with weights.on(layer):
            return layer[0].weight.clone()  # type: ignore[operator,no-any-return]

    first = read()
    for on_device in (False, False, True):
        weights.move(on_device=on_device)
        assert torch.equal(read(), first)


def test_eight_bits_leave_the_device_with_the_plan(tiny_svd: Path) -> None:
    networks = build_networks(tiny_svd, dtype=torch.float16)
    held = {}
    for weights in (Weights.RESIDENT, Weights.MODEL):

        def settled(weights: Weights = weights) -> Callable[[], object]:
            placement = Placement({"unet": _on_host(networks.unet)}, DEVICE, fp8=True)
            placement.settle(Weights.RESIDENT)
            placement.settle(weights)
            return lambda: placement

        held[weights] = trace(settled).peak_bytes
    stored = weight_bytes(networks.unet) / 2
    assert held[Weights.RESIDENT] > stored
    assert held[Weights.MODEL] < held[Weights.RESIDENT] - 0.9 * stored
