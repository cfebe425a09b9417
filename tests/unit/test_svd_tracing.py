"""The tracer against torch's allocator, which tells what the same code takes on real tensors; and itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from localvid.pipelines.svd.budget import rehearsal, tracing
from localvid.pipelines.svd.budget.architecture import build_networks, weight_bytes
from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.budget.rehearsal import Rehearsal
from localvid.pipelines.svd.budget.scratch import cpu_scratch
from localvid.pipelines.svd.budget.tracing import DEVICE, Trace, trace
from localvid.pipelines.svd.networks import decoder, layers, unet
from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.slicing import slices
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.plan import DecoderSlices, Guidance, Maps, UNetSlices, Weights

KIB = 1024
FRAMES = 6
SLICES = {
    "whole": UNetSlices(),
    "passes": UNetSlices(guidance=Guidance.PASSES),
    "sliced": UNetSlices(frames=1, pixels=96, guidance=Guidance.PASSES),
}
DECODER_SLICES = {"whole": DecoderSlices(), "sliced": DecoderSlices(frames=1, pixels=512)}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def _slices_as_asked() -> Iterator[None]:
    """The maps of small networks are smaller than the smallest slice that is worth its time."""
    with pytest.MonkeyPatch.context() as patch:
        for network in (unet, decoder):
            patch.setattr(network, "SMALLEST", 1)
        yield


def empty(*size: int) -> Tensor:
    return torch.empty(size, device=DEVICE)


def counted(run: Callable[[], object]) -> Trace:
    return trace(lambda: run)


# --- what is counted -----------------------------------------------------------------------------


def test_the_peak_is_what_lives_at_once() -> None:
    def run() -> None:
        first = empty(256, KIB)
        second = first + 1
        del first
        third = second + 1
        del second, third

    assert counted(run).peak_bytes == 2 * KIB * KIB


def test_views_and_changes_in_place_take_nothing() -> None:
    def run() -> None:
        values = empty(256, KIB)
        values.t().reshape(KIB, 16, 16).add_(1).mul_(2)
        values[:8].copy_(values[8:16])

    assert counted(run).peak_bytes == KIB * KIB


@pytest.mark.parametrize(
    ("operate", "moved", "kernels"),
    [
        (lambda one, other: one + other, 3, 1),
        (lambda one, other: one.add_(other), 3, 1),
        (lambda one, other: torch.add(one, other, out=other), 3, 1),
        (lambda one, _other: one.relu_(), 2, 1),
        (lambda one, other: one.copy_(other), 2, 1),
        (lambda one, _other: one.zero_(), 1, 1),
        (lambda one, _other: torch.ops.aten._unsafe_view(one, (KIB, 256)), 0, 0),
        (lambda one, _other: one.cpu(), 1, 1),
    ],
)
def test_operands_are_read_once_and_results_written_once(
    operate: Callable[[Tensor, Tensor], object], moved: int, kernels: int
) -> None:
    def open_run() -> Callable[[], object]:
        one, other = empty(256, KIB), empty(256, KIB)
        return lambda: operate(one, other)

    taken = trace(open_run)
    assert (taken.bytes_moved, taken.kernels.total()) == (moved * KIB * KIB, kernels)


def test_what_a_loop_keeps_is_counted_for_every_round() -> None:
    def run() -> None:
        kept = []
        for start, stop in slices(100, 1):
            kept.append(empty(stop - start, 256 * KIB))

    assert counted(run).peak_bytes == 100 * KIB * KIB


def test_a_loop_that_keeps_nothing_is_counted_without_being_walked() -> None:
    rounds = 0

    def run() -> None:
        nonlocal rounds
        target, weight = empty(10_000, 64), empty(64, 64)
        for start, stop in slices(10_000, 3):
            rounds += 1
            target[start:stop].add_(target[start:stop] @ weight)

    taken = counted(run)

    assert rounds < 10
    assert taken.flops == 10_000 * 64 * 64 * 2
    assert sum(taken.kernels.values()) == 2 * 3334


def test_slices_that_are_put_into_a_list_are_all_there() -> None:
    def run() -> None:
        assert len(list(slices(100, 1))) == 100

    counted(run)


def test_host_memory_is_counted_apart_and_never_touched() -> None:
    def run() -> None:
        host = torch.empty(2**40 // 2**10, dtype=torch.uint8)  # a GiB
        device = host.to(DEVICE)
        del device
        host[: 2**20].copy_(torch.empty(2**20, dtype=torch.uint8, device=DEVICE))

    taken = counted(run)

    assert (taken.peak_bytes, taken.host_peak_bytes) == (2**30, 2**30)
    assert taken.copied_bytes == 2**30 + 2**20


def test_a_look_into_a_tensor_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="meta"):
        counted(lambda: empty(1).sum().item())


def test_operations_are_counted_as_torch_does() -> None:
    convolution = nn.Conv2d(16, 32, 3, padding=1, device=DEVICE)

    def run() -> None:
        convolution(empty(2, 16, 8, 8))
        functional.linear(empty(4, 8), empty(16, 8))
        empty(16, 4).addmm_(empty(16, 8), empty(8, 4))
        functional.scaled_dot_product_attention(*(empty(1, 2, 8, 4) for _ in range(3)))

    assert counted(run).flops == (
        2 * (2 * 8 * 8) * 32 * 16 * 9 + 2 * 4 * 8 * 16 + 2 * 16 * 8 * 4 + 2 * 2 * (2 * 8 * 8 * 4)
    )


def test_what_exists_before_the_run_counts_as_live_and_not_as_work() -> None:
    def open_run() -> Callable[[], object]:
        kept = empty(KIB, KIB) @ empty(KIB, KIB)
        return lambda: kept + 1

    taken = trace(open_run)

    assert taken.peak_bytes == 2 * 4 * KIB * KIB
    assert taken.flops == 0


# --- against the allocator -----------------------------------------------------------------------


def allocated_peak(run: Callable[[], object]) -> int:
    """Most bytes that torch's CPU allocator had given out since the run began: every allocation and every
    freeing is an event of the profiler."""
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    live = peak = 0
    assert profiler.profiler is not None
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


def make_unet(device: str) -> Any:
    from diffusers import UNetSpatioTemporalConditionModel

    torch.manual_seed(0)
    model = UNetSpatioTemporalConditionModel(
        sample_size=32,
        in_channels=8,
        out_channels=4,
        block_out_channels=(64, 128),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        num_attention_heads=(2, 4),
        cross_attention_dim=64,
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=96,
    )
    return model.eval().requires_grad_(False).to(device)


def make_vae(device: str) -> Any:
    from diffusers import AutoencoderKLTemporalDecoder

    torch.manual_seed(0)
    model = AutoencoderKLTemporalDecoder(
        block_out_channels=(64, 64), down_block_types=("DownEncoderBlock2D",) * 2, layers_per_block=1
    )
    return model.eval().requires_grad_(False).to(device)


def stock_step(model: Any, device: str) -> Callable[[], object]:
    def run() -> object:
        sample = torch.zeros(2, FRAMES, 8, 24, 40, device=device)
        context = torch.zeros(2, 1, 64, device=device)
        time_ids = torch.zeros(2, 3, device=device)
        return model(sample, torch.tensor(1.0, device=device), context, added_time_ids=time_ids)

    return run


def stock_decode(model: Any, device: str) -> Callable[[], object]:
    return lambda: model.decode(torch.zeros(FRAMES, 4, 48, 64, device=device), num_frames=FRAMES)


def sliced_step(model: Any, device: str, settings: UNetSlices) -> Callable[[], object]:
    layers.prepare(model)
    sliced = SlicedUNet(model, settings)

    def run() -> object:
        context = torch.zeros(2, 1, 64, device=device)
        conditions = sliced.condition(context, torch.zeros(2, 3, device=device), num_frames=FRAMES)
        sample = torch.zeros(2, FRAMES, 8, 24, 40, device=device)
        return sliced(sample, torch.zeros((), device=device), conditions)

    return run


def sliced_decode(model: Any, device: str, settings: DecoderSlices) -> Callable[[], object]:
    layers.prepare(model)

    def run() -> None:
        for frame in decode(model, torch.zeros(FRAMES, 4, 48, 64, device=device), settings):
            frame.clamp(0, 1)

    return run


def check(make: Callable[[str], Any], run: Callable[[Any, str], Callable[[], object]]) -> None:
    real, planned = run(make("cpu"), "cpu"), run(make("meta"), "meta")
    with torch.inference_mode():
        real()  # what is made once, such as a thread's buffers, is not of the run
    predicted = trace(lambda: planned, scratch=cpu_scratch).peak_bytes
    assert predicted == pytest.approx(allocated_peak(real), rel=0.05)


def test_a_stock_step_takes_what_was_predicted() -> None:
    check(make_unet, stock_step)


def test_a_stock_decode_takes_what_was_predicted() -> None:
    check(make_vae, stock_decode)


@pytest.mark.usefixtures("as_on_gpu")
@pytest.mark.parametrize("settings", SLICES.values(), ids=SLICES)
def test_a_sliced_step_takes_what_was_predicted(settings: UNetSlices) -> None:
    check(make_unet, lambda model, device: sliced_step(model, device, settings))


@pytest.mark.usefixtures("as_on_gpu")
@pytest.mark.parametrize("settings", DECODER_SLICES.values(), ids=DECODER_SLICES)
def test_a_sliced_decode_takes_what_was_predicted(settings: DecoderSlices) -> None:
    check(make_vae, lambda model, device: sliced_decode(model, device, settings))


# --- against itself ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def networks(tiny_svd: Path) -> Any:
    return build_networks(tiny_svd, dtype=torch.float16)


def stages(networks: Any) -> list[Trace]:
    rehearsed = Rehearsal(networks, ClipSize(width=128, height=128, num_frames=FRAMES), guided=True)
    steps = [
        rehearsed.step(settings, weights)
        for settings in (UNetSlices(), UNetSlices(frames=1, pixels=7, guidance=Guidance.PASSES))
        for weights in Weights
    ]
    decodes = [
        rehearsed.decode(DecoderSlices(frames=1, pixels=100, maps=maps), Weights.MODEL)
        for maps in (Maps.DEVICE, Maps.HOST)
    ]
    return [rehearsed.clip(Weights.MODEL), rehearsed.encode(Weights.MODEL), *steps, *decodes]


def test_shortcuts_change_nothing(networks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    short = stages(networks)
    monkeypatch.setattr(rehearsal, "_REPEATED", ())
    monkeypatch.setattr(tracing, "_FEWEST_ROUNDS", 10**9)

    assert stages(networks) == short


def test_what_one_run_has_met_counts_in_the_next(networks: Any) -> None:
    size, slices = ClipSize(width=64, height=64, num_frames=6), UNetSlices(frames=1, pixels=8)
    together = Rehearsal(networks, size, guided=True)
    found = [together.step(slices, weights) for weights in (Weights.MODEL, Weights.STREAM)]

    for taken, weights in zip(found, (Weights.MODEL, Weights.STREAM), strict=True):
        assert Rehearsal(networks, size, guided=True).step(slices, weights) == taken


def test_a_rehearsal_leaves_the_networks_as_they_are(networks: Any) -> None:
    before = [tensor for network in networks for tensor in network.state_dict().values()]
    rehearsed = Rehearsal(networks, ClipSize(width=64, height=64, num_frames=2), guided=False)
    for weights in Weights:
        rehearsed.step(UNetSlices(), weights)
        rehearsed.decode(DecoderSlices(), weights)

    after = [tensor for network in networks for tensor in network.state_dict().values()]
    assert all(
        one.device == other.device == DEVICE and one.stride() == other.stride()
        for one, other in zip(before, after, strict=True)
    )


def test_weights_are_counted_as_they_are_placed(networks: Any) -> None:
    rehearsed = Rehearsal(networks, ClipSize(width=64, height=64, num_frames=2), guided=False)
    resident, model, stream = (
        rehearsed.step(UNetSlices(frames=1, pixels=8), weights).peak_bytes for weights in Weights
    )

    others = weight_bytes(networks.vae, networks.image_encoder)
    assert stream < model < resident
    assert resident - model >= others


def test_a_file_takes_of_the_device_what_host_memory_takes(networks: Any) -> None:
    rehearsed = Rehearsal(networks, ClipSize(width=64, height=64, num_frames=2), guided=False)
    host, disk = (
        rehearsed.decode(DecoderSlices(frames=1, pixels=64, maps=maps), Weights.MODEL)
        for maps in (Maps.HOST, Maps.DISK)
    )

    assert host == disk


def test_eight_bits_take_about_half(networks: Any) -> None:
    size = ClipSize(width=64, height=64, num_frames=2)
    peaks = {
        fp8: [
            Rehearsal(networks, size, guided=False, fp8=fp8)
            .step(UNetSlices(frames=1, pixels=8), weights)
            .peak_bytes
            for weights in Weights
        ]
        for fp8 in (False, True)
    }

    assert all(less < more for less, more in zip(peaks[True], peaks[False], strict=True))


def test_work_on_host_memory_is_left_out() -> None:
    def run() -> None:
        host = torch.empty(2**40 // 2**9, dtype=torch.float16)  # 4 GiB that would take seconds to read
        doubled = (host.float() * 2).to(torch.float16)
        doubled.add_(1)
        assert (doubled.shape, doubled.dtype, doubled.device.type) == (host.shape, host.dtype, "cpu")

    assert counted(run).peak_bytes == 0
