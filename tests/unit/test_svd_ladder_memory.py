"""The ladder against what its plans are predicted to need: no rung asks for more than the one before.

Of a small model and a clip whose maps are worth slicing, traced on tensors without contents; what full size
needs is in docs/svd.md.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from localvid.pipelines.svd.budget.architecture import build_networks
from localvid.pipelines.svd.budget.ladder import ClipSize, ClipStage, next_rung
from localvid.pipelines.svd.budget.rehearsal import Rehearsal
from localvid.pipelines.svd.plan import EnginePlan, Maps

SIZE = ClipSize(width=768, height=512, num_frames=9)


@pytest.fixture(scope="module")
def rehearsal(tiny_svd: Path) -> Rehearsal:
    return Rehearsal(build_networks(tiny_svd, dtype=torch.float16), SIZE, guided=True)


def peaks(stage: ClipStage, predict: Callable[[EnginePlan], int]) -> list[int]:
    plan = EnginePlan()
    found = [predict(plan)]
    while (rung := next_rung(plan, stage, SIZE)) is not None:
        plan = rung.plan
        # The last rungs save host memory, which is not what is predicted here.
        if plan.decoder.maps is Maps.DISK:
            break
        found.append(predict(plan))
    return found


def test_sampling_needs_less_from_rung_to_rung(rehearsal: Rehearsal) -> None:
    found = peaks(ClipStage.SAMPLE, lambda plan: rehearsal.step(plan.unet, plan.weights).peak_bytes)
    assert len(found) == 6
    assert all(lower <= higher for higher, lower in pairwise(found))
    assert found[-1] < found[0] / 2


def test_decoding_needs_less_from_rung_to_rung(rehearsal: Rehearsal) -> None:
    found = peaks(ClipStage.DECODE, lambda plan: rehearsal.decode(plan.decoder, plan.weights).peak_bytes)
    assert len(found) > 3
    assert all(lower <= higher for higher, lower in pairwise(found))
    assert found[-1] < found[0] / 2
