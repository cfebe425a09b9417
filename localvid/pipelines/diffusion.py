"""What all adapters over diffusers share: device, loading from a directory, faults, freeing memory.

It knows no particular model. Nothing here reaches a network: models are loaded from resolved directories.
"""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import safe_open
from transformers.utils import logging as transformers_logging

from localvid.config import Settings
from localvid.errors import DeviceFailedError, LocalvidError, NotAvailableError, OutOfMemoryError
from localvid.schemas import ModelInfo

Result = TypeVar("Result")

_PICKLED = (".bin", ".ckpt", ".pt", ".pth")


def choose_device(settings: Settings) -> torch.device:
    """The GPU if there is one, unless the settings say "cpu".

    Raises NotAvailableError if they say "cuda" and torch finds none.
    """
    if settings.device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if settings.device == "cuda":
        raise NotAvailableError(
            "device is set to cuda, and torch finds no CUDA GPU",
            hint="check the driver and that torch was built with CUDA (`localvid doctor`), or unset device",
        )
    return torch.device("cpu")


def use_threads(settings: Settings) -> None:
    """Let torch use as many processor threads as the settings say, in this whole process."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)


def load_pipeline(pipeline_class: Any, info: ModelInfo, *, dtype: torch.dtype) -> Any:
    """Load a pipeline from `info.source`, a directory saved by `save_pretrained`, into main memory.

    Half-precision files are taken where there are any. Only safetensors are read: a pickle runs code when
    it is loaded.

    Raises NotAvailableError if the directory is missing, holds pickled weights only, holds another kind of
    model, lacks weights or cannot be read.
    """
    directory = _checked(info)
    try:
        pipeline = pipeline_class.from_pretrained(
            str(directory),
            local_files_only=True,
            use_safetensors=True,
            variant="fp16" if any(directory.glob("*/*.fp16*.safetensors")) else None,
            dtype=dtype,
        )
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the loaders raise whatever a damaged or foreign file leads to
        if _is_allocation_failure(error):
            raise
        raise _unreadable(info, f"cannot be loaded from {directory}: {first_line(error)}") from error
    for name, network in pipeline.components.items():
        if isinstance(network, torch.nn.Module) and not _is_whole(network, directory / name):
            raise _unreadable(info, f"cannot be loaded: {directory / name} lacks some of its weights")
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _is_whole(network: torch.nn.Module, folder: Path) -> bool:
    """Whether the files held every weight: diffusers leaves a missing one empty, transformers draws it at
    random, and both only log it. Names may differ between files and networks, so numbers are counted."""
    if any(weight.is_meta for weight in network.parameters()):
        return False
    stored = 0
    for path in list(folder.glob("*.fp16*.safetensors")) or list(folder.glob("*.safetensors")):
        with safe_open(str(path), framework="pt") as file:
            stored += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return stored >= sum(weight.numel() for weight in network.parameters())


def _checked(info: ModelInfo) -> Path:
    directory = info.source
    if directory is None:
        raise NotAvailableError(
            f"{info.manifest.id} has no weights here" + (f": {info.reason}" if info.reason else ""),
            hint=info.remedy or f"`localvid pull {info.manifest.id}`",
        )
    if not (directory / "model_index.json").is_file():
        raise _unreadable(info, f"is not a diffusers model: {directory / 'model_index.json'} is missing")
    safe = {file.parent for file in directory.glob("*/*.safetensors")}
    pickled = {file.parent for file in directory.glob("*/*") if file.suffix in _PICKLED} - safe
    if pickled:
        names = ", ".join(sorted(folder.name for folder in pickled))
        raise NotAvailableError(
            f"{info.manifest.id}: the weights of {names} in {directory} are pickled, which are never loaded",
            hint="use the model's safetensors files: loading a pickle can run any code that it carries",
        )
    return directory


def _unreadable(info: ModelInfo, what: str) -> NotAvailableError:
    return NotAvailableError(
        f"{info.manifest.id} {what}",
        hint=f"`localvid pull {info.manifest.id}` fetches it again; "
        "a directory of your own is named in the setting model_paths",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' bars, advice and deprecations off the terminal, where localvid draws its own.

    What they say by an exception still comes through.
    """
    libraries = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity(logging.CRITICAL)
        library.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for library, (verbosity, bars) in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            if bars:
                library.enable_progress_bar()


def guarded(
    work: Callable[[], Result], *, out_of_memory_hint: str, rest: Callable[[], None] = lambda: None
) -> Result:
    """Run `work`, then `rest`, in quiet; the device's faults become localvid's errors, all else passes.

    When OutOfMemoryError is raised, nothing of the failed attempt is held on the device any more: torch's
    own exception, which pins the tensors of every frame in its traceback, is dropped before the memory is
    freed, and is therefore not chained.
    """
    fault: LocalvidError
    try:
        with quiet():
            try:
                return work()
            finally:
                rest()
    except (RuntimeError, MemoryError) as error:
        if _is_allocation_failure(error):
            fault = OutOfMemoryError(f"out of memory: {first_line(error)}", hint=out_of_memory_hint)
        elif _is_device_failure(error):
            fault = DeviceFailedError(
                f"the GPU failed: {first_line(error)}",
                hint="nothing more can run on it in this process: start localvid again, then "
                "`localvid resume`",
            )
        else:
            raise
    free_memory()
    raise fault


_NO_MEMORY = (
    "can't allocate memory",  # torch on the CPU
    "CUDA driver error: out of memory",  # expandable segments, on some systems
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",  # no room for its workspace
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDA error: out of memory",  # pinned memory, streams and events, outside torch's own allocator
)


def _is_allocation_failure(error: BaseException) -> bool:
    """Whether memory ran out, on the GPU or on the CPU, where torch raises a bare RuntimeError."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)
    )


def _is_device_failure(error: BaseException) -> bool:
    """Whether CUDA is poisoned: every later call would fail, in this process only."""
    words = str(error)
    return isinstance(error, torch.AcceleratorError) or "CUDA error" in words or "_EXECUTION_FAILED" in words


def free_memory() -> None:
    """Give what nothing refers to any more back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        with suppress(RuntimeError):  # a GPU that has failed cannot even free
            torch.cuda.empty_cache()
            # Pinned memory too, of which the host otherwise keeps what is freed. (torch has a public name for
            # this only from 2.13 on.)
            torch._C._host_emptyCache()


def first_line(error: BaseException) -> str:
    """The first line of its message, at most 200 characters; the kind of error if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
