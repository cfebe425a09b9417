"""Pinned host memory of exactly the size that is asked for.

torch's allocator for it rounds up to powers of two, and keeps what is freed (`CachingHostAllocator.h`): 5.3
GiB of feature maps would take 8. Since torch 2.13 two limits turn both off for what is larger than them; they
are read in that header; what they do was not measured, for torch was older on the one GPU that was at hand.
"""

from __future__ import annotations

import logging
import re

import torch

_LIMIT_MB = 1
"""What is smaller is rounded and kept as before: it comes often, and is little."""

_SETTINGS = f"pinned_max_round_threshold_mb:{_LIMIT_MB},pinned_max_cached_size_mb:{_LIMIT_MB}"
_SINCE = (2, 13)
_logger = logging.getLogger(__name__)


def pin_exactly() -> None:
    """From now on, in this process. The allocator's other settings stay; the user's own for this stand."""
    if not _is_known():
        return
    before: str = torch._C._accelerator_getAllocatorSettings()
    if "pinned_max_" not in before:
        torch._C._accelerator_setAllocatorSettings(f"{before},{_SETTINGS}" if before else _SETTINGS)


def pinned_size(num_bytes: int) -> int:
    """Bytes that an allocation takes of the host's memory."""
    if _is_known() and num_bytes > _LIMIT_MB * 2**20:
        return num_bytes
    return 1 << max(0, num_bytes - 1).bit_length()


def _is_known() -> bool:
    """Whether this torch has the limits; an older one refuses to start with them."""
    version = re.match(r"(\d+)\.(\d+)", torch.__version__)
    return version is not None and (int(version[1]), int(version[2])) >= _SINCE
