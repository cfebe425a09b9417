"""A hosted model that breaks on demand: what the child process runs in tests of faults.

The variable FAULT holds a `Fault` as JSON. It strikes where a report has its message and step, `times` in
all processes together: each strike leaves a file in `folder`. Used by its name, "faulty_child:FaultyModel".
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from localvid.errors import DeviceFailedError, GenerationFailedError
from localvid.host import Later
from localvid.pipelines.hosted_child import HostedModel
from localvid.schemas import Frozen, OnProgress, Progress

VARIABLE = "FAULT"


class Fault(Frozen):
    kind: str
    """A key of KINDS, or "exhaust" for `exhaust_every_stage`."""
    folder: Path
    message: str = ""
    """What the report's message begins with."""
    step: int = 1
    times: int = 1

    def strikes(self, progress: Progress) -> bool:
        """Whether now; if so, it is counted."""
        due = self.kind in KINDS and progress.message.startswith(self.message) and progress.step == self.step
        if due and (struck := len(list(self.folder.iterdir()))) < self.times:
            (self.folder / str(struck)).touch()
            return True
        return False


def lose_device() -> None:
    raise DeviceFailedError("the GPU failed: injected", hint="start localvid again")


def poison() -> None:
    import torch

    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nMore advice.")


def break_device() -> None:
    """Poison CUDA for real: a kernel finds an index out of bounds."""
    import torch

    torch.zeros(1, device="cuda")[torch.ones(1, dtype=torch.long, device="cuda")]
    torch.cuda.synchronize()


def fail() -> None:
    raise GenerationFailedError("no clip: injected", hint="try another seed")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


def freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def hang() -> None:
    time.sleep(600)


def nan_latents() -> None:
    from diffusers import UNetSpatioTemporalConditionModel

    the_only(UNetSpatioTemporalConditionModel).conv_out.bias.data.fill_(float("nan"))


def nan_frames() -> None:
    _paint_all(float("nan"))


def black_frames() -> None:
    _paint_all(-10.0)


def _paint_all(level: float) -> None:
    """Have the decoder's last layer give one number for every pixel."""
    from diffusers import AutoencoderKLTemporalDecoder

    last = the_only(AutoencoderKLTemporalDecoder).decoder.time_conv_out
    last.weight.data.zero_()
    last.bias.data.fill_(level)


def the_only(kind: type) -> Any:
    """The network of that class in this process, whoever holds it."""
    (network,) = (found for found in gc.get_objects() if type(found) is kind)
    return network


SWELLING = 200 * 2**20
_held: list[bytes] = []


def swell() -> None:
    """Hold more host memory until the next report, and have a GPU of which torch has reserved 3 GiB at most,
    and 1 since it was asked: stood in for, since this needs none."""
    _held.append(b"x" * SWELLING)
    peaks = [2**30, 3 * 2**30]

    def reset() -> None:
        del peaks[1:]

    sys.modules["torch"] = torch = ModuleType("torch")
    vars(torch)["cuda"] = SimpleNamespace(
        is_initialized=lambda: True,
        max_memory_reserved=lambda: peaks[-1],
        reset_peak_memory_stats=reset,
    )


KINDS: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        lose_device,
        poison,
        break_device,
        fail,
        kill,
        crash,
        freeze,
        hang,
        nan_latents,
        nan_frames,
        black_frames,
        swell,
    )
}


def exhaust_every_stage(fault: Fault) -> None:
    """Have the stages run out of memory in the midst of their work, the first one in the first clip, the
    second one in the second, and so on."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from localvid.pipelines.svd.budget.ladder import ClipStage, Ladder
    from localvid.pipelines.svd.plan import EnginePlan, Weights

    class Exhausted(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.left = 20

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.left -= 1
            if not self.left:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.\nMore advice.")
            return func(*args, **(kwargs or {}))

    whole = Ladder.run
    met: list[Ladder] = []

    def run(self: Ladder, stage: ClipStage, work: Callable[[EnginePlan], Any]) -> Any:
        self._on_host = False  # all rungs, as on a GPU

        def exhausted(plan: EnginePlan) -> Any:
            struck = fault.folder / stage.value
            if struck.exists() or self in met:
                return work(plan)
            met.append(self)
            struck.touch()
            # Whatever the clip before has learnt: else nothing is left to fall to.
            # Resident weights are there on a processor, and nothing is loaded.
            begun = Weights.MODEL if stage is ClipStage.LOAD else Weights.RESIDENT
            self.plan = plan.model_copy(update={"weights": begun})
            with Exhausted():
                return work(self.plan)

        return whole(self, stage, exhausted)

    setattr(Ladder, "run", run)  # noqa: B010  # assigned, it would be an error of types


class LateModel(HostedModel):
    """A hosted model whose clips get their place when a file `gate` is in the fault's folder."""

    def write_clip(self, request: dict[str, Any], output: str) -> Later:
        folder = Fault.model_validate_json(os.environ[VARIABLE]).folder
        with (folder / "calls").open("a") as calls:
            calls.write("write_clip\n")
        assert super().write_clip(request, output) is None
        Path(output).replace(f"{output}.late")

        def finish() -> None:
            while not (folder / "gate").exists():
                time.sleep(0.01)
            Path(f"{output}.late").replace(output)

        return Later(finish)


class FaultyModel(HostedModel):
    """A hosted model whose reports strike."""

    def __init__(self, report: OnProgress, *, info: dict[str, Any], settings: dict[str, Any]) -> None:
        fault = Fault.model_validate_json(os.environ[VARIABLE])

        def striking(progress: Progress) -> None:
            report(progress)
            _held.clear()
            if fault.strikes(progress):
                KINDS[fault.kind]()

        super().__init__(striking, info=info, settings=settings)
        if fault.kind == "exhaust":
            exhaust_every_stage(fault)
