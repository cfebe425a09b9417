"""The benchmark of full size, on a tiny model: what it measures beside one another is the same work."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "full_size.py"


@pytest.fixture(scope="module")
def full_size() -> ModuleType:
    spec = importlib.util.spec_from_file_location("full_size", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("part", ["unet", "decode"])
def test_all_ways_of_a_part_give_the_same(
    full_size: ModuleType, part: str, tiny_svd: Path, tmp_path: Path
) -> None:
    size = ["--width", "64", "--height", "64", "--num-frames", "3", "--threads", "1", "--dtype", "fp32"]
    ways = [way for way in full_size.WAYS if way.part == part]
    for way in ways:
        given = full_size.parse([*size, "--model", str(tiny_svd), "--output", str(tmp_path / way.name)])
        taken = full_size.measure(way, given)
        assert taken.seconds > 0
        assert taken.peak_bytes >= taken.before_bytes > 0
        weights, rise = full_size.predict(way, given)
        assert weights > 0 and rise > 0
    for way in ways[1:]:
        apart = full_size.distance(tmp_path / "stock", tmp_path / way.name)
        assert float(apart.removesuffix(" σ")) < 1e-4
