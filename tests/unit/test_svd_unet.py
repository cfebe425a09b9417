"""The sliced UNet against diffusers' own `forward`."""

from __future__ import annotations

import copy
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_unet import Inputs, run_stock, tiny_unet, unet_inputs
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from localvid.errors import NotAvailableError
from localvid.pipelines.svd.networks import unet as svd_unet
from localvid.pipelines.svd.networks.transformers import load_attention
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.plan import WHOLE, Attention, Guidance, UNetSlices

TIGHT = UNetSlices(frames=1, pixels=8, guidance=Guidance.PASSES)

pytestmark = pytest.mark.usefixtures("one_thread", "slices_as_asked")


@pytest.fixture(scope="module")
def unet() -> Any:
    return tiny_unet()


def run_sliced(unet: Any, inputs: Inputs, slices: UNetSlices, **options: Any) -> Tensor:
    sliced = SlicedUNet(unet, slices, **options)
    conditions = sliced.condition(inputs.embeddings, inputs.time_ids, num_frames=inputs.sample.shape[1])
    return sliced(inputs.sample, inputs.timestep, conditions)


def furthest(first: Tensor, second: Tensor) -> float:
    return (first.double() - second.double()).abs().max().item()


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("frames", "pixels", "guidance"), list(itertools.product((1, 2, WHOLE), (1, 7, WHOLE), Guidance))
)
def test_every_slice_setting_is_exact(unet: Any, frames: int, pixels: int, guidance: Guidance) -> None:
    inputs = unet_inputs(batch=2, frames=3)

    result = run_sliced(unet, inputs, UNetSlices(frames=frames, pixels=pixels, guidance=guidance))
    assert furthest(result, run_stock(unet, inputs)) <= 1e-5


@pytest.mark.parametrize(("height", "width"), [(9, 13), (7, 5), (16, 8)])
@pytest.mark.parametrize("batch", [1, 2])
def test_sizes_that_levels_do_not_divide_are_exact(unet: Any, height: int, width: int, batch: int) -> None:
    inputs = unet_inputs(batch=batch, frames=2, height=height, width=width)

    for slices in (UNetSlices(), TIGHT, UNetSlices(frames=2, pixels=11)):
        assert furthest(run_sliced(unet, inputs, slices), run_stock(unet, inputs)) <= 1e-5


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 8])
def test_every_number_of_frames_is_exact(unet: Any, frames: int) -> None:
    inputs = unet_inputs(frames=frames)

    for slices in (UNetSlices(), UNetSlices(frames=2, pixels=9), TIGHT):
        assert furthest(run_sliced(unet, inputs, slices), run_stock(unet, inputs)) <= 1e-5


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("slices", [UNetSlices(), TIGHT])
def test_deeper_networks_are_exact(slices: UNetSlices) -> None:
    unet = tiny_unet((32, 64, 64), (2, 4, 4), layers=2, depth=2)
    inputs = unet_inputs(batch=2, frames=3, height=12, width=20)

    assert furthest(run_sliced(unet, inputs, slices), run_stock(unet, inputs)) <= 1e-5


def test_a_network_of_middle_size_is_exact() -> None:
    unet = tiny_unet((64, 128, 256, 256), (1, 2, 4, 4), layers=2)
    inputs = unet_inputs(frames=5, height=16, width=24)

    result = run_sliced(unet, inputs, UNetSlices(frames=1, pixels=64))
    assert furthest(result, run_stock(unet, inputs)) <= 1e-5


def test_steps_of_a_clip_share_their_conditions(unet: Any) -> None:
    sliced = SlicedUNet(unet, TIGHT)
    inputs = unet_inputs(batch=2)
    conditions = sliced.condition(inputs.embeddings, inputs.time_ids, num_frames=3)

    for timestep in (1.6, 0.2, -1.5):
        step = inputs._replace(
            timestep=torch.tensor([timestep]), sample=inputs.sample + timestep
        )  # as schedulers give it, too: of one dimension
        result = sliced(step.sample, step.timestep, conditions)
        assert furthest(result, run_stock(unet, step)) <= 1e-5


