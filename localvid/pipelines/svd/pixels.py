"""Whether numbers are numbers, and what is made of a clip that shows nothing or stands still."""

from __future__ import annotations

from collections.abc import Callable

import torch

from localvid.errors import GenerationFailedError
from localvid.media.check import Finding


def all_finite(tensor: torch.Tensor) -> bool:
    """Whether no element is NaN or infinite. Waits for the device; takes no memory beside the tensor.

    One sum in single precision tells: whatever is not finite stays so in a sum, and sums of what half
    precision or pixels hold are far from its limit.
    """
    return bool(torch.isfinite(tensor.sum(dtype=torch.float32)))


def judge(finding: Finding | None, on_notice: Callable[[str], None]) -> None:
    """Raise GenerationFailedError for a clip that shows nothing; give notice of one that stands still."""
    if finding is None:
        return
    if finding.kind == "frozen":
        on_notice(f"the clip hardly moves: {finding.detail}; more energy or another seed may help")
        return
    raise GenerationFailedError(f"the clip shows nothing: {finding.detail}", hint="try another seed")
