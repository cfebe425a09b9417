"""Which plan is taken on a card: the planner runs for real, only the card's facts are stood in for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures_tiny import svd_info

from localvid.config import Settings
from localvid.errors import CapabilityError
from localvid.pipelines.svd.budget.choice import choose, free_disk_bytes, host_bytes
from localvid.pipelines.svd.budget.ladder import ClipSize, lower_of
from localvid.pipelines.svd.budget.measured import read_measured
from localvid.pipelines.svd.plan import Attention, DecoderSlices, EnginePlan, Maps, Weights
from localvid.schemas import ModelInfo

GIB = 2**30
SIZE = ClipSize(width=64, height=64, num_frames=4)
CUDA = torch.device("cuda", 0)
ASKED: Any = {"num_inference_steps": 2, "guided": True, "chunk_frames": None}


@pytest.fixture
def info(tiny_svd: Path) -> ModelInfo:
    return svd_info(tiny_svd)


@pytest.fixture
def settings(workspace: Path) -> Settings:
    return Settings(workspace=workspace)


@pytest.fixture
def free_bytes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the card says is free; tests change it."""
    free = {"bytes": 8 * GIB}
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "NVIDIA GeForce RTX 4090")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free["bytes"], 24 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: 0)
    return free


@pytest.mark.usefixtures("free_bytes")
def test_what_fits_is_not_sliced(info: ModelInfo, settings: Settings) -> None:
    plan = choose(info, settings, CUDA, SIZE, **ASKED).plan

    assert plan.weights is Weights.RESIDENT
    assert plan.exact


@pytest.mark.usefixtures("free_bytes")
def test_what_is_the_users_is_taken_from_the_settings(info: ModelInfo, settings: Settings) -> None:
    asked = settings.model_copy(update={"attention": "xformers", "compile_models": True})

    plan = choose(info, asked, CUDA, SIZE, **{**ASKED, "chunk_frames": 2}).plan

    assert (plan.attention, plan.compile, plan.fp8) == (Attention.XFORMERS, True, False)
    assert plan.decoder.chunk_frames == 2


def test_what_cannot_fit_is_refused(info: ModelInfo, settings: Settings, free_bytes: dict[str, int]) -> None:
    free_bytes["bytes"] = GIB // 16  # beside the context, which is there by now

    with pytest.raises(CapabilityError, match="does not fit"):
        choose(info, settings, CUDA, SIZE, **ASKED)


@pytest.mark.usefixtures("free_bytes")
def test_a_limit_of_the_users_holds(info: ModelInfo, settings: Settings) -> None:
    with pytest.raises(CapabilityError, match="does not fit"):
        choose(info, settings.model_copy(update={"vram_gib": 0.5}), CUDA, SIZE, **ASKED)


def test_a_plan_that_got_through_is_taken_until_there_is_more_memory(
    info: ModelInfo, settings: Settings, free_bytes: dict[str, int]
) -> None:
    first = choose(info, settings, CUDA, SIZE, **ASKED)
    first.remember(first.plan.model_copy(update={"weights": Weights.STREAM}))

    assert choose(info, settings, CUDA, SIZE, **ASKED).plan.weights is Weights.STREAM
    free_bytes["bytes"] *= 2
    assert choose(info, settings, CUDA, SIZE, **ASKED).plan.weights is Weights.RESIDENT


@pytest.mark.usefixtures("free_bytes")
def test_what_the_hosts_memory_lacked_is_not_remembered_of_the_card(
    info: ModelInfo, settings: Settings
) -> None:
    scarce, ample = (settings.model_copy(update={"ram_gib": gib}) for gib in (1.0, 2.0))
    first = choose(info, scarce, CUDA, SIZE, **ASKED)
    first.remember(lower_of(first.plan, EnginePlan(decoder=DecoderSlices(maps=Maps.HOST))))
    first.remember_less_host()
    starved = choose(info, scarce, CUDA, SIZE, **ASKED)
    assert starved.plan.decoder.maps is Maps.DISK
    starved.remember(lower_of(starved.plan, EnginePlan(weights=Weights.STREAM)))

    assert choose(info, scarce, CUDA, SIZE, **ASKED).plan.decoder.maps is Maps.DISK
    later = choose(info, ample, CUDA, SIZE, **ASKED).plan
    assert (later.weights, later.decoder.maps) == (Weights.STREAM, Maps.HOST)


@pytest.mark.parametrize(
    ("ram_gib", "usable", "used"),
    [(None, 7, 7), (None, None, None), (2.0, 7, 2), (9.0, 7, 7), (2.0, None, 2)],
)
def test_the_hosts_memory_is_what_is_there_and_what_is_allowed(
    settings: Settings, ram_gib: float | None, usable: int | None, used: int | None
) -> None:
    limited = settings.model_copy(update={"ram_gib": ram_gib})
    expected = None if used is None else used * GIB
    assert host_bytes(limited, None if usable is None else usable * GIB) == expected


def test_free_space_is_known_before_there_is_a_workspace(settings: Settings) -> None:
    missing = settings.workspace / "not" / "yet"
    assert free_disk_bytes(missing) > 0
    assert not missing.exists()


@pytest.mark.usefixtures("free_bytes")
def test_seconds_are_recorded_beside_the_first_prediction(info: ModelInfo, settings: Settings) -> None:
    for _ in range(2):
        choice = choose(info, settings, CUDA, SIZE, **ASKED)
        choice.record(choice.plan, 10.0)
    # Memory ran out, now or for an earlier clip: the prediction was of another plan.
    choice.record(lower_of(choice.plan, EnginePlan(weights=Weights.STREAM)), 99.0)

    first, second = read_measured(settings.workspace)
    assert first.seconds == 10.0
    # What was measured mends the next estimate, and is not measured against the mended one.
    assert second.predicted_seconds == pytest.approx(first.predicted_seconds)


def test_a_processor_needs_no_planner(info: ModelInfo, settings: Settings) -> None:
    choice = choose(info, settings, torch.device("cpu"), SIZE, **{**ASKED, "chunk_frames": 2})

    assert choice.plan.weights is Weights.RESIDENT
    assert choice.plan.decoder.chunk_frames == 2
