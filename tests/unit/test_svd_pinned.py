"""The settings of torch's allocator for pinned memory. That it then pins exactly is shown in tests/gpu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from localvid.pipelines.svd.networks.pinned import pin_exactly, pinned_size

MIB = 2**20


@pytest.fixture
def set_before() -> Iterator[None]:
    before = torch._C._accelerator_getAllocatorSettings()
    yield
    torch._C._accelerator_setAllocatorSettings(before)


@pytest.mark.usefixtures("set_before")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "pinned_max_round_threshold_mb:1,pinned_max_cached_size_mb:1"),
        (
            "expandable_segments:True",
            "expandable_segments:True,pinned_max_round_threshold_mb:1,pinned_max_cached_size_mb:1",
        ),
        ("pinned_max_cached_size_mb:64", "pinned_max_cached_size_mb:64"),
    ],
)
def test_the_other_settings_and_the_users_own_stand(before: str, after: str) -> None:
    torch._C._accelerator_setAllocatorSettings(before)
    pin_exactly()
    pin_exactly()
    assert torch._C._accelerator_getAllocatorSettings() == after


@pytest.mark.usefixtures("set_before")
def test_torch_reads_both_limits() -> None:
    """A key that it does not know is passed over; the value of one that it knows is read."""
    torch._C._accelerator_setAllocatorSettings("no_such_key:x")
    for key in ("pinned_max_round_threshold_mb", "pinned_max_cached_size_mb"):
        with pytest.raises(ValueError, match="sto"):
            torch._C._accelerator_setAllocatorSettings(f"{key}:x")


def test_large_allocations_take_what_they_hold() -> None:
    assert [pinned_size(size) for size in (0, 1, 5, MIB, MIB + 1, 3 * MIB)] == [
        1,
        1,
        8,
        MIB,
        MIB + 1,
        3 * MIB,
    ]


@pytest.mark.usefixtures("set_before")
def test_an_older_torch_is_left_as_it_is_and_its_rounding_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.8.0+cu128")
    torch._C._accelerator_setAllocatorSettings("expandable_segments:True")
    pin_exactly()
    assert torch._C._accelerator_getAllocatorSettings() == "expandable_segments:True"
    assert pinned_size(5 * MIB) == 8 * MIB
