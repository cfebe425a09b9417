"""Which CUDA devices this process can use, asked of NVIDIA's driver: torch takes seconds to import.

The calls are of the CUDA driver API (https://docs.nvidia.com/cuda/cuda-driver-api/). No context is created,
so no GPU memory is taken. `CUDA_VISIBLE_DEVICES` is honoured, as the driver itself reads it.
"""

from __future__ import annotations

import ctypes

from localvid.schemas import Frozen

LIBRARY = "libcuda.so.1"
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


class Gpu(Frozen):
    """One CUDA device."""

    name: str
    memory_gib: float


class Cuda(Frozen):
    """What the driver says; without a driver all is empty."""

    driver: str = ""
    """Highest CUDA version that the driver supports, "12.8"."""
    gpus: tuple[Gpu, ...] = ()
    problem: str = ""
    """Why no device can be used, in one clause; empty if there is one."""


def detect_cuda() -> Cuda:
    """Ask the driver. Never raises; needs milliseconds where there is no driver."""
    try:
        library = ctypes.CDLL(LIBRARY)
        status = library.cuInit(0)
    except (OSError, AttributeError):
        return Cuda(problem="no NVIDIA driver is installed")
    version = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
    if status == _NO_DEVICE:
        return Cuda(driver=driver, problem="the NVIDIA driver shows no GPU")
    if status != 0:
        return Cuda(driver=driver, problem=f"the NVIDIA driver does not start (CUDA error {status})")
    count = ctypes.c_int()
    library.cuDeviceGetCount(ctypes.byref(count))
    gpus = tuple(_describe(library, index) for index in range(count.value))
    return Cuda(driver=driver, gpus=gpus, problem="" if gpus else "the NVIDIA driver shows no GPU")


def _describe(library: ctypes.CDLL, index: int) -> Gpu:
    device, memory, name = ctypes.c_int(), ctypes.c_size_t(), ctypes.create_string_buffer(256)
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, len(name), device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return Gpu(name=name.value.decode(errors="replace"), memory_gib=memory.value / 2**30)
