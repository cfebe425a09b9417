"""Detecting GPUs through the driver's library; a stand-in library is compiled where there is a compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from localvid import gpu

SOURCE = """
#include <stddef.h>
#include <string.h>
int cuInit(unsigned flags) { return STATUS; }
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal + 40; return 0; }
int cuDeviceGetName(char *name, int length, int device) {
    strncpy(name, device == 40 ? "First GPU" : "Second GPU", length);
    return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    *bytes = (size_t)(device == 40 ? 24 : 8) << 30;
    return 0;
}
"""


def driver(folder: Path, *, status: int = 0, count: int = 2) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    (folder / "cuda.c").write_text(SOURCE)
    library = folder / f"libcuda-{status}-{count}.so"
    definitions = [f"-DSTATUS={status}", f"-DCOUNT={count}"]
    subprocess.run(
        [compiler, "-shared", "-fPIC", *definitions, "-o", str(library), str(folder / "cuda.c")], check=True
    )
    return str(library)


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "LIBRARY", "libcuda-of-nobody.so.1")
    assert gpu.detect_cuda() == gpu.Cuda(problem="no NVIDIA driver is installed")


def test_a_library_that_is_no_driver_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "LIBRARY", "libc.so.6")
    assert gpu.detect_cuda().problem == "no NVIDIA driver is installed"


def test_the_driver_names_its_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "LIBRARY", driver(tmp_path))
    found = gpu.detect_cuda()
    assert found.driver == "12.8"
    assert found.problem == ""
    assert found.gpus == (
        gpu.Gpu(name="First GPU", memory_gib=24),
        gpu.Gpu(name="Second GPU", memory_gib=8),
    )


@pytest.mark.parametrize(
    ("status", "count", "problem"),
    [(100, 0, "shows no GPU"), (0, 0, "shows no GPU"), (803, 2, "does not start (CUDA error 803)")],
)
def test_a_driver_without_a_usable_device_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, count: int, problem: str
) -> None:
    monkeypatch.setattr(gpu, "LIBRARY", driver(tmp_path, status=status, count=count))
    found = gpu.detect_cuda()
    assert found.gpus == ()
    assert problem in found.problem
