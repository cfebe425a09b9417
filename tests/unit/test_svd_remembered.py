"""Remembered plans: one small file, many processes, any damage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.budget.remembered import FILE_NAME, PlanKey, RememberedPlans
from localvid.pipelines.svd.plan import DecoderSlices, EnginePlan, Maps, UNetSlices, Weights

GIB = 2**30
KEY = PlanKey(
    device="NVIDIA GeForce RTX 4060",
    model_id="local:svd-xt",
    revision="abc",
    size=ClipSize(width=1024, height=576, num_frames=25),
)
PLAN = EnginePlan(
    weights=Weights.STREAM,
    unet=UNetSlices(frames=1, pixels=1024),
    decoder=DecoderSlices(maps=Maps.HOST, chunk_frames=7),
)


@pytest.fixture
def path(workspace: Path) -> Path:
    return workspace / FILE_NAME


@pytest.fixture
def plans(path: Path) -> RememberedPlans:
    return RememberedPlans(path)


def test_a_plan_comes_back_whole(plans: RememberedPlans, path: Path) -> None:
    assert plans.recall(KEY, budget_bytes=8 * GIB) is None
    assert not path.exists()
    plans.remember(KEY, PLAN, budget_bytes=8 * GIB)
    assert RememberedPlans(path).recall(KEY, budget_bytes=8 * GIB) == PLAN


@pytest.mark.parametrize(
    "change",
    [
        {"device": "NVIDIA A100"},
        {"model_id": "local:svd"},
        {"revision": "def"},
        {"size": ClipSize(width=576, height=1024, num_frames=25)},
        {"size": ClipSize(width=1024, height=576, num_frames=14)},
    ],
)
def test_it_is_for_that_device_model_and_size(plans: RememberedPlans, change: dict[str, object]) -> None:
    plans.remember(KEY, PLAN, budget_bytes=8 * GIB)
    assert plans.recall(KEY.model_copy(update=change), budget_bytes=8 * GIB) is None


def test_with_more_memory_than_then_the_higher_plan_is_tried_again(plans: RememberedPlans) -> None:
    plans.remember(KEY, PLAN, budget_bytes=8 * GIB)
    assert plans.recall(KEY, budget_bytes=6 * GIB) == PLAN
    assert plans.recall(KEY, budget_bytes=8 * GIB + 2**28) == PLAN
    assert plans.recall(KEY, budget_bytes=10 * GIB) is None


def test_the_last_word_counts_and_the_oldest_keys_go(plans: RememberedPlans, path: Path) -> None:
    plans.remember(KEY, EnginePlan(), budget_bytes=GIB)
    for number in range(199):
        plans.remember(KEY.model_copy(update={"revision": str(number)}), PLAN, budget_bytes=GIB)
    plans.remember(KEY, PLAN, budget_bytes=GIB)
    assert plans.recall(KEY, budget_bytes=GIB) == PLAN
    assert plans.recall(KEY.model_copy(update={"revision": "0"}), budget_bytes=GIB) == PLAN
    plans.remember(KEY.model_copy(update={"revision": "new"}), PLAN, budget_bytes=GIB)
    assert plans.recall(KEY.model_copy(update={"revision": "0"}), budget_bytes=GIB) is None
    assert path.stat().st_size < 2**18


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b'{"entries": [{"key": 1}]}', b'{"entries": [], "version": 9}']
)
def test_a_damaged_file_is_as_none_and_is_mended(plans: RememberedPlans, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert plans.recall(KEY, budget_bytes=GIB) is None
    plans.remember(KEY, PLAN, budget_bytes=GIB)
    assert plans.recall(KEY, budget_bytes=GIB) == PLAN


def test_a_place_that_cannot_be_written_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    plans = RememberedPlans(tmp_path / "file" / FILE_NAME)
    plans.remember(KEY, PLAN, budget_bytes=GIB)
    assert "is not written" in caplog.text
    assert plans.recall(KEY, budget_bytes=GIB) is None


SCRIPT = """
import sys
from pathlib import Path
from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.plan import EnginePlan
from localvid.pipelines.svd.budget.remembered import PlanKey, RememberedPlans
plans = RememberedPlans(Path(sys.argv[1]))
size = ClipSize(width=64, height=64, num_frames=2)
for number in range(20):
    key = PlanKey(device=sys.argv[2], model_id="m", revision=str(number), size=size)
    plans.remember(key, EnginePlan(), budget_bytes=1)
print("torch" in sys.modules)
"""


def test_processes_lose_nothing_of_each_other(plans: RememberedPlans, path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(path), device],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for device in ("one", "two", "three")
    ]
    assert [writer.communicate(timeout=60)[0] for writer in writers] == ["False\n"] * 3
    size = ClipSize(width=64, height=64, num_frames=2)
    for device in ("one", "two", "three"):
        for number in range(20):
            key = PlanKey(device=device, model_id="m", revision=str(number), size=size)
            assert plans.recall(key, budget_bytes=1) == EnginePlan()
    assert {entry.name for entry in path.parent.iterdir()} == {FILE_NAME, "remembered-plans.lock"}
