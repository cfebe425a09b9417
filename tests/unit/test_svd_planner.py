"""Plans for cards of every memory: of the published SVD-XT, without its weights, and of a tiny one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from fixtures_tiny import svd_info
from torch import Tensor

from localvid import registry
from localvid.config import Settings
from localvid.errors import CapabilityError, InvalidRequestError
from localvid.pipelines.svd.budget.architecture import build_networks
from localvid.pipelines.svd.budget.measured import MeasuredClip, calibrate, read_measured, record_measured
from localvid.pipelines.svd.budget.planner import _SPREAD, GIB, ClipPlan, ClipPlanner
from localvid.pipelines.svd.budget.roofline import (
    EFFICIENCY,
    LAUNCH_SECONDS,
    REACHED,
    Kernel,
    known_gpus,
    peaks_of,
    require_peaks,
    seconds_on,
)
from localvid.pipelines.svd.budget.search import HOST_PROCESS_BYTES, Room
from localvid.pipelines.svd.budget.tracing import DEVICE, trace
from localvid.pipelines.svd.plan import DecoderSlices, Guidance, Maps, UNetSlices, Weights
from localvid.schemas import ModelInfo

GPU = require_peaks("RTX 4090")
BUDGETS = (2.5, 4, 4.25, 4.5, 5, 8, 24, 80)


def room(gib: float, *, host_gib: float | None = None, disk_gib: float | None = None) -> Room:
    vram, host, disk = (
        None if amount is None else round(amount * GIB) for amount in (gib, host_gib, disk_gib)
    )
    return Room(vram_bytes=vram, host_bytes=host, disk_bytes=disk)


def planner(info: ModelInfo, **changes: object) -> ClipPlanner:
    asked: dict[str, object] = {
        "width": 1024,
        "height": 576,
        "num_frames": 25,
        "num_inference_steps": 25,
        "guided": True,
    }
    return ClipPlanner(info, **{**asked, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    settings = Settings(
        workspace=tmp_path_factory.mktemp("workspace"), hub_cache=tmp_path_factory.mktemp("hub")
    )
    return registry.get_model("local:svd-xt", settings)


@pytest.fixture(scope="module")
def at_full_size(published: ModelInfo) -> ClipPlanner:
    return planner(published)


@pytest.fixture(scope="module")
def plans(at_full_size: ClipPlanner) -> dict[float, ClipPlan]:
    return {gib: at_full_size.plan(GPU, room(gib)) for gib in BUDGETS}


@pytest.fixture
def tiny(tiny_svd: Path) -> ModelInfo:
    return svd_info(tiny_svd)


# --- the published model at 1024x576, 25 frames --------------------------------------------------


def test_a_plan_fits_with_its_margin(plans: dict[float, ClipPlan]) -> None:
    for gib, plan in plans.items():
        assert plan.needed_bytes <= gib * GIB
        assert plan.peak_bytes == max(stage.peak_bytes for stage in plan.stages)
        assert plan.margin.total_bytes > GIB // 2


def test_few_kernels_are_asked_for_in_one_piece(at_full_size: ClipPlanner) -> None:
    """Row by row they were 31,553 a step, more than a processor launches while a fast card works."""
    rehearsal = at_full_size._rehearsal
    step = rehearsal.step(UNetSlices(), Weights.RESIDENT)
    decoding = rehearsal.decode(DecoderSlices(), Weights.RESIDENT)
    assert sum(step.kernels.values()) < 5_600
    assert sum(decoding.kernels.values()) < 2_800


def test_in_one_piece_nothing_is_predicted_slower_than_diffusers(at_full_size: ClipPlanner) -> None:
    """Neither a step nor the decoding, whatever the card."""
    networks = build_networks(None, dtype=torch.float16, sliced=False)
    unet, vae = networks.unet, networks.vae

    def empty(*size: int) -> Tensor:
        return torch.empty(size, dtype=torch.float16, device=DEVICE)

    sample, latents = empty(2, 25, 8, 72, 128), empty(25, 4, 72, 128)
    conditions = empty(2, 1, unet.config.cross_attention_dim), empty(2, 3)
    stock_step = trace(lambda: lambda: unet(sample, empty(), *conditions, return_dict=False))
    stock_decoding = trace(
        lambda: lambda: [vae.decode(part, num_frames=len(part)).sample for part in torch.split(latents, 8)]
    )

    rehearsal = at_full_size._rehearsal
    step = rehearsal.step(UNetSlices(), Weights.RESIDENT)
    decoding = rehearsal.decode(DecoderSlices(), Weights.RESIDENT)
    for ours, stock in ((step, stock_step), (decoding, stock_decoding)):
        assert ours.bytes_moved < stock.bytes_moved
        for gpu in known_gpus():
            assert seconds_on(gpu, ours.kernels) < 0.95 * seconds_on(gpu, stock.kernels)


def test_every_frame_is_decoded_together_on_every_card(plans: dict[float, ClipPlan]) -> None:
    assert all(plan.engine.exact and not plan.notes for plan in plans.values())


def test_weights_leave_the_card_before_anything_else_shows(plans: dict[float, ClipPlan]) -> None:
    order = list(Weights)
    kinds = [order.index(plans[gib].engine.weights) for gib in BUDGETS]
    assert kinds == sorted(kinds, reverse=True)
    assert plans[5].engine.weights is Weights.MODEL
    assert plans[80].engine.weights is Weights.RESIDENT
    assert plans[2.5].engine.weights is Weights.STREAM
    assert plans[2.5].engine.decoder.maps is Maps.HOST


def test_more_memory_is_never_slower(plans: dict[float, ClipPlan]) -> None:
    seconds = [plans[gib].seconds for gib in BUDGETS]
    assert all(less >= more * 0.99 for less, more in pairwise(seconds))


def test_weights_are_streamed_rather_than_the_clip_cut_small(plans: dict[float, ClipPlan]) -> None:
    """A network at a time would fit 4.25 GiB too, in slices of one frame: an RTX 4090 would then wait for
    launches."""
    unet = plans[4.25].engine.unet
    assert plans[4.25].engine.weights is Weights.STREAM
    assert (unet.frames, unet.guidance) == (UNetSlices().frames, Guidance.TOGETHER)
    assert plans[4.25].seconds < 1.01 * plans[8].seconds + plans[4.25].stages[-1].seconds


def test_predicted_peaks_keep_what_is_promised(plans: dict[float, ClipPlan]) -> None:
    """SVD-XT, 1024x576, 25 frames decoded together: 4.0 GiB with a network at a time, 2.0 GiB streamed."""
    assert plans[5].engine.weights is Weights.MODEL
    assert plans[5].peak_bytes <= 4.0 * GIB
    assert plans[2.5].peak_bytes <= 2.0 * GIB


def test_a_clip_takes_fewer_operations_than_diffusers(plans: dict[float, ClipPlan]) -> None:
    stock = 25 * 159.9e12 + 25 * 6.94e12 + 2.6e12 + 0.33e12  # measured by counting diffusers' own run
    assert all(plan.flops <= 0.965 * stock for plan in plans.values())


def test_totals_are_those_of_the_stages(plans: dict[float, ClipPlan]) -> None:
    for plan in plans.values():
        assert [stage.name for stage in plan.stages] == ["clip", "encode", "sample", "decode"]
        assert plan.flops == sum(stage.flops for stage in plan.stages)
        assert plan.seconds == pytest.approx(sum(stage.seconds for stage in plan.stages))
        assert plan.seconds_low < plan.seconds < plan.seconds_high


def test_weights_that_are_not_here_are_to_be_downloaded(
    published: ModelInfo, plans: dict[float, ClipPlan]
) -> None:
    assert plans[8].download_bytes == published.manifest.total_bytes > 4e9
    assert plans[8].disk_bytes > plans[8].download_bytes


def test_a_small_hosts_maps_go_to_a_file_and_that_is_said(at_full_size: ClipPlanner) -> None:
    """5.3 GiB of maps beside 4.2 GiB of weights: too much for 8 GiB, not for 16."""
    large, small = (at_full_size.plan(GPU, room(4, host_gib=gib, disk_gib=100)) for gib in (16, 8))
    assert large.engine.decoder.maps is Maps.HOST
    assert (large.map_file_bytes, large.notes) == (0, ())

    assert small.engine.decoder.maps is Maps.DISK
    assert 5 * GIB < small.map_file_bytes < 6 * GIB
    assert small.disk_bytes == large.disk_bytes + small.map_file_bytes
    assert small.host_bytes == large.host_bytes - small.map_file_bytes
    assert small.host_bytes + HOST_PROCESS_BYTES < 8 * GIB
    assert small.seconds > large.seconds
    (note,) = small.notes
    assert "host memory does not hold the decoder's feature maps: 5.3 GiB" in note
    assert small.engine.exact


def test_a_full_disk_is_refused_with_what_would_help(at_full_size: ClipPlanner) -> None:
    with pytest.raises(
        CapabilityError, match=r"maps take 5\.3 GiB: too much .* in 8\.0 GiB of host"
    ) as refused:
        at_full_size.plan(GPU, room(4, host_gib=8, disk_gib=5))
    assert "--decode-chunk-size" in refused.value.hint
    # A card that holds the maps itself needs neither.
    assert at_full_size.plan(GPU, room(8, host_gib=8, disk_gib=5)).engine.decoder.maps is Maps.DEVICE


# --- a tiny model --------------------------------------------------------------------------------


def test_without_a_budget_nothing_is_sliced(tiny: ModelInfo) -> None:
    plan = planner(tiny, width=64, height=64, num_frames=4).plan(GPU, Room())

    assert plan.engine.weights is Weights.RESIDENT
    assert plan.engine.unet == type(plan.engine.unet)()
    assert plan.engine.decoder == type(plan.engine.decoder)()
    assert plan.download_bytes == 0


def test_what_cannot_fit_is_refused_with_what_would(tiny: ModelInfo) -> None:
    budget = round(0.68 * GIB)
    large = planner(tiny, width=2048, height=1152, num_frames=4)
    with pytest.raises(CapabilityError, match=r"does not fit 0\.7 GiB at 2048x1152 with 4 frames") as refused:
        large.plan(GPU, Room(vram_bytes=budget))

    words = refused.value.hint.split()
    width, height = (int(words[words.index(name) + 1]) for name in ("--width", "--height"))
    assert width % 64 == height % 64 == 0
    fits = planner(tiny, width=width, height=height, num_frames=4).plan(GPU, Room(vram_bytes=budget))
    assert fits.needed_bytes <= budget
    with pytest.raises(CapabilityError):
        planner(tiny, width=width + 64, height=height + 64, num_frames=4).plan(GPU, Room(vram_bytes=budget))


def test_where_nothing_fits_no_size_is_proposed(tiny: ModelInfo) -> None:
    with pytest.raises(CapabilityError) as refused:
        planner(tiny, width=128, height=64, num_frames=2).plan(GPU, Room(vram_bytes=GIB // 2))

    assert refused.value.hint == "local:svd-xt needs a card with more memory, whatever the size"


def test_clips_that_were_measured_mend_the_estimate(tiny: ModelInfo, workspace: Path) -> None:
    asked = {"width": 64, "height": 64, "num_frames": 4, "workspace": workspace}
    before = planner(tiny, **asked).plan(GPU, Room())
    for factor in (1.9, 2.0, 40.0):
        record_measured(workspace, measured(seconds=before.seconds * factor, predicted=before.seconds))

    after = planner(tiny, **asked).plan(GPU, Room())

    assert after.seconds == pytest.approx(2 * before.seconds)
    assert after.seconds_high / after.seconds < before.seconds_high / before.seconds
    assert (after.calibration.num_clips, after.calibration.same_size) == (3, True)


# --- times ---------------------------------------------------------------------------------------


def measured(*, seconds: float, predicted: float, gpu: str = "RTX 4090", width: int = 64) -> MeasuredClip:
    return MeasuredClip(
        gpu=gpu,
        model_id="local:svd-xt",
        width=width,
        height=64,
        num_frames=4,
        seconds=seconds,
        predicted_seconds=predicted,
    )


def test_other_cards_and_sizes_count_for_less() -> None:
    asked = {"gpu": "RTX 4090", "model_id": "local:svd-xt", "width": 64, "height": 64, "num_frames": 4}
    other_card = measured(seconds=9, predicted=1, gpu="T4")
    other_size = measured(seconds=3, predicted=1, width=128)

    assert calibrate((other_card,), **asked).num_clips == 0  # type: ignore[arg-type]
    scaled = calibrate((other_card, other_size), **asked)  # type: ignore[arg-type]
    assert (scaled.factor, scaled.same_size) == (3, False)


def test_a_damaged_record_is_no_obstacle(workspace: Path) -> None:
    (workspace / "measured-times.json").write_text("{broken")

    assert read_measured(workspace) == ()
    record_measured(workspace, measured(seconds=1, predicted=1))
    assert len(read_measured(workspace)) == 1


def test_times_beside_other_estimates_are_not_read(workspace: Path) -> None:
    record_measured(workspace, measured(seconds=2, predicted=1))
    assert len(read_measured(workspace)) == 1
    file = workspace / "measured-times.json"
    file.write_text(file.read_text().replace('"estimates": 2', '"estimates": 1'))

    assert read_measured(workspace) == ()


def test_a_run_takes_its_longest_resource() -> None:
    second_of_work = round(GPU.half_tflops * 1e12 * EFFICIENCY)
    second_of_traffic = round(GPU.memory_gbs * 1e9 * EFFICIENCY)

    assert seconds_on(GPU, Counter({Kernel(second_of_work, 1): 2})) == pytest.approx(2)
    assert seconds_on(GPU, Counter({Kernel(1, second_of_traffic): 3})) == pytest.approx(3)
    second_of_copies = round(GPU.host_gbs * 1e9 * EFFICIENCY)
    mixed = Counter({Kernel(second_of_work, 1): 2, Kernel(1, second_of_traffic): 3})
    assert seconds_on(GPU, mixed) == pytest.approx(5)
    assert seconds_on(GPU, mixed, copied_bytes=second_of_copies) == pytest.approx(6)
    assert seconds_on(GPU, mixed, ahead_bytes=4 * second_of_copies) == pytest.approx(5)
    assert seconds_on(GPU, mixed, ahead_bytes=7 * second_of_copies) == pytest.approx(7)
    launches = round(8 / LAUNCH_SECONDS)
    assert seconds_on(GPU, mixed + Counter({Kernel(0, 1): launches})) == pytest.approx(8, rel=1e-4)


def test_clips_that_were_measured_lie_within_what_an_estimate_allows() -> None:
    assert all(1 / _SPREAD <= reached / EFFICIENCY <= _SPREAD for reached in REACHED)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("rtx4070ti", "RTX 4070 Ti"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA A10", "A10"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("Tesla T4", "T4"),
    ],
)
def test_cards_are_known_by_their_drivers_names(name: str, found: str) -> None:
    assert require_peaks(name).name == found


@pytest.mark.parametrize(
    "name", ["", "GTX 1060", "A1000", "A10G", "RTX 3060 Ti", "RTX 4090 Laptop GPU", "RTX 4"]
)
def test_a_card_that_is_not_in_the_table_is_not_taken_for_another(name: str) -> None:
    assert peaks_of(name) is None
    with pytest.raises(InvalidRequestError):
        require_peaks(name)


def test_the_table_is_whole() -> None:
    names = [gpu.name for gpu in known_gpus()]
    assert len(names) == len(set(names)) >= 20
    for gpu in known_gpus():
        assert 10 < gpu.half_tflops < 3000
        assert 100 < gpu.memory_gbs < 10_000
        assert gpu.source