def test_what_comes_in_is_left_as_it_is(unet: Any) -> None:
    inputs = unet_inputs(batch=2)
    before = [tensor.clone() for tensor in inputs]
    weights = {name: weight.clone() for name, weight in unet.state_dict().items()}

    run_sliced(unet, inputs, UNetSlices())
    run_sliced(unet, inputs, TIGHT)

    assert all(torch.equal(tensor, copied) for tensor, copied in zip(inputs, before, strict=True))
    assert all(torch.equal(weight, weights[name]) for name, weight in unet.state_dict().items())


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("slices", [UNetSlices(), UNetSlices(frames=1, pixels=16)])
def test_half_precision_is_no_further_from_single_than_stock(
    unet: Any, dtype: torch.dtype, slices: UNetSlices
) -> None:
    half = copy.deepcopy(unet).to(dtype)
    inputs = unet_inputs(batch=2, frames=4).to(dtype)
    exact = run_stock(copy.deepcopy(half).float(), inputs.to(torch.float32))

    def error(result: Tensor) -> float:
        return (result.float() - exact).square().mean().sqrt().item()

    result = run_sliced(half, inputs, slices)
    assert result.dtype == dtype
    assert error(result) <= error(run_stock(half, inputs))


def test_operations_are_fewer_than_those_of_stock() -> None:
    """Attention to the image is computed once per clip, and not in the steps."""
    unet = tiny_unet((64, 128), (1, 2))
    inputs = unet_inputs(frames=4, height=16, width=16)
    sliced = SlicedUNet(unet, UNetSlices(frames=1, pixels=64))
    conditions = sliced.condition(inputs.embeddings, inputs.time_ids, num_frames=4)

    def flops(run: Callable[[], Tensor]) -> int:
        with FlopCounterMode(display=False) as counter:
            run()
        return counter.get_total_flops()

    stock = flops(lambda: run_stock(unet, inputs))
    assert flops(lambda: sliced(inputs.sample, inputs.timestep, conditions)) <= 0.965 * stock


class _Largest(TorchDispatchMode):
    """The most elements that any new tensor has, and how many operations there were."""

    elements = 0
    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        if isinstance(result, Tensor):
            self.elements = max(self.elements, result.numel())
        return result


def test_slices_bound_what_is_computed_at_once(unet: Any) -> None:
    inputs = unet_inputs(frames=8, height=16, width=16)

    def largest(slices: UNetSlices) -> int:
        with _Largest() as mode:
            run_sliced(unet, inputs, slices)
        return mode.elements

    one_map = 8 * 16 * 16 * 32
    assert largest(UNetSlices(frames=1, pixels=16)) <= 1.5 * one_map  # a map of the last level has two inputs
    assert largest(UNetSlices()) >= 4 * one_map  # the hidden layer of a feed-forward layer


