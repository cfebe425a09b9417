"""What a batch will take, before anything starts: films, shots, loads of models, memory, time, disk, cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from localvid import registry
from localvid.batch.stages import clip_units, painted, pixels_of
from localvid.batch_file import BatchRow, Mistake
from localvid.errors import LocalvidError
from localvid.gpu import detect_cuda
from localvid.orchestrator import VideoOrchestrator
from localvid.planning import FilmPlan
from localvid.schemas import FilmOptions, Frozen, ModelKind, Stage, VideoRequest

_BITS_A_PIXEL = 1
"""Of H.264 of good quality, generously."""
_LATENTS_BYTES = 8
"""Of four channels in half precision, for every 64 pixels."""


class Load(Frozen):
    """A model that the batch needs, loaded once by each process that works on it."""

    stage: Stage
    model_id: str


class BatchPlan(Frozen):
    """The whole of a batch; of storyboards that are not written, as many shots as were asked for."""

    num_jobs: int
    num_shots: int
    loads: tuple[Load, ...]
    seconds: float | None
    """From what this machine measured; None: something of it was never done here."""
    gpu_bytes: int | None
    """Of this machine's GPU, predicted for the largest clip; None: no GPU is used."""
    disk_bytes: int
    """What is kept of it at most: clips, latents, films."""
    cost_usd: float
    """Of the shots that hosts make."""
    mistakes: tuple[Mistake, ...]
    """What no film can be made of, with its line: models that are not here, sizes that no model takes."""


def plan_batch(
    orchestrator: VideoOrchestrator,
    rows: Sequence[BatchRow],
    *,
    source: str,
    on_row: Callable[[int], None] = lambda _: None,
) -> BatchPlan:
    """Plan every film; nothing is run and nothing recorded. `on_row` is told each row's number."""
    total = _Total(orchestrator)
    mistakes = []
    for row in rows:
        on_row(row.number)
        try:
            options, plan = orchestrator.preview(
                row.storyboard, row.options, prompt=row.prompt or "", seed=row.seed
            )
            total.add(options, plan or orchestrator.plan_unwritten(options), is_written=plan is not None)
        except LocalvidError as error:
            reason = f"{error.message} ({error.hint})" if error.hint else error.message
            mistakes.append(Mistake(source=source, line=row.line, message=reason))
    return BatchPlan(
        num_jobs=len(rows) - len(mistakes),
        num_shots=total.num_shots,
        loads=tuple(total.loads),
        seconds=total.seconds,
        gpu_bytes=total.gpu_bytes(),
        disk_bytes=total.disk_bytes,
        cost_usd=total.cost_usd,
        mistakes=tuple(mistakes),
    )


class _Total:
    """What the films of a batch take together."""

    def __init__(self, orchestrator: VideoOrchestrator) -> None:
        self._orchestrator = orchestrator
        self.loads: dict[Load, None] = {}
        self.num_shots = 0
        self.seconds: float | None = 0.0
        self.disk_bytes = 0
        self.cost_usd = 0.0
        self._largest: dict[str, VideoRequest] = {}

    def add(self, options: FilmOptions, plan: FilmPlan, *, is_written: bool) -> None:
        self.num_shots += len(plan.shots)
        self.cost_usd += plan.cost_usd
        pixels = sum(pixels_of(shot.clip_request) for shot in plan.shots)
        sampled = sum(pixels_of(shot.clip_request) for shot in plan.shots if shot.latents is not None)
        self.disk_bytes += 2 * pixels * _BITS_A_PIXEL // 8  # the clips, and the film
        self.disk_bytes += sampled * _LATENTS_BYTES // 64
        for stage, model_id, units in _work(options, plan, is_written=is_written):
            if model_id:
                self.loads[Load(stage=stage, model_id=model_id)] = None
            self._add_seconds(stage, model_id, units)
        for request in (shot.clip_request for shot in plan.shots):
            known = self._largest.get(request.model_id, request)
            self._largest[request.model_id] = max(known, request, key=pixels_of)

    def _add_seconds(self, stage: Stage, model_id: str, units: float) -> None:
        if self.seconds is None:
            return
        settings = self._orchestrator.settings
        rate = self._orchestrator.store.stage_rate(stage, model_id) if settings.workspace.exists() else None
        each = None if rate is None else rate.seconds(units)
        self.seconds = None if each is None else self.seconds + each

    def gpu_bytes(self) -> int | None:
        """Predicted for the largest clip of a model that samples, on the GPU that is here."""
        settings = self._orchestrator.settings
        sampled = [request for request in self._largest.values() if request.sampling is not None]
        gpus = detect_cuda().gpus if sampled and settings.device != "cpu" else ()
        needed = []
        for request in sampled if gpus else ():
            info = registry.get_model(request.model_id, settings, ModelKind.VIDEO)
            if not info.manifest.is_remote:
                needed.append(_planned_bytes(self._orchestrator, request, round(gpus[0].memory_gib * 2**30)))
        return max(needed, default=None)


def _planned_bytes(orchestrator: VideoOrchestrator, request: VideoRequest, vram_bytes: int) -> int:
    # Not before: it imports torch.
    from localvid.pipelines.svd.budget.planner import ClipPlanner
    from localvid.pipelines.svd.budget.roofline import known_gpus
    from localvid.pipelines.svd.budget.search import Room

    assert request.sampling is not None
    planner = ClipPlanner(
        registry.get_model(request.model_id, orchestrator.settings, ModelKind.VIDEO),
        width=request.width,
        height=request.height,
        num_frames=request.num_frames,
        num_inference_steps=request.sampling.num_inference_steps,
        guided=request.sampling.max_guidance_scale > 1,
    )
    return planner.plan(known_gpus()[0], Room(vram_bytes=vram_bytes)).needed_bytes


def _work(options: FilmOptions, plan: FilmPlan, *, is_written: bool) -> Iterator[tuple[Stage, str, float]]:
    """Every stage of a film, the model that it needs, and how much work it is."""
    if not is_written:
        yield Stage.STORYBOARD, options.llm, 1.0
    if count := painted(plan):
        yield Stage.KEYFRAMES, options.keyframe_model, count
    yield Stage.CLIPS, options.model, clip_units(plan)
