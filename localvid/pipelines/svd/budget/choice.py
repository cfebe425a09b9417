"""Which plan a clip is made by on this machine: what the planner says, and what was learnt here since."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from localvid import memory
from localvid.config import Settings
from localvid.pipelines.svd.budget.ladder import ClipSize, lower_of, with_less_host_memory
from localvid.pipelines.svd.budget.measured import MeasuredClip, record_measured
from localvid.pipelines.svd.budget.planner import CONTEXT_BYTES, GIB, ClipPlan, ClipPlanner
from localvid.pipelines.svd.budget.remembered import FILE_NAME, PlanKey, RememberedPlans
from localvid.pipelines.svd.budget.roofline import GpuPeaks, known_gpus, peaks_of
from localvid.pipelines.svd.budget.search import Room
from localvid.pipelines.svd.plan import Attention, DecoderSlices, EnginePlan, Guidance, Maps, UNetSlices
from localvid.schemas import ModelInfo

_logger = logging.getLogger(__name__)

_CPU_PLAN = EnginePlan(
    unet=UNetSlices(frames=1, pixels=1024, guidance=Guidance.PASSES),
    decoder=DecoderSlices(frames=1, pixels=4096, maps=Maps.HOST),
)
"""Small slices stay in a processor's caches: the fastest way there takes the least memory, too
(docs/svd.md)."""


_HOST = "host memory"
"""In place of a device's name, for what was learnt of the host's memory."""


class Choice(NamedTuple):
    """A plan, and what is to be told of how it went."""

    plan: EnginePlan
    size: ClipSize
    notes: tuple[str, ...]
    """What the plan does that the user did not ask for and should know."""
    remember: Callable[[EnginePlan], None]
    """Takes a lower plan that got through after memory ran out."""
    record: Callable[[EnginePlan, float], None]
    """Takes the plan that a whole clip ended with and the seconds it took; they count if it is the plan whose
    seconds were predicted."""
    remember_less_host: Callable[[], None]
    """Called when a clip got through with less host memory after a process was killed for lack of it."""


def choose(
    info: ModelInfo,
    settings: Settings,
    device: torch.device,
    size: ClipSize,
    *,
    num_inference_steps: int,
    guided: bool,
    chunk_frames: int | None,
) -> Choice:
    """The plan for a clip of `size`; `chunk_frames`: frames decoded together, None: all.

    On a GPU it is the planner's for the memory that is free, or a lower one that was found here before.
    Raises CapabilityError for a clip that cannot fit, with the largest size that does.
    """
    book = RememberedPlans(settings.workspace / FILE_NAME)
    usable = host_bytes(settings, memory.usable_bytes())
    host = _HostBook(book, _key(info, _HOST, size), usable)
    if device.type != "cuda":
        plan = host.applied(_as_asked(_CPU_PLAN, settings, chunk_frames), on_host=True)
        return Choice(plan, size, (), lambda _plan: None, lambda _plan, _seconds: None, host.remember)
    name = torch.cuda.get_device_name(device)
    budget = _budget(device, settings)
    planner = ClipPlanner(
        info,
        width=size.width,
        height=size.height,
        num_frames=size.num_frames,
        num_inference_steps=num_inference_steps,
        guided=guided,
        attention=Attention(settings.attention),
        compile=settings.compile_models,
        fp8=settings.fp8_weights,
        chunk_frames=chunk_frames,
        workspace=settings.workspace,
    )
    room = Room(
        vram_bytes=budget,
        host_bytes=usable,
        disk_bytes=free_disk_bytes(settings.workspace),
    )
    clip = planner.plan(peaks_of(name) or _unknown(name), room)
    key = _key(info, name, size)
    known = book.recall(key, budget_bytes=budget)
    plan = _as_asked(clip.engine, settings, chunk_frames)

    def record(made: EnginePlan, seconds: float) -> None:
        if made == plan:
            record_measured(settings.workspace, _measured(clip, name, seconds))

    def remember(lower: EnginePlan) -> None:
        # What host memory lacks now is no matter of the card's, and may be free the next time.
        maps = Maps.HOST if lower.decoder.maps is begun.decoder.maps is Maps.DISK else lower.decoder.maps
        decoder = lower.decoder.model_copy(update={"maps": maps})
        book.remember(key, lower.model_copy(update={"decoder": decoder}), budget_bytes=budget)

    begun = host.applied(lower_of(plan, known) if known else plan, on_host=False)
    return Choice(
        plan=begun,
        size=size,
        notes=clip.notes,
        remember=remember,
        record=record,
        remember_less_host=host.remember,
    )


class _HostBook:
    """Whether a clip of this model and size is known to need more host memory than there is."""

    def __init__(self, book: RememberedPlans, key: PlanKey, usable_bytes: int | None) -> None:
        self._book = book
        self._key = key
        self._usable_bytes = usable_bytes

    def applied(self, plan: EnginePlan, *, on_host: bool) -> EnginePlan:
        """The plan, with less in host memory if that is known."""
        if self._usable_bytes is None or not self._book.recall(self._key, budget_bytes=self._usable_bytes):
            return plan
        less = with_less_host_memory(plan, on_host=on_host)
        return plan if less is None else less[0]

    def remember(self) -> None:
        if self._usable_bytes is not None:
            plan = EnginePlan(decoder=DecoderSlices(maps=Maps.DISK))
            self._book.remember(self._key, plan, budget_bytes=self._usable_bytes)


def _key(info: ModelInfo, device: str, size: ClipSize) -> PlanKey:
    manifest = info.manifest
    return PlanKey(device=device, model_id=manifest.id, revision=manifest.revision or "", size=size)


def _budget(device: torch.device, settings: Settings) -> int:
    """Memory of the card that this process may use, with what it has taken already: its context, which the
    margin counts too, and what torch holds."""
    free, _ = torch.cuda.mem_get_info(device)
    budget: int = free + torch.cuda.memory_reserved(device) + CONTEXT_BYTES
    return budget if settings.vram_gib is None else min(budget, round(settings.vram_gib * GIB))


def host_bytes(settings: Settings, usable_bytes: int | None) -> int | None:
    """Host memory that may be used of what there is; None: not known."""
    asked = None if settings.ram_gib is None else round(settings.ram_gib * GIB)
    return min((count for count in (asked, usable_bytes) if count is not None), default=None)


def free_disk_bytes(workspace: Path) -> int:
    """Free space where the workspace is, or will be made."""
    folder = next(path for path in (workspace, *workspace.absolute().parents) if path.exists())
    return shutil.disk_usage(folder).free


def _unknown(gpu: str) -> GpuPeaks:
    """Peaks for a card that no table knows: only the estimate of time rests on them, never the choice."""
    slowest = min(known_gpus(), key=lambda peaks: peaks.half_tflops)
    _logger.info("no peaks are known of %s; times are estimated as for %s", gpu, slowest.name)
    return slowest.model_copy(update={"name": gpu})


def _measured(clip: ClipPlan, gpu: str, seconds: float) -> MeasuredClip:
    return MeasuredClip(
        gpu=gpu,
        model_id=clip.model_id,
        width=clip.settings.width,
        height=clip.settings.height,
        num_frames=clip.settings.num_frames,
        seconds=seconds,
        predicted_seconds=clip.seconds / clip.calibration.factor,
    )


def _as_asked(plan: EnginePlan, settings: Settings, chunk_frames: int | None) -> EnginePlan:
    """The plan with what is the user's to choose."""
    chunk = chunk_frames or plan.decoder.chunk_frames
    return plan.model_copy(
        update={
            "decoder": plan.decoder.model_copy(update={"chunk_frames": chunk}),
            "attention": Attention(settings.attention),
            "compile": settings.compile_models,
            "fp8": settings.fp8_weights,
        }
    )