def test_slices_below_the_smallest_are_not_made(unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = unet_inputs(frames=8, height=16, width=16)

    def operations(slices: UNetSlices) -> int:
        with _Largest() as mode:
            run_sliced(unet, inputs, slices)
        return mode.operations

    tight = operations(TIGHT)
    monkeypatch.setattr(svd_unet, "SMALLEST", 8 * 16 * 16 * 32)
    assert operations(TIGHT) == operations(UNetSlices()) < tight / 4


def test_two_passes_are_made_where_they_save_memory(unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = unet_inputs(batch=2, frames=8, height=16, width=16)
    passes = UNetSlices(guidance=Guidance.PASSES)
    one_clip = 8 * 16 * 16 * 32

    def largest() -> int:
        with _Largest() as mode:
            run_sliced(unet, inputs, passes)
        return mode.elements

    monkeypatch.setattr(svd_unet, "SMALLEST", one_clip)
    apart = largest()
    monkeypatch.setattr(svd_unet, "SMALLEST", one_clip + 1)
    assert largest() == 2 * apart


def test_nothing_in_a_step_waits_for_the_device(unet: Any) -> None:
    """On a GPU, a number read from a tensor stops the queue: on meta tensors, it raises."""
    meta = copy.deepcopy(unet).to("meta")
    inputs = Inputs(*(tensor.to("meta") for tensor in unet_inputs(batch=2)))

    for slices in (UNetSlices(), TIGHT):
        assert run_sliced(meta, inputs, slices).shape == (2, 3, 4, 8, 8)


def test_pixels_together_stay_below_the_limit_of_cuda(unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from localvid.pipelines.svd.networks import transformers

    monkeypatch.setattr(transformers, "LARGEST_BATCH", 20)
    inputs = unet_inputs(batch=2)
    expected = run_stock(unet, inputs)
    largest = 0
    whole = torch.nn.functional.scaled_dot_product_attention

    def counted(query: Tensor, *others: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, len(query))
        return whole(query, *others)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    result = run_sliced(unet, inputs, UNetSlices())

    assert furthest(result, expected) <= 1e-5
    assert largest == 20


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")  # torch's own import
def test_compiled_is_the_same_and_compiled_indeed(unet: Any) -> None:
    torch._dynamo.reset()
    inputs = unet_inputs()
    before = dict(torch._dynamo.utils.counters["stats"])

    result = run_sliced(unet, inputs, UNetSlices(), compiled=True)

    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"] - before.get("unique_graphs", 0)
    assert graphs == 4  # a spatial and a temporal block, at two sizes: not once for each of four transformers
    assert not torch._dynamo.utils.counters["graph_break"]
    assert furthest(result, run_stock(unet, inputs)) <= 1e-5


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")  # torch's own import
@pytest.mark.filterwarnings("ignore:dynamo_pgo force disabled")
def test_compiling_that_fails_is_refused(unet: Any, tmp_path: Path) -> None:
    torch._dynamo.reset()
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)

    with (
        torch._inductor.config.patch({"cpp.cxx": (str(compiler),), "force_disable_caches": True}),
        pytest.raises(NotAvailableError, match=r"torch\.compile fails here: .*compiler") as raised,
    ):
        run_sliced(unet, unet_inputs(), UNetSlices(), compiled=True)
    assert "unset compile_models" in (raised.value.hint or "")


def test_missing_xformers_is_refused(unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xformers", None)
    monkeypatch.setitem(sys.modules, "xformers.ops", None)

    with pytest.raises(NotAvailableError, match="xformers") as raised:
        SlicedUNet(unet, attention=Attention.XFORMERS)
    assert "pip install" in (raised.value.hint or "")


def test_xformers_without_a_kernel_is_refused(unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built for another torch it can be imported, and raises when it is called."""

    class Operations:
        @staticmethod
        def memory_efficient_attention(*_operands: Tensor) -> Tensor:
            raise NotImplementedError("No operator found for `memory_efficient_attention_forward`")

    monkeypatch.setitem(sys.modules, "xformers", Operations)
    monkeypatch.setitem(sys.modules, "xformers.ops", Operations)

    with pytest.raises(NotAvailableError, match="no kernel that runs here"):
        SlicedUNet(unet, attention=Attention.XFORMERS)


def test_xformers_is_used_where_it_is_asked_for(unet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's function, here one that computes what its documentation says, replaces torch's."""
    calls = 0

    class Operations:
        @staticmethod
        def memory_efficient_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            weights = torch.einsum("bmhk,bnhk->bhmn", query, key) / query.shape[-1] ** 0.5
            return torch.einsum("bhmn,bnhk->bmhk", weights.softmax(-1), value)

    monkeypatch.setitem(sys.modules, "xformers", Operations)
    monkeypatch.setitem(sys.modules, "xformers.ops", Operations)
    inputs = unet_inputs()

    assert load_attention(Attention.XFORMERS, torch.device("cpu")) is Operations.memory_efficient_attention
    result = run_sliced(unet, inputs, UNetSlices(frames=1), attention=Attention.XFORMERS)
    assert calls > 0
    assert furthest(result, run_stock(unet, inputs)) <= 1e-5
